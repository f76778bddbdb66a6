"""How many more utterances, or speakers, would decide a verdict that is inconclusive."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from evals.measures.statistics.speaker_ids import FEWEST_SPEAKERS
from evals.records.measurement import TOO_FEW, Evidence, Figure, Limit, Measurement

#: A corpus that is larger than this many times the present one is no advice.
_MOST_TIMES = 1_000.0


@dataclass(frozen=True, slots=True)
class Further:
    """What would decide: utterances or speakers like those at hand; reason: why nothing would."""

    utterances: int | None = None
    speakers: int | None = None
    reason: str | None = None


def further_evidence(figure: Figure, limit: Limit, evidence: Evidence | None = None) -> Further:
    """What more would take the limit out of the figure's interval.

    The interval of a larger corpus of the same utterances is computed, where the figure can
    forecast it; else its ends are taken to come nearer with the square root of the size.
    """
    value = figure.value
    if value is None or (figure.ci is None and TOO_FEW not in figure.conditions):
        return Further()
    if is_the_judges(figure.own, value, limit):
        return Further()  # more of the same sentences are misheard alike
    if value == limit.value:
        return Further(reason="no number of utterances decides: the value is on its limit")
    required = evidence or Evidence()
    have, wanted = figure.speakers, required.speakers
    if have is not None and wanted is not None and have < wanted:
        return Further(speakers=wanted - have)
    more = 0
    if figure.speakers is not None and required.utterances is not None:
        more = max(0, required.utterances - figure.n)
    if figure.ci is None:
        return Further(more or None)

    def decided(utterances: int) -> bool:
        low, high = _forecast(figure, 1 + utterances / figure.n)
        return limit.keeps(low) == limit.keeps(high)

    fewest = _fewest(decided, math.floor(figure.n * (_MOST_TIMES - 1)))
    if fewest is None:
        most = f"even {_MOST_TIMES:,.0f} times as many utterances would not decide"
        return Further(reason=f"{most}: the value is almost on its limit")
    more = max(more, fewest)
    if more and figure.speakers and figure.speakers >= FEWEST_SPEAKERS:
        return Further(more, math.ceil(figure.speakers * more / figure.n))
    return Further(more or None)


def is_the_judges(
    own: tuple[float, float, float] | None, value: float | None, limit: Limit | None
) -> bool:
    """Whether a value is past its limit by a judge's errors alone. own: as in `Figure`."""
    if own is None or value is None or limit is None:
        return False
    return not limit.keeps(value) and limit.keeps(own[0])


def in_words(m: Measurement) -> str | None:
    """What would decide a measurement: "about 60 more utterances (4 speakers)"; None if unknown."""
    return said(m.further_utterances, m.further_speakers)


def said(utterances: int | None, speakers: int | None) -> str | None:
    """So many more utterances and speakers; None for none of either."""
    people = f"{speakers:,} more {'speaker' if speakers == 1 else 'speakers'}" if speakers else ""
    if not utterances:
        return people or None
    things = f"about {utterances:,} more {'utterance' if utterances == 1 else 'utterances'}"
    return f"{things} of {people}" if people else things


def _forecast(figure: Figure, times: float) -> tuple[float, float]:
    value, ci = figure.value or 0.0, figure.ci or (0.0, 0.0)
    found = figure.forecast(times) if figure.forecast is not None else None
    if found is not None:
        return found
    shrunk = 1 / math.sqrt(times)
    return value - (value - ci[0]) * shrunk, value + (ci[1] - value) * shrunk


def _fewest(decided: Callable[[int], bool], most: int) -> int | None:
    """The smallest number up to `most` that decides, if each larger one does; None if none does."""
    if decided(0):
        return 0
    short, enough = 0, 1
    while not decided(enough):
        if enough == most:
            return None
        short, enough = enough, min(2 * enough, most)
    while enough - short > 1:
        middle = (short + enough) // 2
        short, enough = (short, middle) if decided(middle) else (middle, enough)
    return enough
