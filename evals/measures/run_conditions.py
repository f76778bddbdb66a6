"""What keeps a figure from being held to a limit: the circumstances that it was taken under."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from evals.metrics import metric_of

CONTENDED = "contended"
#: The engine waited for a CPU that others held; evals/measures/speed/cpu_contention.py finds it.
BUSY = "busy"
RESUMED = "resumed"
MIXED = "mixed"
#: Of answers that were made elsewhere: their times are what the file says, if it says any.
PROVIDED = "provided"
#: The same, where thresholds.yaml says that such times may be held to limits.
PROVIDED_HELD = "provided_held"

#: Why answers that were made elsewhere have no time of an engine, nor its memory.
NO_TIMES = "its predictions were made elsewhere, and nothing tells what they took"

#: What is said of a figure that was taken under it.
WHY: Mapping[str, str] = {
    CONTENDED: "others shared the machine (-n, or a cluster); rerun without",
    RESUMED: "the run was interrupted and resumed; for speed and memory run it in one go",
    MIXED: "the shards ran on different machines",
    PROVIDED: "its times came with its predictions, and were not measured here",
}
#: Speed and memory that were taken under one of these are shown and gate nothing.
UNGATED = frozenset(WHY)
#: Those of them that a run's figures share, and not one model's alone.
OF_RUN = UNGATED - {PROVIDED}


def ungated(conditions: Iterable[str]) -> frozenset[str]:
    """Those that keep speed and memory from being held to any limit."""
    return UNGATED & {*conditions}


def kept_from_limits(conditions: Iterable[str]) -> str | None:
    """How a figure was taken that gates nothing, in a few words; None: it may."""
    found = ungated(conditions)
    if not found:
        return None
    if PROVIDED in found:
        return "as provided"
    return "shared machine" if CONTENDED in found else "run in pieces"


def is_unfair(conditions: Iterable[str]) -> bool:
    """Whether a figure may be better than it looks, since the machine was not the model's alone."""
    return bool((UNGATED | {BUSY}) & {*conditions})


def shared_by_run(metric: str, of_run: Iterable[str]) -> tuple[str, ...]:
    """Of a run's conditions those that all its figures of a metric were taken under.

    Memory is the model's own, but a session that shared the machine says so of all its times.
    """
    return tuple(c for c in of_run if metric_of(metric).is_speed and c in UNGATED)


def touched(metric: str, conditions: Iterable[str]) -> tuple[str, ...]:
    """Those of the conditions that make a metric's value another one than a fair run's.

    Of what shared the machine, the times; of a run in pieces, the memory too.
    """
    spec = metric_of(metric)
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
