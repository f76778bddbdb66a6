"""What all tasks say of answers that were made elsewhere."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from evals.gate.evaluation import NOTE, Evaluation
from evals.measures.run_conditions import NO_TIMES
from evals.records.measurement import Figure
from evals.run.case_store import Stored
from fixtures.safe_text import shown

#: The fact of a case that its answers were provided.
FACT = "provided"
_SHOWN = 3


class _Line(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def error(self) -> str | None: ...


def missing(noun: str) -> str:
    """The error of a line that the file has nothing for."""
    return f"no {noun} was provided"


def unobserved() -> Mapping[str, Figure]:
    """That nothing was: a file knows no model's start and memory."""
    nothing = Figure(None, 0, reason=NO_TIMES)
    return {"load_time": nothing, "first_inference": nothing, "peak_memory": nothing}


def note_missing(
    evaluation: Evaluation, stored: Stored, lines: Iterable[_Line], noun: str, means: str
) -> None:
    """Say how many lines the file has nothing for, and which are the first.

    noun: of what they lack. means: what becomes of them.
    """
    provided = stored.facts.get(FACT)
    if not isinstance(provided, Mapping):
        return
    every, absent = 0, list[str]()
    for line in lines:  # which may be read from the disk, and need not all be held
        every += 1
        if line.error == missing(noun):
            absent.append(line.id)
    case = evaluation.case
    told = []
    if absent:
        more = ", ..." if len(absent) > _SHOWN else ""
        told.append(
            f"{case.model}: {provided['file']} has no {noun} for {len(absent):,} of "
            f"{every:,} rows of {case.corpus} ({', '.join(absent[:_SHOWN])}{more}): {means}"
        )
    if outside := provided.get("words_outside"):
        told.append(
            f"{case.model}: {outside:,} words of {provided['file']} lie in no utterance of "
            f"{case.corpus}, and count nowhere"
        )
    if told:
        evaluation.attach(NOTE, told)


def near(name: str, known: Sequence[str]) -> str:
    """A name as an error tells it, with those that are nearest to it."""
    close = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    hint = f"; the nearest: {' and '.join(map(shown, close))}" if close else ""
    return f"{shown(name)}{hint}"
