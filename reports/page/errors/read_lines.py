"""The lines that a run keeps, read so that one bad line or file does not hide the others."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from evals.records.jsonl_reader import LineError, line_of, parse_line, raw_lines
from fixtures.safe_text import one_line

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
                for number, line in raw_lines(file, Path(self._name)):
                    if not line.strip():
                        continue
                    try:
                        found = self._parsed(line, number)
                    except LineError as error:
                        broken += 1
                        if broken <= _SHOWN:
                            self.problems.append(str(error))
                        continue
                    self.read += 1
                    yield number, found
        except FileNotFoundError:
            self.problems.append(f"{self._name}: the file is not there")
        except LineError as error:
            self.problems.append(str(error))
        except (OSError, ValueError) as error:  # a name may be one that no file can have
            self.problems.append(one_line(f"{self._name}: cannot be read: {error}"))
        if broken > _SHOWN:
            self.problems.append(f"{self._name}: and {broken - _SHOWN} more such lines")

    def _parsed(self, line: bytes, number: int) -> T:
        path = Path(self._name)
        return line_of(parse_line(line, path, number), self._kind, path, number)
