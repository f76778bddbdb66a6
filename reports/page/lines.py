"""The lines that a run keeps, read so that one bad line or file does not hide the others."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
_SHOWN = 3


@dataclass
class Lines(Generic[T]):
    """numbered: the number of each line in its file, from 1, and what it holds."""

    numbered: list[tuple[int, T]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read(run: Path, name: str, kind: type[T]) -> Lines[T]:
    """The lines of a file of the run; what cannot be read is a problem, never an exception."""
    found: Lines[T] = Lines()
    path = run / name
    try:
        if not path.resolve().is_relative_to(run.resolve()):
            found.problems.append(f"{name}: not in the run's folder")
            return found
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        found.problems.append(f"{name}: the file is not there")
        return found
    except (OSError, ValueError) as error:
        found.problems.append(f"{name}: cannot be read: {error}")
        return found
    broken: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line:
            continue
        try:
            found.numbered.append((number, _checked(kind(**json.loads(line)))))
        except (TypeError, ValueError, RecursionError) as error:
            broken.append(f"{name}:{number}: not a {kind.__name__.lower()}: {error}")
    found.problems += broken[:_SHOWN]
    if len(broken) > _SHOWN:
        found.problems.append(f"{name}: and {len(broken) - _SHOWN} more such lines")
    return found


#: What lines call their texts: JSON may hold something else there.
_TEXTS = ("id", "reference", "hypothesis", "text", "answer", "user", "dialogue")


def _checked(line: T) -> T:
    for one in fields(line):
        if one.name in _TEXTS and not isinstance(getattr(line, one.name), str):
            raise ValueError(f"{one.name} is no text")
    return line
