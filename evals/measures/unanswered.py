"""Why utterances have no answer, said beside the share of those that have one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from fixtures.safe_text import one_line


class Line(Protocol):
    """A line of a recognizer, a voice or an assistant."""

    @property
    def id(self) -> str: ...
    @property
    def error(self) -> str | None: ...


def why_unanswered(lines: Iterable[Line], missing: int, n: int) -> str | None:
    """How many of n lines have no answer, and the error of the first; None where all have one.

    lines: are read up to the first without an answer, and not at all where none is missing.
    """
    if not missing:
        return None
    first = next((line for line in lines if line.error is not None), None)
    if first is None:
        return None
    return one_line(f"{missing:,} of {n:,} not answered; the first, {first.id}: {first.error}")
