"""The same utterances in two runs: read, checked and put side by side by their ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from evals.gate.paired_change import NotComparable
from evals.records.predictions import Prediction, read_lines
from evals.records.replied import Replied
from evals.records.spoken import Spoken
from fixtures.safe_text import one_line

Line = TypeVar("Line", Prediction, Spoken, Replied)

_SHOWN_IDS = 5


class BrokenRun(NotComparable):
    """A file of a run is missing or cannot be read; the message names it."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


@dataclass(frozen=True)
class Paired(Generic[Line]):
    """Lines of the same utterances, in the order of their ids, however they were written."""

    before: list[Line]
    after: list[Line]
    only_before: list[str]
    only_after: list[str]


#: Keys of lines that texts are compared by, and that must be text.
_TEXTS = {
    Prediction: ("id", "reference", "hypothesis"),
    Spoken: ("id", "text"),
    Replied: ("id", "dialogue", "user", "answer"),
}
_OPTIONAL = ("error", "speaker", "understood")


def read(path: Path, kind: type[Line]) -> list[Line]:
    """The lines of a file. Raises BrokenRun naming it, and the line that is none."""
    try:
        lines = list(read_lines(path, kind))
        for line in lines:
            _check(line, path)
        return lines
    except UnicodeDecodeError:
        raise BrokenRun(f"{path}: not UTF-8 text") from None
    except OSError as error:
        raise BrokenRun(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise BrokenRun(str(error)) from None


def _check(line: Prediction | Spoken | Replied, path: Path) -> None:
    """Raise ValueError for a line whose values are not of the kinds that it should hold."""
    wrong = [key for key in _TEXTS[type(line)] if not isinstance(getattr(line, key), str)]
    wrong += [k for k in _OPTIONAL if not isinstance(getattr(line, k, None), str | None)]
    for key in ("heard", "unheard"):
        texts = getattr(line, key, {})
        if not isinstance(texts, dict) or not all(isinstance(t, str) for t in texts.values()):
            wrong.append(key)
    if not isinstance(getattr(line, "typed", False), bool):
        wrong.append("typed")
    if wrong:
        raise ValueError(f"{path}: {line.id!r}: not text where it should be: {', '.join(wrong)}")


def pair(
    before: Sequence[Line],
    after: Sequence[Line],
    said: Callable[[Line], str],
    identity: Callable[[Line], str],
    files: tuple[str, str],
) -> Paired[Line]:
    """Lines of the same utterances. Raises NotComparable where an id is not one utterance."""
    sides = []
    for lines, file in ((before, files[0]), (after, files[1])):
        counted = Counter(map(identity, lines))
        if twice := [i for i, count in counted.items() if count > 1]:
            raise BrokenRun(f"{file} holds more than once: {named(twice)}")
        sides.append({identity(line): line for line in lines})
    old, new = sides
    both = sorted(old.keys() & new.keys())
    if other := [i for i in both if said(old[i]) != said(new[i])]:
        raise NotComparable(f"other references in {files[0]} than in {files[1]}: {named(other)}")
    return Paired(
        [old[i] for i in both],
        [new[i] for i in both],
        sorted(old.keys() - new.keys()),
        sorted(new.keys() - old.keys()),
    )


def named(ids: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(ids) - _SHOWN_IDS} more" if len(ids) > _SHOWN_IDS else ""
    return ", ".join(list(ids)[:_SHOWN_IDS]) + more
