"""Disturbed speech: what it reports, and its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evals.records.predictions import Prediction
from evals.task import TERMINAL, Column, Task
from fixtures.builtin.conditions import CONDITIONS

if TYPE_CHECKING:
    from evals.gate.evaluation import Evaluation
    from evals.run.case_store import Stored


def score(evaluation: Evaluation, stored: Stored) -> None:
    """From the predictions under each condition to drifts."""
    from evals.tasks.asr.dominant import name_dominant
    from evals.tasks.asr.scores import accuracy
    from evals.tasks.robustness.scores import CLEAN, drifts

    unavailable = stored.facts["unavailable"]
    for condition, reason in unavailable.items():
        evaluation.record_missing(
            ["wer_drift"], "not_measured", reason, gated=True, slice_name=condition
        )
    clean = stored.read(Prediction, CLEAN)
    perturbed = {
        condition: stored.read(Prediction, condition)
        for condition in stored.facts["conditions"]
        if condition not in unavailable
    }
    base = accuracy(clean, stored.normalizer)["wer"]
    evaluation.record({"wer": base}, normalizer=stored.normalizer, slice_name=CLEAN)
    found = drifts(
        clean,
        perturbed,
        stored.normalizer,
        look=lambda condition, scored: name_dominant(evaluation, scored, condition),
    )
    for condition, figures in found.items():
        evaluation.record(figures, normalizer=stored.normalizer, slice_name=condition)


TASK = Task(
    name="robustness",
    title="Robustness",
    meaning="the same speech in noise, rooms and codecs",
    corpus="speech",
    protocol="asr",
    lines=Prediction,
    own_metrics=("wer", "wer_drift"),
    score=score,
    counts_for="asr",
    columns=(Column("wer", on=TERMINAL), Column("wer_drift", on=TERMINAL, digits=1)),
    parts=tuple(CONDITIONS),
    where_named=True,
    compared=("wer",),
    not_listed="What was misheard under the robustness task's conditions is not listed here.",
)
