"""The lines that a run keeps, read so that one bad line or file does not hide the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from evals.lines import SEAL, LineError, parse_line

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
#: Lines in memory at once.
BATCH = 1_000
_SHOWN = 3


class Lines(Generic[T]):
    """The lines of a file of the run, each with its number in the file, from 1, read as they come.

    read: how many there were so far. What cannot be read is a problem, never an exception; all
    problems are known once the last line was read.
    """

    def __init__(self, run: Path, name: str, kind: type[T]) -> None:
        self.read = 0
        self.problems: list[str] = []
        self._run = run
        self._name = name
        self._kind = kind

    def batches(self) -> Iterator[list[tuple[int, T]]]:
        """Some of them at a time."""
        lines = iter(self)
        while some := list(islice(lines, BATCH)):
            yield some

    def __iter__(self) -> Iterator[tuple[int, T]]:
        path = self._run / self._name
        broken = 0
        try:
            if not path.resolve().is_relative_to(self._run.resolve()):
                self.problems.append(f"{self._name}: not in the run's folder")
                return
            with path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    if not line.strip():
                        continue
                    try:
                        found = self._parsed(line, number)
                    except (TypeError, ValueError) as error:
                        broken += 1
                        if broken <= _SHOWN:
                            self.problems.append(self._problem(error, number))
                        continue
                    self.read += 1
                    yield number, found
        except FileNotFoundError:
            self.problems.append(f"{self._name}: the file is not there")
        except (OSError, ValueError) as error:  # a name may be one that no file can have
            self.problems.append(f"{self._name}: cannot be read: {error}")
        if broken > _SHOWN:
            self.problems.append(f"{self._name}: and {broken - _SHOWN} more such lines")

    def _problem(self, error: Exception, number: int) -> str:
        if isinstance(error, LineError):
            return str(error)
        return f"{self._name}:{number}: not a {self._kind.__name__.lower()}: {error}"

    def _parsed(self, line: bytes, number: int) -> T:
        row = parse_line(line, Path(self._name), number)
        return _checked(self._kind(**{key: row[key] for key in row if key not in SEAL}))


#: What lines call their texts: JSON may hold something else there.
_TEXTS = ("id", "reference", "hypothesis", "text", "answer", "user", "dialogue")


def _checked(line: T) -> T:
    for one in fields(line):
        if one.name in _TEXTS and not isinstance(getattr(line, one.name), str):
            raise ValueError(f"{one.name} is no text")
    return line
