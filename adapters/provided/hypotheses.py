"""The hypotheses of a recognizer, from whichever of the usual files they are in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from adapters.provided import plain_text
from adapters.provided.plain_text import TimedWord
from adapters.provided.rows import (
    AUDIO_KEYS,
    HYPOTHESIS_KEYS,
    ID_KEYS,
    TEXT_KEYS,
    Content,
    ProvidedError,
    Row,
    first_row,
    format_of_rows,
    key_of,
    named,
    read_content,
    refuse,
    rows_of,
)
from fixtures.safe_text import one_line, shown

#: What the prediction lines of a run have, and no file of another tool.
_OWN_KEYS = frozenset({"reference", "hypothesis", "processing_seconds", "checksum"})


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One answer of a file.

    line: from 1. id, audio: by which its utterance is found; one of them is there. offset: where
    in the sound the utterance begins, in s. error: why there is no text, which is then empty.
    processing_seconds, rtf, audio_seconds: as the file says them, where it does.
    """

    line: int
    text: str
    id: str | None = None
    audio: str | None = None
    offset: float | None = None
    error: str | None = None
    processing_seconds: float | None = None
    rtf: float | None = None
    audio_seconds: float | None = None

    @property
    def called(self) -> str:
        """What it is found by, for a message."""
        return self.id or self.audio or ""


@dataclass(frozen=True, slots=True)
class HypothesisFile:
    """All answers of a file; of a CTM its words, which become answers by the corpus's times."""

    path: Path
    sha256: str
    format: str
    rows: Sequence[Hypothesis] = ()
    words: Sequence[TimedWord] = ()


def read_hypotheses(path: Path) -> HypothesisFile:
    """What the file holds, checked in itself. Raises ProvidedError.

    An id that comes twice with one text is one answer; with two texts it is a mistake.
    """
    try:
        status = path.stat()
    except (OSError, ValueError):
        return _read(path, (0, 0))  # which says what is wrong
    return _read(path, (status.st_size, status.st_mtime_ns))


@lru_cache(maxsize=16)
def _read(path: Path, version: tuple[int, int]) -> HypothesisFile:
    """version: which contents of the file are meant, so that a changed file is read anew."""
    content = read_content(path)
    if format_of_rows(content) is not None:
        own = (first_row(content) or {}).keys() >= _OWN_KEYS
        name = "prediction lines of Model Lab" if own else format_of_rows(content) or ""
        return HypothesisFile(path, content.sha256, name, _without_twins(path, _of_rows(content)))
    for name, is_it, read in _PLAIN:
        if is_it(content.first):
            found = _without_twins(path, [Hypothesis(*row) for row in read(content)])
            return HypothesisFile(path, content.sha256, name, found)
    if plain_text.is_ctm(content.first):
        return HypothesisFile(path, content.sha256, "CTM", words=plain_text.ctm(content))
    plain_text.refuse_other(content)
    found = _without_twins(path, [Hypothesis(*row) for row in plain_text.kaldi(content)])
    return HypothesisFile(path, content.sha256, "Kaldi text", found)


_PLAIN: Sequence[
    tuple[str, Callable[[Sequence[str]], bool], Callable[[Content], list[tuple[int, str, str]]]]
] = (("sclite trn", plain_text.is_trn, plain_text.trn),)


def _of_rows(content: Content) -> list[Hypothesis]:
    rows = [*rows_of(content)]
    key_for = _text_key(content.path, [row for _, row in rows])
    found: list[Hypothesis] = []
    wrong: list[tuple[int, str]] = []
    for line, row in rows:
        try:
            found.append(_hypothesis(line, row, key_for(row)))
        except ValueError as error:
            wrong.append((line, str(error)))
    refuse(content.path, "rows that are no predictions", wrong)
    return found


def _text_key(path: Path, rows: Sequence[Row]) -> Callable[[Row], str | None]:
    """Which key of a row holds its hypothesis: the same kind of key in all rows of a file."""
    if any(key_of(row, HYPOTHESIS_KEYS) for row in rows):
        return _hypothesis_key
    if any("audio_filepath" in row and "text" in row for row in rows):
        raise ProvidedError(
            f"{path}: this is a manifest: its 'text' is the reference, and no row has a "
            f"hypothesis under {_listed(HYPOTHESIS_KEYS[:4])}"
        )
    return lambda row: key_of(row, TEXT_KEYS)


def _hypothesis_key(row: Row) -> str | None:
    """Raises ValueError where two keys hold different hypotheses."""
    keys = [key for key in HYPOTHESIS_KEYS if key in row]
    if len({str(row[key]) for key in keys}) > 1:
        raise ValueError(f"{keys[0]!r} and {keys[1]!r} hold two different hypotheses: keep one")
    return keys[0] if keys else None


def _hypothesis(line: int, row: Row, key: str | None) -> Hypothesis:
    if key is None:
        raise ValueError(
            f"no hypothesis: {_listed(HYPOTHESIS_KEYS[:4])} is expected, and it has "
            f"{', '.join(map(repr, row)) or 'nothing'}"
        )
    name, audio = named(row, ID_KEYS), named(row, AUDIO_KEYS)
    if name is None and audio is None:
        raise ValueError(
            f"neither an id ({_listed(ID_KEYS[:3])}) nor a sound ({_listed(AUDIO_KEYS[:3])})"
        )
    text, error = row[key], row.get("error") or None
    if text is None:
        text, error = "", error or f"{key!r} is null in the file"
    if not isinstance(text, str):
        raise ValueError(f"{key!r} must be text, not {shown(text)}")
    return Hypothesis(
        line=line,
        text="" if error else text,
        id=name,
        audio=audio,
        offset=_number(row, "offset", least=0.0),
        error=one_line(str(error)) if error else None,
        processing_seconds=_number(row, "processing_seconds"),
        rtf=_number(row, "rtf"),
        audio_seconds=_number(row, "audio_seconds"),
    )


def _number(row: Row, key: str, *, least: float | None = None) -> float | None:
    """A key's number, above 0 or from `least` on; None where it has none. Raises ValueError."""
    value: Any = row.get(key)
    if value in (None, ""):
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or (number <= 0 if least is None else number < least):
        raise ValueError(f"{key!r} must be a positive number, not {shown(value)}")
    return number


def _without_twins(path: Path, rows: Iterable[Hypothesis]) -> list[Hypothesis]:
    """One row for each utterance. Raises ProvidedError where two have different texts."""
    first: dict[tuple[str, float | None], Hypothesis] = {}
    wrong: list[tuple[int, str]] = []
    for row in rows:
        place = (row.called, row.offset if row.id is None else None)
        known = first.setdefault(place, row)
        if known is not row and known.text != row.text:
            said = f"{shown(row.called)} has another text than in line {known.line}"
            wrong.append((row.line, f"{said}: {shown(known.text)} there, {shown(row.text)} here"))
    refuse(path, "utterances with two different hypotheses", wrong)
    return [*first.values()]


def _listed(keys: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(map(repr, keys[:-1])), repr(keys[-1]))))


__all__ = ["Hypothesis", "HypothesisFile", "ProvidedError", "read_hypotheses"]
