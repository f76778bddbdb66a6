"""What could not be measured, and why: most often because a library is not installed."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, TypeVar

#: The extra that brings the libraries of the speech quality metrics.
QUALITY = "quality"

T = TypeVar("T")


class NotMeasured(Exception):
    """There is no value, and the message says why. Missing is never 0 and never a pass."""


class LibraryMissing(NotMeasured):
    """A library that is not there, or cannot be imported as it is installed."""

    def __init__(self, library: str, extra: str = QUALITY, problem: str | None = None) -> None:
        self.library = library
        self.extra = extra
        said = f"{library} is not installed" if problem is None else f"{library}: {problem}"
        super().__init__(f"not measured: install model-lab[{extra}] ({said})")


def library(name: str, extra: str = QUALITY) -> Any:
    """The module of that name. Raises LibraryMissing, naming the extra that brings it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        top = name.partition(".")[0]
        absent = isinstance(error, ModuleNotFoundError) and error.name in (name, top)
        problem = None if absent else f"cannot be imported: {error}"
        raise LibraryMissing(top, extra, problem) from error


def attempt(reasons: dict[str, str], name: str, measure: Callable[[], T]) -> T | None:
    """What `measure` returns; where it raises NotMeasured None, and its reason under the name."""
    try:
        return measure()
    except NotMeasured as error:
        reasons[name] = str(error)
        return None
