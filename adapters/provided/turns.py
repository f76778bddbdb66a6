"""The answers of an assistant that exist already: a transcript of turns for each dialogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.provided.kind import DIALOGUE_KEYS, REPLIES_KEYS
from adapters.provided.rows import (
    AUDIO_KEYS,
    ProvidedError,
    Row,
    format_of_rows,
    key_of,
    named,
    read_content,
    refuse,
    rows_of,
)
from fixtures.safe_text import shown

_ANSWER_KEYS = ("answer", "reply", "response", "assistant", "text")
_NUMBER_KEYS = ("turn", "turn_number", "turn_id")
#: The folders above the lines of a run, <run>/<model>/chat/<corpus>.jsonl, from which they name
#: sounds.
_ABOVE = 3


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """The answer to one turn of the user. turn: from 1. typed: the user had written, not spoken.

    audio: the sound of it. error: why there is none, where the file says that.
    """

    line: int
    dialogue: str
    turn: int
    text: str
    typed: bool = False
    audio: Path | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """All answers of a file."""

    path: Path
    sha256: str
    format: str
    answers: Sequence[GivenAnswer]


def read_transcript(path: Path) -> Transcript:
    """The answers of a file, in rows of a turn or of a dialogue. Raises ProvidedError."""
    content = read_content(path)
    kind = format_of_rows(content)
    if kind is None:
        raise ProvidedError(f"{path}: rows with a dialogue, a turn and an answer are expected")
    found: list[GivenAnswer] = []
    wrong: list[tuple[int, str]] = []
    for line, row in rows_of(content):
        try:
            found += _answers(line, row, path.parent)
        except ValueError as error:
            wrong.append((line, str(error)))
    refuse(path, "rows that are no answers", wrong)
    return Transcript(path, content.sha256, kind, _once(path, found))


def _answers(line: int, row: Row, folder: Path) -> Iterator[GivenAnswer]:
    """Those of a row. Raises ValueError."""
    dialogue = named(row, (*DIALOGUE_KEYS, "id"))
    if dialogue is None:
        raise ValueError(f"no dialogue: one of {', '.join(map(repr, DIALOGUE_KEYS))} is expected")
    typed = row.get("typed") in (True, "true", "True")
    if (key := key_of(row, REPLIES_KEYS)) is None:
        yield _answer(line, dialogue, _number(row), row, folder, typed)
        return
    every = row[key]
    if not isinstance(every, list):
        raise ValueError(f"{key!r} must be a list of answers, not {shown(every)}")
    # A list with roles has the user's turns too.
    roles = any(isinstance(one, Mapping) and "role" in one for one in every)
    kept = [one for one in every if not roles or _role(one) == "assistant"]
    for number, one in enumerate(kept, start=1):
        cells = one if isinstance(one, Mapping) else {"text": one}
        yield _answer(line, dialogue, number, cells, folder, typed)


def _role(one: Any) -> object:
    return one.get("role") if isinstance(one, Mapping) else None


def _answer(
    line: int, dialogue: str, number: int, row: Row, folder: Path, typed: bool
) -> GivenAnswer:
    key = key_of(row, (*_ANSWER_KEYS, "content"))
    error = row.get("error") or None
    if key is None and error is None:
        raise ValueError(f"no answer: one of {', '.join(map(repr, _ANSWER_KEYS))} is expected")
    text = row[key] if key is not None else ""
    if text is None:
        text, error = "", error or f"{key!r} is null in the file"
    if not isinstance(text, str):
        raise ValueError(f"{key!r} must be text, not {shown(text)}")
    sound = named(row, AUDIO_KEYS)
    audio = None
    if sound is not None:
        places = [folder, *list(folder.parents)[: _ABOVE - 1]]
        audio = next((place / sound for place in places if (place / sound).is_file()), None)
        if audio is None:
            raise ValueError(f"no such sound: {folder / sound}")
    return GivenAnswer(line, dialogue, number, text, typed, audio, str(error) if error else None)


def _number(row: Row) -> int:
    value = row.get(key_of(row, _NUMBER_KEYS) or "")
    try:
        number = int(str(value))
    except ValueError:
        number = 0
    if number < 1 or isinstance(value, bool):
        raise ValueError(f"'turn' must be the number of a user's turn, from 1, not {shown(value)}")
    return number


def _once(path: Path, answers: Sequence[GivenAnswer]) -> Sequence[GivenAnswer]:
    """One answer for each turn. Raises ProvidedError where two have different texts."""
    first: dict[tuple[str, int, bool], GivenAnswer] = {}
    wrong: list[tuple[int, str]] = []
    for answer in answers:
        known = first.setdefault((answer.dialogue, answer.turn, answer.typed), answer)
        if known is not answer and known.text != answer.text:
            what = f"turn {answer.turn} of {shown(answer.dialogue)}"
            wrong.append((answer.line, f"{what} has another answer than in line {known.line}"))
    refuse(path, "turns with two different answers", wrong)
    return [*first.values()]
