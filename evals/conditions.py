"""What keeps a figure from being held to a limit: the circumstances that it was taken under."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from evals.metrics import METRICS

CONTENDED = "contended"
RESUMED = "resumed"
MIXED = "mixed"

#: What is said of a figure that was taken under it.
WHY: Mapping[str, str] = {
    CONTENDED: "others shared the machine (-n, or a cluster); rerun without",
    RESUMED: "the run was interrupted and gone on with; for speed and memory run it in one go",
    MIXED: "the shards ran on different machines",
}
#: Speed and memory that were taken under one of these are shown and gate nothing.
UNGATED = frozenset(WHY)


def touched(metric: str, conditions: Iterable[str]) -> tuple[str, ...]:
    """Those of the conditions that make a metric's value another one than a fair run's.

    Of what shared the machine, the times; of a run in pieces, the memory too.
    """
    spec = METRICS[metric]
    return tuple(
        condition
        for condition in conditions
        if spec.is_speed or (spec.is_memory and condition != CONTENDED)
    )


def conditions_of(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Those that a case's facts were kept under; runs of before they had names say "contended"."""
    if "unfair" in facts:
        return tuple(str(condition) for condition in facts["unfair"])
    return (CONTENDED,) if facts.get("contended") else ()
