"""Files of hypotheses that are lines of words: Kaldi's `text`, sclite's trn, CTM."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from adapters.provided.rows import Content, ProvidedError, refuse

_TRN = re.compile(r"(?P<words>.*?)\s*\((?P<id>[^()\s]+)\)\s*")
_COMMENT = ";;"
#: recording, channel, start, duration, word, and perhaps a confidence and more.
_CTM_FIELDS = range(5, 9)


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word of a CTM. channel: as written, "1" or "A". start, end: in s of the recording."""

    line: int
    recording: str
    channel: str
    start: float
    end: float
    text: str


def is_trn(first: Sequence[str]) -> bool:
    """Whether every line ends in an id in round brackets."""
    return all(_TRN.fullmatch(line) for line in first)


def trn(content: Content) -> list[tuple[int, str, str]]:
    """Line, words and id of each utterance: `words (id)`."""
    found: list[tuple[int, str, str]] = []
    wrong: list[tuple[int, str]] = []
    for number, line in enumerate(content.text.split("\n"), start=1):
        if not line.strip() or line.startswith(_COMMENT):
            continue
        row = _TRN.fullmatch(line)
        if row is None:
            wrong.append((number, "'words (utterance-id)' is expected"))
        else:
            found.append((number, row["words"].strip(), row["id"]))
    refuse(content.path, "lines of a trn file that are none", wrong)
    return found


def kaldi(content: Content) -> list[tuple[int, str, str]]:
    """Line, words and id of each utterance: `id words`."""
    found = []
    for number, line in enumerate(content.text.split("\n"), start=1):
        if line.strip():
            name, _, words = line.strip().replace("\t", " ").partition(" ")
            found.append((number, words.strip(), name))
    return found


def refuse_other(content: Content) -> None:
    """Raise ProvidedError for a file that looks like something else than `id words`."""
    first = content.first[0].lstrip()
    if first.startswith("<"):
        raise ProvidedError(f"{content.path}: it looks like HTML or XML, not like predictions")
    if first.startswith("version https://git-lfs"):
        raise ProvidedError(f"{content.path}: a Git LFS pointer, not the file: git lfs pull")


def is_ctm(first: Sequence[str]) -> bool:
    """Whether every line is a word with its recording, channel and times."""
    lines = [line for line in first if not line.startswith(_COMMENT)]
    return bool(lines) and all(_is_word(line.split()) for line in lines)


def ctm(content: Content) -> list[TimedWord]:
    """The words of a CTM, in its order."""
    found: list[TimedWord] = []
    wrong: list[tuple[int, str]] = []
    for number, line in enumerate(content.text.split("\n"), start=1):
        if not line.strip() or line.startswith(_COMMENT):
            continue
        cells = line.split()
        if not _is_word(cells):
            wrong.append((number, "'recording channel start duration word' is expected"))
        elif cells[4].upper().startswith("<ALT"):
            wrong.append((number, "alternatives of a word are not read: keep one of them"))
        else:
            start, length = float(cells[2]), float(cells[3])
            found.append(TimedWord(number, cells[0], cells[1], start, start + length, cells[4]))
    refuse(content.path, "lines of a CTM that are none", wrong)
    return found


def _is_word(cells: Sequence[str]) -> bool:
    if len(cells) not in _CTM_FIELDS or not re.fullmatch(r"\w{1,3}", cells[1]):
        return False
    return (
        all(re.fullmatch(r"\d+(\.\d*)?|\.\d+|\*", cell) for cell in cells[2:4])
        and "*" not in (cells[2:4])
    )
