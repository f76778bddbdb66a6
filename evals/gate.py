"""From a figure and its limits to a verdict."""

from __future__ import annotations

from collections.abc import Sequence

from evals.measurement import Figure, Limit, Verdict


def decide(figure: Figure, limits: Sequence[Limit]) -> tuple[Verdict, Limit | None]:
    """The verdict, and the limit that decided it (the strictest of several).

    "pass" when the limit holds for the whole interval, "fail" when it is broken
    for the whole interval, "inconclusive" in between; a figure without an
    interval is its own interval. A figure that does not exist is "not_measured".
    """
    limit = _strictest(limits)
    if figure.value is None:
        return "not_measured", limit
    if limit is None:
        return "pass", None
    low, high = figure.ci or (figure.value, figure.value)
    best, worst = (low, high) if limit.bound == "max" else (high, low)
    if limit.keeps(worst):
        return "pass", limit
    if not limit.keeps(best):
        return "fail", limit
    return "inconclusive", limit


def _strictest(limits: Sequence[Limit]) -> Limit | None:
    if not limits:
        return None
    if limits[0].bound == "max":
        return min(limits, key=lambda limit: limit.value)
    return max(limits, key=lambda limit: limit.value)
