"""Files of rows with named values: JSON lines, a JSON array, CSV and TSV with a header."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from fixtures.safe_text import one_line, shown

#: The keys of a row, lower-case and with "_" for a space or a hyphen, to its values.
Row: TypeAlias = Mapping[str, Any]

#: Keys that name the utterance, the likeliest first.
ID_KEYS = (
    "id", "utt_id", "utterance_id", "utt", "uttid", "key", "segment_id", "sample_id", "uid",
)  # fmt: skip
#: Keys that name its sound.
AUDIO_KEYS = (
    "audio_filepath", "audio_path", "audio_file", "audio", "path", "file", "file_name", "filename",
    "wav",
)  # fmt: skip
#: Keys that can mean nothing but what a recognizer heard.
HYPOTHESIS_KEYS = (
    "pred_text", "hypothesis", "prediction", "hyp", "predicted_text", "predicted_transcript",
    "pred", "asr_text", "hypothesis_text",
)  # fmt: skip
#: Keys that mean it where there is none of those, and no `audio_filepath` that makes a manifest.
TEXT_KEYS = ("transcript", "transcription", "text")

_FIRST = 20
_SHOWN = 5
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_HALF = "holds half a character (a lone surrogate)"
_DELIMITERS = {"\t": "TSV", ",": "CSV", ";": "CSV"}


class ProvidedError(ValueError):
    """A file of answers is wrong: the kind of mistake, and a line for each of the first ones."""

    def __init__(self, message: str) -> None:
        super().__init__("\n".join(map(one_line, message.split("\n"))))


@dataclass(frozen=True, slots=True)
class Content:
    """A file as text, with the SHA-256 of its bytes."""

    path: Path
    text: str
    sha256: str

    @property
    def first(self) -> Sequence[str]:
        """The first lines that hold anything, by which formats are told apart."""
        found: list[str] = []
        for line in io.StringIO(self.text):
            if line.strip():
                found.append(line.rstrip("\r\n"))
            if len(found) == _FIRST:
                break
        return found


def read_content(path: Path) -> Content:
    """The file. Raises ProvidedError where there is none, it is empty, or not UTF-8 text."""
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe would wait
            raise ProvidedError(f"{path}: not a file on a disk")
        raw = path.read_bytes()
    except ProvidedError:
        raise
    except FileNotFoundError:
        raise ProvidedError(f"{path}: no such file or folder") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ProvidedError(f"{path}: cannot be read: {why}") from None
    if raw.startswith(_UTF_16):
        raise ProvidedError(f"{path}: UTF-8 is expected, and this is UTF-16")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        byte = error.object[error.start]
        raise ProvidedError(f"{path}:{line}: not UTF-8 text (byte 0x{byte:02x})") from None
    content = Content(path, text, hashlib.sha256(raw).hexdigest())
    if not content.first:
        raise ProvidedError(f"{path}: no predictions in it")
    return content


def format_of_rows(content: Content) -> str | None:
    """Which of the four it is, by what its first lines hold; None: none of them."""
    first = content.first[0].lstrip()
    if first.startswith("{"):
        return "JSON lines"
    if first.startswith("["):
        return "JSON array"
    delimiter = _delimiter(first)
    return _DELIMITERS[delimiter] if delimiter else None


def rows_of(content: Content) -> Iterator[tuple[int, Row]]:
    """Line, from 1, and row. Raises ProvidedError with every line that is none."""
    kind = format_of_rows(content)
    if kind == "JSON array":
        return iter(_array(content))
    if kind == "JSON lines":
        return iter(_json_lines(content))
    return iter(_table(content))


def first_row(content: Content) -> Row | None:
    """The first row, to see what the file is of; None where it is not of rows, or broken."""
    if format_of_rows(content) is None:
        return None
    if content.first[0].lstrip().startswith("{"):
        content = Content(content.path, content.first[0], content.sha256)
    try:
        return next(rows_of(content), (0, None))[1]
    except ProvidedError:
        return None


def refuse(path: Path, what: str, lines: Iterable[tuple[int, str]]) -> None:
    """Raise ProvidedError for mistakes of one kind: the first five, and how many there are.

    what: the kind, in words. lines: number and mistake. Nothing is raised where there is none.
    """
    found = sorted(lines)
    if not found:
        return
    told = [one_line(f"{path}:{number}: {mistake}") for number, mistake in found[:_SHOWN]]
    more = [f"... and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    raise ProvidedError("\n".join([f"{path}: {what}:", *told, *more]))


def key_of(row: Row, keys: Sequence[str]) -> str | None:
    """The first of the keys that the row has."""
    return next((key for key in keys if key in row), None)


def named(row: Row, keys: Sequence[str]) -> str | None:
    """The text, or the whole number, under the first of the keys that a row has; None: none.

    An audio column of datasets is an object with a path. Raises ValueError.
    """
    key = key_of(row, keys)
    if key is None:
        return None
    value = row[key]
    if isinstance(value, Mapping):
        value = value.get("path")
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{key!r} must be text or a whole number, not {shown(value)}")
    return str(value)


def _delimiter(header: str) -> str | None:
    """What separates the columns of a header: the first that gives an id or sound, and a text."""
    for delimiter in _DELIMITERS:
        names = set(_names(next(csv.reader([header], delimiter=delimiter), [])))
        texts = {*HYPOTHESIS_KEYS, *TEXT_KEYS, "reply", "answer", "replies"}
        if names & {*ID_KEYS, *AUDIO_KEYS, "dialogue", "dialogue_id"} and (
            names & texts or len(names & {*ID_KEYS, *AUDIO_KEYS}) > 1
        ):
            return delimiter
    return None


def _names(cells: Iterable[str]) -> list[str]:
    return [cell.strip().lower().replace(" ", "_").replace("-", "_") for cell in cells]


def _plain(row: Mapping[str, Any]) -> Row:
    return dict(zip(_names(row), row.values(), strict=True))


def _json_lines(content: Content) -> list[tuple[int, Row]]:
    rows: list[tuple[int, Row]] = []
    wrong: list[tuple[int, str]] = []
    for number, line in enumerate(content.text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            wrong.append((number, f"not JSON ({error})"))
            continue
        if not isinstance(row, dict):
            wrong.append((number, "a JSON object is expected on each line"))
        elif _has_halves(line, row):
            wrong.append((number, _HALF))
        else:
            rows.append((number, _plain(row)))
    refuse(content.path, "lines that are no rows", wrong)
    return rows


def _array(content: Content) -> list[tuple[int, Row]]:
    try:
        items = json.loads(content.text)
    except (ValueError, RecursionError) as error:
        raise ProvidedError(f"{content.path}: not JSON ({error})") from None
    wrong = [(n, "not an object") for n, x in enumerate(items, start=1) if not isinstance(x, dict)]
    if _has_halves(content.text, items):
        raise ProvidedError(f"{content.path}: {_HALF}")
    refuse(content.path, "items of the array (counted from 1) that are no rows", wrong)
    return [(number, _plain(item)) for number, item in enumerate(items, start=1)]


def _has_halves(text: str, value: object) -> bool:
    """Whether JSON holds half a character, which its escapes can write and no file can hold."""
    if "\\u" not in text:
        return False
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _table(content: Content) -> list[tuple[int, Row]]:
    delimiter = _delimiter(content.first[0]) or ","
    # A tab-separated file quotes nothing: a text may begin with a quotation mark.
    reader = csv.reader(
        io.StringIO(content.text),
        delimiter=delimiter,
        quoting=csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL,
    )
    names: list[str] = []
    rows: list[tuple[int, Row]] = []
    wrong: list[tuple[int, str]] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not names:
                names = _names(cells)
            elif len(cells) != len(names):
                wrong.append(
                    (reader.line_num, f"{len(cells)} columns, where the header has {len(names)}")
                )
            else:
                rows.append((reader.line_num, dict(zip(names, cells, strict=True))))
    except csv.Error as error:
        raise ProvidedError(f"{content.path}:{reader.line_num}: {error}") from None
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ProvidedError(f"{content.path}: its header has the column {twice[0]!r} twice")
    refuse(content.path, "rows with other columns than the header", wrong)
    return rows
