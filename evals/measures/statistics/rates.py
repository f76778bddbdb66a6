"""A ratio of sums over a corpus as a figure: value, interval, and what more of it would show."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

import numpy as np

from evals.measures.statistics.intervals import (
    Floats,
    Interval,
    proportion_interval,
    ratio_sample,
)
from evals.measures.statistics.paired_interval import FEWEST_UTTERANCES
from evals.measures.statistics.speaker_ids import FEWEST_SPEAKERS
from evals.records.measurement import FEW_SPEAKERS, TOO_FEW, Figure

_SINGLE = "a single utterance says nothing of others"


def rate(
    numerators: Floats,
    denominators: Floats,
    clusters: Sequence[Hashable] | None = None,
    *,
    otherwise: str,
    proportion: bool = True,
    together: float = 1.0,
    fewest_clusters: int = FEWEST_SPEAKERS,
) -> Figure:
    """sum(numerators) / sum(denominators) with its interval.

    numerators, denominators, clusters: shape (n,), see `ratio_sample`.
    otherwise: the reason where the denominators sum to 0. A single utterance has no interval. A
    proportion of fewer than FEWEST_UTTERANCES decides nothing.
    """
    numerators, denominators = np.asarray(numerators, float), np.asarray(denominators, float)
    n = len(numerators)
    sample = ratio_sample(
        numerators,
        denominators,
        clusters,
        proportion=proportion,
        together=together,
        fewest_clusters=fewest_clusters,
    )
    if sample is None:
        return Figure(None, n, reason=otherwise)

    def forecast(times: float) -> Interval | None:
        return sample.repeated(times).interval()

    interval = sample.interval()
    if interval is None:
        return Figure(sample.estimate, n, reason=_SINGLE, conditions=(TOO_FEW,))
    figure = Figure(sample.estimate, n, interval, forecast=forecast)
    if proportion and n < FEWEST_UTTERANCES:
        return replace(
            figure, reason=f"{n} utterances say nothing of others", conditions=(TOO_FEW,)
        )
    return figure


def share(successes: int, n: int, reason: str | None = None) -> Figure:
    """successes / n with Wilson's interval: whether each of n gave an answer, say.

    reason: what else there is to say of it. No value for n = 0.
    """
    if not n:
        return Figure(None, 0, reason=reason)

    def forecast(times: float) -> Interval | None:
        return proportion_interval(successes * times, n * times)

    return Figure(successes / n, n, proportion_interval(successes, n), reason, forecast=forecast)


def of_speakers(figure: Figure, speakers: Sequence[Hashable] | None) -> Figure:
    """The figure, with how many people it is of; marked where these are too few.

    speakers: shape (n,), whose voice each utterance is; None where that is not known of all.
    """
    count = len(set(speakers)) if speakers is not None else 0
    figure = replace(figure, speakers=count)
    if figure.value is None or not 0 < count < FEWEST_SPEAKERS or figure.ci is None:
        return figure
    one = count == 1
    people = "1 speaker tells" if one else f"{count} speakers tell"
    whose = "this person's" if one else "these people's"
    return replace(
        figure,
        reason=f"{people} nothing of others: the interval is of {whose} utterances",
        conditions=(*figure.conditions, FEW_SPEAKERS),
    )


def difference(
    value: float, n: int, interval: Interval | None, *, reason: str | None = None
) -> Figure:
    """A paired difference over n utterances; one without an interval decides nothing.

    reason: what else there is to say of it.
    """
    if interval is None:
        return Figure(value, n, reason=reason or _SINGLE, conditions=(TOO_FEW,))
    return Figure(value, n, interval, reason=reason)
