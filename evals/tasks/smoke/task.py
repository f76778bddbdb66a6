"""First contact: what it reports, and its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evals.metrics import MACHINE
from evals.records.metric import Metric
from evals.task import Task

if TYPE_CHECKING:
    from evals.gate.evaluation import Evaluation
    from evals.run.case_store import Stored


def score(evaluation: Evaluation, stored: Stored) -> None:
    """Nothing here can be made from lines: the figures are as they were taken.

    A voice that speaks otherwise each time is told of as a note.
    """
    from evals.gate.evaluation import NOTE

    figures = stored.figures()
    evaluation.record(figures)
    again = figures.get("same_twice")
    if again is not None and again.value == 0:
        evaluation.attach(NOTE, [f"{evaluation.case.model}: {again.reason}"])


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

#: A voice speaks a sentence, twice.
VOICE = Task(
    name="smoke_tts",
    title="First contact with voices",
    meaning="speaks a sentence, the same twice; `-m smoke` runs it too",
    corpus="clip",
    protocol="tts",
    own_metrics=(
        "success_rate",
        Metric("same_twice", "ratio", "min", "1 where a sentence is the same sound twice, else 0"),
        *MACHINE,
    ),
    score=score,
    shown_with="tts",
    selected_with="smoke",
    where_named=True,
    columns=(),
)
#: An assistant answers a turn.
ASSISTANT = Task(
    name="smoke_chat",
    title="First contact with assistants",
    meaning="answers a spoken turn; `-m smoke` runs it too",
    corpus="clip",
    protocol="chat",
    own_metrics=("success_rate", *MACHINE),
    score=score,
    shown_with="chat",
    selected_with="smoke",
    where_named=True,
    columns=(),
)
