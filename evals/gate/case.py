"""Which model, task and corpus a test is about, told to the report whatever becomes of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from evals.gate.thresholds import Gate, Thresholds
from evals.measures.run_conditions import PROVIDED
from evals.metrics import METRICS
from evals.records.measurement import ALL, Measurement, Verdict

#: The name under which a test's case travels in its user_properties.
PROPERTY = "model_lab.case"


@dataclass(frozen=True, slots=True)
class Case:
    """One cell of what a session evaluates."""

    model: str
    tier: str
    task: str
    corpus: str

    def as_property(self) -> tuple[str, str]:
        """For user_properties."""
        return PROPERTY, json.dumps(asdict(self))


def from_property(value: str) -> Case:
    """The case that `as_property` wrote."""
    return Case(**json.loads(value))


def missing_measurements(
    case: Case,
    recorded: Iterable[Measurement],
    verdict: Verdict,
    reason: str,
    thresholds: Thresholds,
    gate: Gate,
    *,
    provided: bool = False,
) -> Sequence[Measurement]:
    """A row without a value for each metric that is limited or graded but was not recorded.

    provided: the model's answers were made elsewhere, so that what was skipped can never be
    measured, and is missed without breaking a gate.
    """
    unmeasurable = provided and verdict == "not_measured"
    limits = thresholds.limits(
        model=case.model, tier=case.tier, task=case.task, corpus=case.corpus, gate=gate
    )
    present = {(m.task, m.corpus, m.key) for m in recorded}
    order = list(METRICS)
    needed = set(limits) | thresholds.graded.get(case.task, frozenset())
    return [
        Measurement(
            model=case.model,
            task=case.task,
            corpus=case.corpus,
            metric=metric,
            value=None,
            unit=METRICS[metric].unit,
            n=0,
            verdict=verdict,
            slice=slice_name or ALL,
            gated=key in limits and gate != "off" and not unmeasurable,
            conditions=(PROVIDED,) if unmeasurable else (),
            reason=reason,
        )
        for key in sorted(needed, key=lambda key: (order.index(key.partition("/")[0]), key))
        if (case.task, case.corpus, key) not in present
        for metric, _, slice_name in [key.partition("/")]
    ]


def heading(text: str) -> str:
    """Of a message its first line, with the next one where the first only announces that."""
    lines = [line.strip() for line in text.strip().splitlines()]
    return " ".join(lines[: 2 if lines and lines[0].endswith(":") else 1])
