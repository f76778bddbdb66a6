"""First contact: what it reports, and its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evals.metrics import MACHINE
from evals.task import Task

if TYPE_CHECKING:
    from evals.gate.evaluation import Evaluation
    from evals.run.case_store import Stored


def score(evaluation: Evaluation, stored: Stored) -> None:
    """Nothing here can be made from lines: the figures are as they were taken."""
    evaluation.record(stored.figures())


TASK = Task(
    name="smoke",
    title="First contact",
    meaning="loads, answers, and answers the same twice",
    corpus="clip",
    protocol="asr",
    own_metrics=("success_rate", *MACHINE),
    score=score,
    shown_with="asr",
    counts_for="asr",
    columns=(),
)
