"""The files that an engine outside the repo loads: no version tells them apart, so hashes do.

A model's process tells them among what it tells of itself (`engine_modules` of
`adapters.catalog.load_adapter`), as path to SHA-256 under the key `modules`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from fixtures.safe_text import one_line

_MODULES = "modules"


class NotResumed(ValueError):
    """A run cannot be resumed; the message says what is not as it was."""


def modules_in(row: str) -> dict[str, str]:
    """Path to SHA-256, of what a model's process told of itself, as JSON."""
    modules = json.loads(row).get(_MODULES)
    return {str(path): str(x) for path, x in modules.items()} if isinstance(modules, dict) else {}


def with_modules(row: str, other: str) -> str:
    """The row of a model's process, with the modules that another row of the model has more."""
    return json.dumps({**json.loads(row), _MODULES: {**modules_in(other), **modules_in(row)}})


def on_disk(paths: Iterable[str]) -> dict[str, str | None]:
    """The SHA-256 of each file as it is now; None for one that is gone."""
    return {path: _sha256(Path(path)) for path in paths}


def refuse_changed(model: str, was: Mapping[str, str], now: Mapping[str, str | None]) -> None:
    """Raise NotResumed where a file of both has another SHA-256, or is gone."""
    for path, sha256 in was.items():
        if path in now and now[path] != sha256:
            became = "is gone" if now[path] is None else "has changed"
            raise NotResumed(
                one_line(
                    f"model {model}: {path}, which its engine loads, {became} since the run's "
                    "predictions were made: resume them with what it was, or start a new run"
                )
            )


def _sha256(path: Path) -> str | None:
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):  # a name that no file can have
        return None
