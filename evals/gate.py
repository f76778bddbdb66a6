"""From a figure and its limits to a verdict, and from that to whether the session fails."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from evals.conditions import BUSY, ungated
from evals.measurement import MISSING, Figure, Limit, Measurement, Verdict

if TYPE_CHECKING:
    from evals.thresholds import Gate, Thresholds

#: What a reader has to look at, the worst first.
Concern: TypeAlias = Literal["broken", "missing", "undecided"]


def decide(figure: Figure, limits: Sequence[Limit]) -> tuple[Verdict, Limit | None]:
    """The verdict, and the limit that decided it (the strictest of several).

    "pass" when the limit holds for the whole interval, "fail" when it is broken
    for the whole interval, "inconclusive" in between, "no_limit" where there is none;
    a figure without an interval is its own interval. A figure that does not exist is
    "not_measured", and one from a busy machine, where all looks slower than it is,
    cannot break a limit.
    """
    limit = _strictest(limits)
    if figure.value is None:
        return "not_measured", limit
    if limit is None:
        return "no_limit", None
    low, high = figure.ci or (figure.value, figure.value)
    best, worst = (low, high) if limit.bound == "max" else (high, low)
    if limit.keeps(worst):
        return "pass", limit
    if not limit.keeps(best):
        return ("inconclusive" if BUSY in figure.conditions else "fail"), limit
    return "inconclusive", limit


def further_utterances(figure: Figure, limit: Limit) -> int | None:
    """About how many more utterances like these would put the limit outside the interval.

    An interval shrinks with the square root of the corpus, so n grows by the square of
    its half towards the limit over the distance that is left. None where the limit is
    outside already, where there is no interval, or where the value is the limit itself.
    """
    if figure.value is None or figure.ci is None:
        return None
    distance = abs(limit.value - figure.value)
    towards = figure.ci[1] if figure.value < limit.value else figure.ci[0]
    half = abs(towards - figure.value)
    if distance == 0 or half <= distance:
        return None
    return math.ceil(figure.n * ((half / distance) ** 2 - 1))


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
