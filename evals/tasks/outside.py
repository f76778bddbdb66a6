"""Tasks and metrics from outside: an installed package, or a file that an option names."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path

from evals.task import PROBLEMS

#: Installed packages name their modules with tasks or metrics under these entry points.
ENTRY_POINTS = "model_lab.tasks"


class OutsideError(ValueError):
    """A task or metric from outside cannot be used; the message names it and says why."""


def load(files: Iterable[str]) -> None:
    """Import what installed packages name, and the files, which register what they hold.

    A file is imported by its name, as pytest would, so that its test is collected from the same
    module. Raises OutsideError.
    """
    for point in entry_points(group=ENTRY_POINTS):
        try:
            point.load()
        except Exception as error:  # whatever a package's code raises
            raise OutsideError(
                f"entry point {point.name} = {point.value}: {_said(error)}"
            ) from None
    for named in files:
        _import(Path(named))
    if PROBLEMS:
        raise OutsideError("\n".join(PROBLEMS))


def _import(path: Path) -> None:
    at = f"--plugin-file {path}"
    if not path.is_file() or path.suffix != ".py":
        raise OutsideError(f"{at}: no such Python file")
    file, name = path.resolve(), path.stem
    known = getattr(sys.modules.get(name), "__file__", None)
    if known is not None and Path(known).resolve() == file:
        return
    if known is not None or not name.isidentifier():
        raise OutsideError(
            f"{at}: another module is called {name}, or none can be: rename the file"
        )
    sys.path.insert(0, str(file.parent))
    try:
        importlib.import_module(name)
    except Exception as error:  # whatever the file's code raises
        raise OutsideError(f"{at}: {_said(error)}") from None
    finally:
        sys.path.remove(str(file.parent))


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
