"""What could not be measured, and why: most often because a library is not installed."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from adapters.catalog import packages
from adapters.interface import ModelError

#: The extra that brings the libraries of the speech quality metrics.
QUALITY = "quality"
#: The extra that brings the networks that listen, with their weights.
LISTENERS = "listeners"

T = TypeVar("T")


class NotMeasured(Exception):
    """There is no value, and the message says why. Missing is never 0 and never a pass."""


class LibraryMissing(NotMeasured):
    """A library that is not there, or cannot be imported as it is installed."""

    def __init__(self, library: str, extra: str = QUALITY, problem: str | None = None) -> None:
        self.library = library
        self.extra = extra
        said = f"{library} is not installed" if problem is None else f"{library}: {problem}"
        command = f"uv sync --inexact --extra {extra}"
        super().__init__(f"not measured: install model-lab[{extra}] ({said}): {command}")


def library(name: str, extra: str = QUALITY) -> Any:
    """The module of that name. Raises LibraryMissing, naming the extra that brings it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        top = name.partition(".")[0]
        absent = isinstance(error, ModuleNotFoundError) and error.name in (name, top)
        problem = None if absent else f"cannot be imported: {error}"
        raise LibraryMissing(top, extra, problem) from error


def packaged(checkpoint: str, sha256: str, extra: str = LISTENERS) -> str:
    """The path of weights in an installed package, which is not imported.

    checkpoint: package:MODULE/PATH. Raises LibraryMissing without the package, NotMeasured where
    what it holds has another SHA-256.
    """
    module = packages.parsed(checkpoint)[0]
    if importlib.util.find_spec(module) is None:
        raise LibraryMissing(module, extra)
    try:
        return packages.resolve(checkpoint, sha256)
    except ModelError as error:
        raise NotMeasured(f"not measured: {error}") from error


@contextlib.contextmanager
def inference(torch: Any) -> Iterator[None]:
    """torch without gradients, on one thread: networks as small as these get slower on several."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(threads)


def attempt(reasons: dict[str, str], name: str, measure: Callable[[], T]) -> T | None:
    """What `measure` returns; where it raises NotMeasured None, and its reason under the name."""
    try:
        return measure()
    except NotMeasured as error:
        reasons[name] = str(error)
        return None
