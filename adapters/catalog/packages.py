"""Checkpoints inside an installed package, which catalogue entries name with `package:`."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from adapters.interface import ModelError

PREFIX = "package:"
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_FORM = re.compile(r"package:(\w+)/(.+)")
#: What another interpreter runs to find a package; it is not imported.
_FIND = (
    "import importlib.util as u, json, sys\n"
    "spec = u.find_spec(sys.argv[1])\n"
    "print(json.dumps(list(spec.submodule_search_locations or ()) if spec else None))\n"
)


def is_packaged(checkpoint: object) -> bool:
    """Whether a checkpoint is named as one inside a package."""
    return isinstance(checkpoint, str) and checkpoint.startswith(PREFIX)


def parsed(checkpoint: str) -> tuple[str, str]:
    """The module and the path inside it of `package:MODULE/PATH`.

    Raises ModelError for another form, and for a path that leads out of the package.
    """
    form = _FORM.fullmatch(checkpoint)
    if form is None or not form[1].isidentifier():
        raise ModelError(
            f"checkpoint {checkpoint!r}: package:MODULE/PATH is expected, where MODULE is the "
            "package's top-level module and PATH a file or folder in it"
        )
    parts = form[2].split("/")
    if {"", ".", ".."} & {*parts} or re.search(r"[\\:\0]", form[2]):
        raise ModelError(
            f"checkpoint {checkpoint!r}: {form[2]!r} is no path inside the package "
            "(names with / between them are expected, without '..')"
        )
    return form[1], form[2]


def check(checkpoint: str, sha256: str | None = None, *, pinned: bool = False) -> None:
    """Raise ModelError for a checkpoint of a package that is named wrongly, or without its SHA-256.

    Any other checkpoint has none. pinned: whether it must have one.
    """
    if not is_packaged(checkpoint):
        if sha256 is not None:
            raise ModelError("sha256: only checkpoints inside a package (package:...) have one")
        return
    parsed(checkpoint)
    if sha256 is None and not pinned:
        return
    if sha256 is None or not _SHA256.fullmatch(sha256):
        raise ModelError(
            f"sha256: 64 hexadecimal digits are expected, the SHA-256 that {checkpoint!r} must have"
        )


def missing(checkpoints: Sequence[str], brought: Sequence[str] = ()) -> str | None:
    """What to install before the checkpoints can be had; None where their packages are installed.

    brought: the modules of an engine, which are not asked for. What is named wrongly is not
    missing: it is told when the model is loaded.
    """
    for checkpoint in checkpoints:
        with suppress(ModelError):
            module, _ = parsed(checkpoint)
            if module not in brought and _folders(module) is None:
                return _to_install(checkpoint, module)
    return None


def resolve(checkpoint: str, sha256: str | None = None, python: Path | None = None) -> str:
    """The path of `package:MODULE/PATH`, whose content has the SHA-256 that is expected.

    sha256: of the file, or of a folder as `files_sha256` takes it; None: not checked.
    python: of the model's environment, which is asked before the harness's own.
    The package is found without being imported. Raises ModelError where it is not installed, lacks
    the path, or holds something else there.
    """
    module, path = parsed(checkpoint)
    asked = [_folders_of(python, module)] if python is not None else []
    folders = next((f for f in [*asked, _folders(module)] if f is not None), None)
    if folders is None:
        raise ModelError(_to_install(checkpoint, module))
    if not folders:
        raise ModelError(f"checkpoint {checkpoint!r}: {module!r} is a module, not a package")
    found = next((place for f in folders if (place := Path(f) / path).exists()), None)
    if found is None:
        raise ModelError(
            f"checkpoint {checkpoint!r}: the installed package has no {path!r} "
            f"({', '.join(folders)}). Another version may have it"
        )
    if sha256 is not None and (own := files_sha256(found)) != sha256.lower():
        raise ModelError(
            f"checkpoint {checkpoint!r}: {found} is not what the catalogue expects: its SHA-256 is "
            f"{own}, expected is {sha256.lower()}. Install the version that the entry is of, or "
            "make an entry for this one"
        )
    return str(found)


def with_paths(value: Any, python: Path | None = None) -> Any:
    """A model's part with a path in place of `package:`, in mappings at any depth.

    A part is a mapping with `checkpoint` and `revision`: its SHA-256, or None. Raises ModelError.
    """
    if not isinstance(value, Mapping):
        return value
    own = {key: with_paths(item, python) for key, item in value.items()}
    if is_packaged(own.get("checkpoint")):
        own["checkpoint"] = resolve(own["checkpoint"], own.get("revision"), python)
    return own


def named_in(value: Any) -> list[str]:
    """The checkpoints of packages that a model's parts name, in mappings at any depth."""
    if not isinstance(value, Mapping):
        return []
    own = [value["checkpoint"]] if is_packaged(value.get("checkpoint")) else []
    return own + [name for item in value.values() for name in named_in(item)]


def files_sha256(path: Path) -> str:
    """SHA-256 of a file; of a folder, over a line of name and SHA-256 for each file in it."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    for name in sorted(p for p in path.rglob("*") if p.is_file()):
        digest.update(f"{name.relative_to(path).as_posix()} {files_sha256(name)}\n".encode())
    return digest.hexdigest()


def _folders(module: str) -> Sequence[str] | None:
    """The package's folders, several for a namespace and none for a module that is a file.

    None where it is not installed.
    """
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):  # ValueError: it is loaded and does not say from where
        return None
    return None if spec is None else [*(spec.submodule_search_locations or ())]


def _folders_of(python: Path, module: str) -> Sequence[str] | None:
    """As `_folders`, in the environment of another interpreter."""
    done = subprocess.run(  # noqa: S603 - an interpreter that we built, fixed words
        [str(python), "-I", "-c", _FIND, module], capture_output=True, text=True, check=False
    )
    found: Sequence[str] | None = json.loads(done.stdout) if done.returncode == 0 else None
    return found


def _to_install(checkpoint: str, module: str) -> str:
    return (
        f"checkpoint {checkpoint!r} is not installed (no package {module!r}). Install those of the "
        "shipped catalogue with: uv sync --inexact --extra pretrained"
    )
