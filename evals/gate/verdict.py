"""From a figure and its limits to a verdict, and from that to whether the session fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from evals.measures.run_conditions import BUSY, ungated
from evals.records.measurement import (
    MISSING,
    TOO_FEW,
    Evidence,
    Figure,
    Limit,
    Measurement,
    Verdict,
)

if TYPE_CHECKING:
    from evals.gate.thresholds import Gate, Thresholds

#: What a reader has to look at, the worst first.
Concern: TypeAlias = Literal["broken", "missing", "undecided"]


def decide(
    figure: Figure, limits: Sequence[Limit], evidence: Evidence | None = None
) -> tuple[Verdict, Limit | None]:
    """The verdict, and the limit that decided it (the strictest of several).

    "pass" when the limit holds for the whole interval, "fail" when it is broken
    for the whole interval, "inconclusive" in between, "no_limit" where there is none;
    a figure without an interval is its own interval. A figure that does not exist is
    "not_measured", one of too little is "inconclusive", and one from a busy machine, where all
    looks slower than it is, cannot break a limit. One with less than the evidence that is
    required cannot keep a limit. Where a judge's errors are in it, its own part alone can break it.
    """
    limit = _strictest(limits)
    if figure.value is None:
        return "not_measured", limit
    if limit is None:
        return "no_limit", None
    if TOO_FEW in figure.conditions:
        return "inconclusive", limit
    low, high = figure.ci or (figure.value, figure.value)
    best, worst = (low, high) if limit.bound == "max" else (high, low)
    if figure.own is not None:
        best = figure.own[1] if limit.bound == "max" else figure.own[2]
    if limit.keeps(worst):
        lacks = evidence is not None and evidence.missing_from(figure)
        return ("inconclusive" if lacks else "pass"), limit
    if not limit.keeps(best):
        return ("inconclusive" if BUSY in figure.conditions else "fail"), limit
    return "inconclusive", limit


def _strictest(limits: Sequence[Limit]) -> Limit | None:
    if not limits:
        return None
    if limits[0].bound == "max":
        return min(limits, key=lambda limit: limit.value)
    return max(limits, key=lambda limit: limit.value)


def breaks(verdict: Verdict | None, *, inconclusive_fails: bool) -> bool:
    """Whether a verdict on a limit that counts is no pass. None: there is no limit."""
    if verdict == "inconclusive":
        return inconclusive_fails
    return verdict == "fail" or verdict in MISSING


def breaks_gate(m: Measurement, thresholds: Thresholds, tier: str, gate: Gate) -> bool:
    """Whether a measurement of a model of this tier fails its session; nothing else says so.

    A figure that is missing breaks the gate like a broken limit. What "inconclusive" does is the
    tier's to say, of changes since the baseline the baseline's.
    """
    if not m.gated or gate == "off":
        return False
    if m.metric in thresholds.margins(m.task):
        fails = thresholds.baseline.inconclusive == "fail"
    else:
        fails = thresholds.inconclusive_fails(tier, gate)
    return breaks(m.verdict, inconclusive_fails=fails)


def concern(m: Measurement, *, needed: bool = False) -> Concern | None:
    """What a reader has to look at, whether or not it fails the session; None: nothing.

    needed: it is graded, so that it is missed where it is not gated too. What the conditions of
    the run keep from being held to its limit is undecided for a reason that is told once.
    """
    if m.verdict == "fail":
        return "broken"
    if m.verdict in MISSING:
        return "missing" if m.gated or needed else None
    return "undecided" if m.verdict == "inconclusive" and not ungated(m.conditions) else None
