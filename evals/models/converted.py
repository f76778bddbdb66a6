"""Weights of one library that another is to load: written once for it, in the cache."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.catalog import packages
from adapters.catalog.load_adapter import load_adapter
from adapters.interface import Adapter, LoadSpec, ModelError
from adapters.weights.convert import FORMS, VERSION
from adapters.weights.whisper import is_ctranslate2
from fixtures.fetch.cache import cache_dir, make_once

ROOT = Path(__file__).parents[2]
_STAMP = "sha256"  # the file beside the checkpoint that has its SHA-256


def converted(
    spec: LoadSpec, adapter: type[Adapter], python: Path | None, say: Callable[[str], None]
) -> LoadSpec:
    """The spec with a Whisper of CTranslate2 in the form that the engine loads, its parts' too.

    A revision goes, since it is that of the source, whose content has been checked. python: the
    interpreter that has the engine's libraries; None: this one. Raises ModelError.
    """
    options = {name: _part(value, python, say) for name, value in spec.options.items()}
    checkpoint = _written(spec.checkpoint, adapter, python, say)
    if checkpoint is not None:
        spec = replace(spec, checkpoint=checkpoint, revision=None)
    return replace(spec, options=options)


def _part(value: Any, python: Path | None, say: Callable[[str], None]) -> Any:
    """A model's part, in mappings at any depth, as `converted` has it."""
    if not isinstance(value, Mapping):
        return value
    own = {key: _part(item, python, say) for key, item in value.items()}
    if {"engine", "checkpoint"} <= own.keys() and isinstance(own["checkpoint"], str):
        adapter = load_adapter(own["engine"], own.get("file"))
        checkpoint = _written(own["checkpoint"], adapter, python, say)
        if checkpoint is not None:
            own |= {"checkpoint": checkpoint, "revision": None}
    return own


def _written(
    checkpoint: str, adapter: type[Adapter], python: Path | None, say: Callable[[str], None]
) -> str | None:
    """The path of the checkpoint in the engine's form; None where it needs none.

    The place depends on the source's SHA-256; what is found there is checked. Processes that
    ask at once wait for the first of them.
    """
    form = adapter.whisper_form
    if form is None or not is_ctranslate2(checkpoint):
        return None
    source = Path(checkpoint)
    key = packages.files_sha256(source)[:16]
    folder = cache_dir() / "converted" / f"{key}-{form}-{VERSION}"
    name = FORMS[form].name

    def make(scratch: Path) -> None:
        say(f"{source}: its weights are written for {form} once, to {folder}")
        _run(source, form, scratch / name, python)
        (scratch / _STAMP).write_text(packages.files_sha256(scratch / name), encoding="ascii")

    return str(make_once(folder, make, lambda made: _is_whole(made, name)) / name)


def _run(source: Path, form: str, out: Path, python: Path | None) -> None:
    """In a process of its own: torch is not for the harness."""
    command = [str(python or sys.executable), "-m", "adapters.weights", str(source), form, str(out)]
    done = subprocess.run(  # noqa: S603 - our interpreter or one that we built, fixed words
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ModelError(f"{source} cannot be written for {form}: {done.stderr.strip()[-600:]}")


def _is_whole(folder: Path, name: str) -> bool:
    try:
        stamp = (folder / _STAMP).read_text(encoding="ascii")
    except (OSError, ValueError):
        return False
    return (folder / name).exists() and packages.files_sha256(folder / name) == stamp
