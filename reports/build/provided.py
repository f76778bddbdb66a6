"""What a session's cases tell of the files that answers were read from."""

from __future__ import annotations

from collections.abc import Iterable

from evals.records.provided import MatchedAnswers, ProvidedAnswers
from evals.tasks.provided import FACT
from reports.scorecard.task_record import Seen


def provided_answers(model: str, seen: Iterable[Seen]) -> ProvidedAnswers:
    """Format of a model's file, and how its answers were found for each task and corpus."""
    kept = [
        (one.case, one.facts[FACT])
        for one in seen
        if one.case.model == model and one.facts is not None and FACT in one.facts
    ]
    matched = [MatchedAnswers(case.task, case.corpus, told["matched_by"]) for case, told in kept]
    return ProvidedAnswers(kept[0][1]["format"] if kept else None, matched)
