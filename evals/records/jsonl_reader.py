"""Files of lines: appended as they are made, each sealed, so that a broken one is known.

A sealed line is a JSON object that ends in `"key"` (of what made it: model, options, corpus and
utterance), `"session"` (which session of the run made it, from 1) and `"checksum"` (CRC-32 of
all that comes before it, in hexadecimal).
"""

from __future__ import annotations

import hashlib
import json
import zlib
from array import array
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    BinaryIO,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import numpy as np

from fixtures.safe_text import one_line, shown

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
BEFORE_CHECKSUM = b', "checksum": "'
#: From there to the end of the line.
_TAIL = len(BEFORE_CHECKSUM) + 8 + len(b'"}')
SEAL = ("key", "session", "checksum")
#: Bytes of a line; a file without line ends must not fill the memory.
_LONGEST = 64 * 2**20


class LineError(ValueError):
    """A file of lines is broken; the message names the file, the line and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def line_key(identity: str, line_id: str) -> str:
    """16 hexadecimal digits that say what made a line. identity: see `evals.case_file`."""
    return hashlib.sha256(f"{identity}\n{line_id}".encode()).hexdigest()[:16]


class Lines(Collection[T]):
    """The lines of a file, in the order of their `index`, read again each time they are wanted.

    Of a file, only the places of its lines are kept. Raises OSError; LineError naming the line
    that is none, is broken, or has the id of another.
    """

    def __init__(self, path: Path, kind: type[T]) -> None:
        self.path = path
        self._kind = kind
        offsets, indices, ids = array("q"), array("q"), array("q")
        sessions: set[int] = set()
        offset = 0
        with path.open("rb") as file:
            for number, line in raw_lines(file, path):
                if line.strip():
                    row = parse_line(line, path, number)
                    offsets.append(offset)
                    indices.append(_index(row, len(indices), path, number))
                    ids.append(hash(row_id(row, number, path, number)))
                    sessions.add(session_of(row))
                offset += len(line)
        self._offsets = np.array(offsets, np.int64)
        order = np.argsort(np.array(indices, np.int64), kind="stable")
        self._order = None if np.all(order == np.arange(len(order))) else order
        self.sessions = frozenset(sessions)
        self._refuse_twins(np.array(ids, np.int64))

    def __len__(self) -> int:
        return len(self._offsets)

    def __contains__(self, line: object) -> bool:
        return any(line == other for other in self)

    def __iter__(self) -> Iterator[T]:
        with self.path.open("rb") as file:
            if self._order is None:
                for number, line in raw_lines(file, self.path):
                    if line.strip():
                        yield self._line(line, number)
                return
            for place in self._order:
                file.seek(int(self._offsets[place]))
                yield self._line(file.readline(), int(place) + 1)

    def _line(self, line: bytes, number: int) -> T:
        return line_of(parse_line(line, self.path, number), self._kind, self.path, number)

    def _refuse_twins(self, ids: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        if len(np.unique(ids)) == len(ids):
            return
        first: dict[Any, int] = {}
        with self.path.open("rb") as file:
            for number, line in raw_lines(file, self.path):
                if line.strip():
                    name = parse_line(line, self.path, number).get("id", number)
                    if name in first:
                        raise LineError(
                            f"{self.path}:{number}: id {shown(name)} is that of line "
                            f"{first[name]} too"
                        )
                    first[name] = number


def read_lines(path: Path, kind: type[T]) -> list[T]:
    """What a `LineFile` of that kind wrote. Raises OSError; LineError naming the line."""
    return list(Lines(path, kind))


def is_sound(line: bytes) -> bool:
    end = line.rstrip(b"\n")
    body, tail = end[:-_TAIL], end[-_TAIL:]
    return tail == BEFORE_CHECKSUM + b'%08x"}' % zlib.crc32(body)


def parse_line(line: bytes, path: Path, number: int) -> dict[str, Any]:
    """A line's object, its checksum compared where it has one, as all since version 0.1 have."""
    try:
        row = json.loads(line.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        hint = "" if line.endswith(b"\n") else " (half-written: --resume makes it again)"
        raise LineError(f"{path}:{number}: not JSON: {error}{hint}") from None
    if not isinstance(row, dict):
        raise LineError(f"{path}:{number}: not a JSON object")
    if "checksum" in row and not is_sound(line):
        raise LineError(
            f"{path}:{number}: its checksum is not that of the line, which was changed or damaged"
        )
    return row


def raw_lines(file: BinaryIO, path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file with their numbers, from 1. Raises LineError for an endless one."""
    number = 0
    while line := file.readline(_LONGEST):
        number += 1
        if len(line) == _LONGEST:
            raise LineError(f"{path}:{number}: a line longer than {_LONGEST // 2**20} MiB")
        yield number, line


def line_of(row: Mapping[str, Any], kind: type[T], path: Path, number: int) -> T:
    """A line's object as what it is of. Raises LineError, also for values of other types."""
    try:
        line = kind(**{key: row[key] for key in row if key not in SEAL})
    except (TypeError, ValueError) as error:
        raise LineError(f"{path}:{number}: not a {kind.__name__.lower()}: {error}") from None
    for name, types in _types(kind):
        value = getattr(line, name)
        if value is None or type(value) is str:
            right = type(value) in types
        elif type(value) in (int, float):
            right = type(value) in types and -_HUGE < value < _HUGE  # NaN is nowhere
        else:
            right = isinstance(value, types) and (type(value) is not bool or bool in types)
        if not right:
            what = "no text" if types == (str,) else shown(value)
            raise LineError(f"{path}:{number}: not a {kind.__name__.lower()}: {name} is {what}")
    return line


#: No number of a line comes near it; whole numbers beyond are none that can be reckoned with.
_HUGE = 1e300


@cache
def _types(kind: type[Any]) -> Collection[tuple[str, tuple[type, ...]]]:
    """The fields of a kind of lines and what JSON may hold there."""
    hints = get_type_hints(kind)
    found = []
    for one in fields(kind):
        hint = hints[one.name]
        parts = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        types: list[type] = []
        for part in parts:
            if get_origin(part) is Literal:
                types += {type(value) for value in get_args(part)}
                continue
            plain = get_origin(part) or part
            types += [int, float] if plain is float else [plain]
        found.append((one.name, tuple(types)))
    return found


def row_id(row: Mapping[str, Any], otherwise: Any, path: Path, number: int) -> Any:
    name = row.get("id", otherwise)
    if not isinstance(name, str | int):
        raise LineError(f"{path}:{number}: id: text is expected, not {shown(name)}")
    return name


def _index(row: Mapping[str, Any], otherwise: int, path: Path, number: int) -> int:
    index = row.get("index")
    if index is None:
        return otherwise
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < 2**62:
        raise LineError(f"{path}:{number}: index: a whole number from 0 is expected")
    return index


def session_of(row: Mapping[str, Any]) -> int:
    session = row.get("session", 1)
    return session if isinstance(session, int) else 1
