"""Files of lines: appended as they are made, each sealed, so that a broken one is known.

A sealed line is a JSON object that ends in `"key"` (of what made it: model, options, corpus and
utterance), `"session"` (which session of the run made it, from 1) and `"checksum"` (CRC-32 of
all that comes before it, in hexadecimal).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import zlib
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from types import TracebackType, UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    BinaryIO,
    Generic,
    Literal,
    Self,
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

#: As json.dumps, which makes an encoder for each call.
_ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_BEFORE_CHECKSUM = b', "checksum": "'
#: From there to the end of the line.
_TAIL = len(_BEFORE_CHECKSUM) + 8 + len(b'"}')
SEAL = ("key", "session", "checksum")
#: What the operating system was given survives the session; a power cut takes at most this much.
_SYNC_SECONDS = 1.0
#: Bytes of a line; a file without line ends must not fill the memory.
_LONGEST = 64 * 2**20


class LineError(ValueError):
    """A file of lines is broken; the message names the file, the line and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class NotWritten(OSError):
    """A line could not be written whole. What was written before it is as it was."""


def line_key(identity: str, line_id: str) -> str:
    """16 hexadecimal digits that say what made a line. identity: see `evals.case_file`."""
    return hashlib.sha256(f"{identity}\n{line_id}".encode()).hexdigest()[:16]


def sealed(
    row: Mapping[str, Any], key: str, session: int, redact: Callable[[str], str] | None = None
) -> bytes:
    """The line of a row, with its end. redact: takes out of its JSON what must not be kept."""
    text = _ENCODE({**row, "key": key, "session": session})
    if redact is not None:
        text = redact(text)
    body = text.encode("utf-8", "surrogatepass")[:-1]
    return body + _BEFORE_CHECKSUM + b'%08x"}\n' % zlib.crc32(body)


class LineFile(Generic[T]):
    """Appends lines to a file, each given to the operating system before the next one is begun.

    identity: of what makes the lines. session: which of the run. A file that is there already
    is gone on with: its half-written last line is dropped, and the ids of the others are in it.
    Raises LineError where a line before the last is broken or was made by something else.
    """

    def __init__(
        self,
        path: Path,
        *,
        identity: str = "",
        session: int = 1,
        redact: Callable[[str], str] | None = None,
        whole: Path | None = None,
    ) -> None:
        """whole: of a file of a part, that of all parts, whose lines need not be made either."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._identity = identity
        self._session = session
        self._redact = redact
        self._known: frozenset[int] = frozenset()
        for file in (path, whole):
            if file is not None and recover(file):
                self._known |= ids_of(file, identity)
        self._file: BinaryIO = path.open("ab", buffering=0)
        self._size = self._file.seek(0, os.SEEK_END)
        self._synced = time.monotonic()

    def __contains__(self, line_id: object) -> bool:
        """Whether an earlier session has written the line of that id."""
        if not self._known:
            return False
        if self._redact is not None and isinstance(line_id, str):
            line_id = self._redact(line_id)
        return hash(line_id) in self._known

    @property
    def begun(self) -> int:
        """How many lines earlier sessions have written."""
        return len(self._known)

    def append(self, line: T) -> None:
        """Write one line. Raises NotWritten where it cannot be written whole."""
        # Not asdict(), which copies what is nested: lines hold nothing but texts and numbers.
        row = {name: getattr(line, name) for name in _names(type(line))}
        name = str(row.get("id", ""))
        key = line_key(self._identity, self._redact(name) if self._redact else name)
        data = sealed(row, key, self._session, self._redact)
        try:
            written = self._file.write(data)
            while written < len(data):
                written += self._file.write(data[written:])
            if time.monotonic() - self._synced > _SYNC_SECONDS:
                self._sync()
        except OSError as error:
            # Where that fails too it is a half-written last line, dropped when the run is resumed.
            with contextlib.suppress(OSError):
                self._file.truncate(self._size)
            raise NotWritten(error.errno, error.strerror, str(self.path)) from error
        self._size += len(data)

    def replace(self, lines: Collection[T]) -> None:
        """Put lines in the place of those of their ids, all of them or none.

        Each stays the line of the session that made it. Raises NotWritten.
        """
        fresh = {str(getattr(line, "id", "")): line for line in lines}
        beside = self.path.with_name(f".{self.path.name}.new")
        self._sync()
        try:
            with self.path.open("rb") as file, beside.open("wb") as new:
                for number, raw in raw_lines(file, self.path):
                    row = parse_line(raw, self.path, number) if raw.strip() else {}
                    line = fresh.get(str(row.get("id", "")))
                    if line is None:
                        new.write(raw)
                        continue
                    content = {name: getattr(line, name) for name in _names(type(line))}
                    new.write(sealed(content, row["key"], _session(row), self._redact))
                new.flush()
                os.fsync(new.fileno())
            self._file.close()  # some systems do not replace what is open
            beside.replace(self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            raise NotWritten(error.errno, error.strerror, str(self.path)) from error
        finally:
            if self._file.closed:
                self._file = self.path.open("ab", buffering=0)
            self._size = self._file.seek(0, os.SEEK_END)

    def _sync(self) -> None:
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._sync()
        finally:
            self._file.close()


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
                    ids.append(hash(_id(row, number, path, number)))
                    sessions.add(_session(row))
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


def recover(path: Path) -> bool:
    """Drop the last line where a session that was killed left it half-written.

    Whether there is a file at all. Raises LineError for any other broken line, since only what
    stands at the end of a file that is appended to can be half-written.
    """
    if not path.exists():
        return False
    with path.open("r+b") as file:
        start = 0
        number = 0
        broken: tuple[int, int] | None = None
        last = b""
        for number, line in raw_lines(file, path):
            if broken is not None:
                break
            if not (line.endswith(b"\n") and (not line.strip() or _is_sound(line))):
                broken, last = (number, start), line
            start += len(line)
        if broken is None:
            return True
        if number > broken[0] or not _half_written(last):
            raise LineError(
                f"{path}:{broken[0]}: its checksum is not that of the line, or is missing: take "
                "the line out to have it made again, or start a new run"
            )
        file.truncate(broken[1])
    return True


def _half_written(line: bytes) -> bool:
    if not line.endswith(b"\n"):
        return True
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return True
    return False


def ids_of(path: Path, identity: str) -> frozenset[int]:
    """A hash of the id of each line. Raises LineError for a line that something else made."""
    found: set[int] = set()
    with path.open("rb") as file:
        for number, line in raw_lines(file, path):
            if not line.strip():
                continue
            row = parse_line(line, path, number)
            name = _id(row, "", path, number)
            if row.get("key") != line_key(identity, name):
                raise LineError(
                    f"{path}:{number}: {shown(name)} was made by another model, with other options "
                    "or on another corpus: take the line out, or start a new run"
                )
            if hash(name) in found:
                raise LineError(
                    f"{path}:{number}: id {shown(name)} has a line already: take one out"
                )
            found.add(hash(name))
    return frozenset(found)


def gather(path: Path, parts: Collection[Path]) -> None:
    """Append the lines of parts to the file of the whole, and take the parts away.

    Killed at any moment, doing it again gives the same: what is in the whole already is left.
    Raises LineError for a broken part.
    """
    there = [part for part in parts if recover(part)]
    if not there:
        return
    known: set[bytes] = set()
    if recover(path):
        with path.open("rb") as file:
            known = {hashlib.sha256(line).digest()[:12] for line in file}
    with path.open("ab") as whole:
        for part in there:
            with part.open("rb") as file:
                for line in file:
                    if hashlib.sha256(line).digest()[:12] not in known:
                        whole.write(line)
        whole.flush()
        os.fsync(whole.fileno())
    for part in there:
        part.unlink()


def _is_sound(line: bytes) -> bool:
    end = line.rstrip(b"\n")
    body, tail = end[:-_TAIL], end[-_TAIL:]
    return tail == _BEFORE_CHECKSUM + b'%08x"}' % zlib.crc32(body)


def parse_line(line: bytes, path: Path, number: int) -> dict[str, Any]:
    """A line's object, its checksum compared where it has one, as all since version 0.1 have."""
    try:
        row = json.loads(line.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        hint = "" if line.endswith(b"\n") else " (half-written: --resume makes it again)"
        raise LineError(f"{path}:{number}: not JSON: {error}{hint}") from None
    if not isinstance(row, dict):
        raise LineError(f"{path}:{number}: not a JSON object")
    if "checksum" in row and not _is_sound(line):
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
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


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


def _id(row: Mapping[str, Any], otherwise: Any, path: Path, number: int) -> Any:
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


def _session(row: Mapping[str, Any]) -> int:
    session = row.get("session", 1)
    return session if isinstance(session, int) else 1
