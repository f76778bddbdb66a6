"""Latency of a fixed clip: what it reports, and its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evals.metrics import LATENCIES
from evals.task import SUMMARY, Column, Task

if TYPE_CHECKING:
    from evals.gate.evaluation import Evaluation
    from evals.run.case_store import Stored


def score(evaluation: Evaluation, stored: Stored) -> None:
    """From the rounds' times to percentiles."""
    from evals.tasks.asr.scores import latency

    if reason := stored.facts.get("not_measured"):
        # Under xdist speed never gates; turned off by hand, a limited figure that is missing fails.
        gated = not evaluation.conditions
        evaluation.record_missing(LATENCIES, "not_measured", reason, gated=gated)
    else:
        evaluation.record(latency(stored.facts["seconds"], stored.facts["waited_seconds"]))


TASK = Task(
    name="latency",
    title="Latency of a 5 s clip",
    meaning="how long one fixed clip takes",
    corpus="clip",
    protocol="asr",
    own_metrics=LATENCIES,
    score=score,
    graded_with="asr",
    shown_with="asr",
    columns=(Column("latency_p50", on=SUMMARY), Column("latency_p95", on=SUMMARY)),
)
