"""Files of lines as they are written: each line whole, with a key and a checksum."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import (
    Any,
    BinaryIO,
    Generic,
    Self,
)

from evals.records.jsonl_reader import (
    BEFORE_CHECKSUM,
    LineError,
    T,
    is_sound,
    line_key,
    parse_line,
    raw_lines,
    row_id,
    session_of,
)
from fixtures.safe_text import shown

#: As json.dumps, which makes an encoder for each call.
_ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
#: What the operating system was given survives the session; a power cut takes at most this much.
_SYNC_SECONDS = 1.0


class NotWritten(OSError):
    """A line could not be written whole. What was written before it is as it was."""


def sealed(
    row: Mapping[str, Any], key: str, session: int, redact: Callable[[str], str] | None = None
) -> bytes:
    """The line of a row, with its end. redact: takes out of its JSON what must not be kept."""
    text = _ENCODE({**row, "key": key, "session": session})
    if redact is not None:
        text = redact(text)
    body = text.encode("utf-8", "surrogatepass")[:-1]
    return body + BEFORE_CHECKSUM + b'%08x"}\n' % zlib.crc32(body)


class LineFile(Generic[T]):
    """Appends lines to a file, each given to the operating system before the next one is begun.

    identity: of what makes the lines. session: which of the run. A file that is there already
    is resumed: its half-written last line is dropped, and the ids of the others are in it.
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
                    new.write(sealed(content, row["key"], session_of(row), self._redact))
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
            if not (line.endswith(b"\n") and (not line.strip() or is_sound(line))):
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
            name = row_id(row, "", path, number)
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


@cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
