"""95 % intervals of ratios of sums, such as word errors / words.

What varies from corpus to corpus are units: speakers where enough are known, since one
person's utterances are not independent, else utterances. The interval reweighs the units:
R = sum(g * numerator) / sum(g * denominator), with gamma-distributed weights g (the Bayesian
bootstrap, Rubin 1981). The upper end is the 97.5 % quantile of R with one more unit that is as
bad as the worst, the lower end the 2.5 % quantile with one more that is as good as the best. For
units that are right or wrong these are the ends of Clopper and Pearson (1934); for others they
are the bound of Gaffke (2005), with the worst unit seen in place of the worst possible one.

Three properties follow from the form, whatever the data. More errors move each end up or leave
it, since R rises with each numerator. The ends lie within what units can be. Units that are all
alike leave a width, since a rate of words is never surer than independent words would be.

Quantiles are computed, not drawn (`gamma_sums.py`), so neither order nor a seed changes them.
How often the intervals hold the truth is measured by tests/benchmarks/interval_coverage.py;
docs/statistics.md has the figures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from evals.measures.statistics.gamma_sums import chance_positive
from evals.measures.statistics.speaker_ids import FEWEST_SPEAKERS
from evals.measures.statistics.student_t import student_quantile

CONFIDENCE = 0.95
#: The part of an utterance's other words that is wrong where one is, as far as none was seen.
_WITHIN_UTTERANCE = 0.4
#: The shape of a unit's weight where there are so few that Student's t leaves them none.
_LEAST_SHAPE = 0.2
#: The worst of n units is not the worst there is: by this part / n more is taken for that.
#: Chosen for units whose rates are gamma-distributed, 5 to 30 of them.
_BEYOND = 1.0
#: More degrees of freedom than these are as good as the normal distribution.
_MOST_DEGREES = 1_000
_STEPS = 100
_ACCURACY = 1e-8
#: More kinds of units than this are put together with those of nearly the same rate.
_MOST_KINDS = 1_000
_NORMAL = NormalDist()

Floats = NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Unit:
    """One unit more than there are: its part of the numerators and of the denominators."""

    top: float
    bottom: float


@dataclass(frozen=True)
class RatioSample:
    """What an interval of sum(numerators) / sum(denominators) is made of.

    top, bottom, count: shape (kinds,), the two sums of a unit of each kind, and how many units are
    of that kind. capped: top with the rate of a single unit far above all others taken down.
    units: how many there are; no whole number in a forecast. effective: as many units of equal
    size say as much. worst, best: what the ends add.
    cases: the part of the numerators' sum that words can be wrong in, once each; None for a
    ratio that counts no cases. together: cases that are wrong or right together, such as the
    characters of a word; only so many fewer are taken for independent.
    """

    top: Floats
    capped: Floats
    bottom: Floats
    count: Floats
    units: float
    effective: float
    worst: Unit
    best: Unit
    cases: float | None
    together: float = 1.0

    @cached_property
    def total(self) -> float:
        """The sum of the denominators."""
        return float(self.count @ self.bottom)

    @cached_property
    def estimate(self) -> float:
        """sum(numerators) / sum(denominators)."""
        return float(self.count @ self.top) / self.total

    def repeated(self, times: float) -> RatioSample:
        """The sample of a corpus that has these utterances `times` times.

        What was a single unit far above all others is none where it is there twice.
        """
        cases = None if self.cases is None else self.cases * times
        return replace(
            self,
            capped=self.capped if times < 2 else self.top,
            count=self.count * times,
            units=self.units * times,
            effective=self.effective * times,
            cases=cases,
        )

    def interval(self, confidence: float = CONFIDENCE) -> Interval | None:
        """Both ends; None for fewer than two units."""
        if self.units < 2:
            return None
        tail = (1 - confidence) / 2
        by_units, by_words = self._ends_of_units(tail), self._ends_of_words(tail)
        return min(by_units[0], by_words[0]), max(by_units[1], by_words[1])

    def chance_below(self, limit: float) -> float:
        """The one-sided p-value of this estimate where the truth is the limit.

        The tail at which the lower end is the limit, so that it and the interval agree.
        """
        if self.units < 2 or self.estimate <= limit:
            return 1.0
        of_words = 0.0 if self.cases is None else 1 - self._chance_of_words(limit, 0, 1)
        low, high = 1e-15, 0.5
        for _ in range(50):
            middle = (low * high) ** 0.5
            of_units = 1 - self._chance_of_units(self.capped, self.best, limit, middle)
            low, high = (middle, high) if max(of_units, of_words) > middle else (low, middle)
        return high

    def _ends_of_units(self, tail: float) -> Interval:
        """The ends that the units' weights give."""
        low = _lowest(self.capped, self.bottom, self.best)
        if low < self.estimate:
            low = _quantile(
                lambda rate: self._chance_of_units(self.capped, self.best, rate, tail),
                low,
                self.estimate,
                1 - tail,
            )
        high = _quantile(
            lambda rate: self._chance_of_units(self.top, self.worst, rate, tail),
            self.estimate,
            _highest(self.top, self.bottom, self.worst),
            tail,
        )
        return low, high

    def _ends_of_words(self, tail: float) -> Interval:
        """Clopper and Pearson's ends, as if words were independent; insertions past 1 on top."""
        if self.cases is None:
            return self.estimate, self.estimate
        beyond = self.estimate - self.cases / self.total
        low, high = beyond, 1 + beyond
        if self.cases > 0:
            low = _quantile(
                lambda rate: self._chance_of_words(rate, 0, 1), low, self.estimate, 1 - tail
            )
        if self.cases < self.total:
            high = _quantile(
                lambda rate: self._chance_of_words(rate, 1, 0), self.estimate, high, tail
            )
        return low, high

    def _chance_of_units(self, top: Floats, more: Unit, rate: float, tail: float) -> float:
        """P(R > rate), with one unit more."""
        weights = np.append(top - rate * self.bottom, more.top - rate * more.bottom)
        shapes = np.append(self.count * _shape(self.effective, tail), 1.0)
        return chance_positive(weights, shapes)

    def _chance_of_words(self, rate: float, wrong: int, right: int) -> float:
        """P(R > rate) with words for units, and some more that are wrong or right."""
        cases = self.cases or 0.0
        beyond = self.estimate - cases / self.total
        weights = np.array([1.0, 0.0]) - (rate - beyond)
        sizes = np.array([cases, self.total - cases]) / self.together
        return chance_positive(weights, sizes + np.array([wrong, right]))


def ratio_sample(
    numerators: Floats,
    denominators: Floats,
    clusters: Sequence[Hashable] | None = None,
    *,
    proportion: bool = True,
    together: float = 1.0,
    fewest_clusters: int = FEWEST_SPEAKERS,
) -> RatioSample | None:
    """What the interval of sum(numerators) / sum(denominators) is made of.

    numerators, denominators: shape (n,), one entry per utterance.
    proportion: whether the one counts cases of the other, as errors of words; a ratio of
    seconds, or of two lengths, does not. together: how many cases come together, such as the
    characters of a word.
    clusters: what varies together, such as the speaker of each utterance; None, or fewer than
    `fewest_clusters` different ones, makes each utterance a unit of its own.
    None where the denominators sum to 0.
    """
    numerators, denominators = np.asarray(numerators, float), np.asarray(denominators, float)
    total = float(denominators.sum())
    if total <= 0:
        return None
    top, bottom = units(
        numerators, denominators, clusters=clusters, fewest_clusters=fewest_clusters
    )
    n = len(top)
    # In one order whatever the corpus's, and with like units together.
    kinds, counts = np.unique(top + 1j * bottom, return_counts=True)
    top, bottom, count = kinds.real.astype(float), kinds.imag.astype(float), counts.astype(float)
    bounded = proportion and bool(np.all(top <= bottom))
    # Errors that come together, as far as none has been seen.
    length = total / len(numerators)
    event = min(length, 1 + (length - 1) * _WITHIN_UTTERANCE) if proportion else -np.inf
    capped = top if bounded or not proportion else _capped(top, bottom, count)
    effective = total**2 / float(count @ (bottom * bottom))
    worst = _worst(top * (1 + _BEYOND / effective), bottom, total / n, event, bounded)
    best = _best(top, bottom, total / n)
    if len(top) > _MOST_KINDS:
        top, capped, bottom, count = _grouped(top, capped, bottom, count)
    cases = float(np.minimum(numerators, denominators).sum()) if proportion else None
    return RatioSample(top, capped, bottom, count, n, effective, worst, best, cases, together)


def _worst(top: Floats, bottom: Floats, mean: float, event: float, bounded: bool) -> Unit:
    """As many errors as the unit with the most; those of longer than mean units in proportion.

    Where no unit has more errors than words, this one does not either.
    """
    most = max(event, float(np.max(top * (mean / np.maximum(bottom, mean)))))
    return Unit(most, max(mean, most) if bounded else mean)


def _best(top: Floats, bottom: Floats, mean: float) -> Unit:
    """Of mean length, with the lowest rate of all."""
    has = bottom > 0
    return Unit(float(np.min(top[has] / bottom[has])) * mean, mean)


def _capped(top: Floats, bottom: Floats, count: Floats) -> Floats:
    """The numerators for the lower end.

    A single unit far above all others, as a model's loop is, tells how bad it was and nothing
    of how often that happens: its rate is taken as the next one's, or as 1 if that is less.
    """
    rates = np.divide(top, bottom, out=np.where(top > 0, np.inf, 0.0), where=bottom > 0)
    highest = int(np.argmax(rates))
    if count[highest] > 1 or len(rates) < 2:
        return top
    second = float(np.max(np.delete(rates, highest)))
    capped = top.copy()
    length = bottom[highest] or 1.0
    capped[highest] = min(top[highest], max(1.0, second) * length)
    return capped


def _grouped(
    top: Floats, capped: Floats, bottom: Floats, count: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Units of nearly the same rate as one kind, which keeps the sums and the sums of squares.

    The highest stay single. Seconds are all different; of 100,000 units the ends take a second.
    """
    order = np.argsort(np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0))
    edges = np.unique(np.linspace(0, len(order) - 1, _MOST_KINDS).astype(int))

    def sums(column: Floats) -> Floats:
        found: Floats = np.add.reduceat(column[order], edges)
        return found

    weight, square = sums(count * bottom), sums(count * bottom * bottom)
    has = square > 0
    size = np.divide(square, weight, out=np.zeros_like(weight), where=has)
    number = np.divide(weight, size, out=sums(count), where=has)
    return sums(count * top) / number, sums(count * capped) / number, weight / number, number


def ratio_interval(
    numerators: Floats,
    denominators: Floats,
    clusters: Sequence[Hashable] | None = None,
    *,
    confidence: float = CONFIDENCE,
    proportion: bool = True,
    fewest_clusters: int = FEWEST_SPEAKERS,
) -> Interval | None:
    """Interval of sum(numerators) / sum(denominators); the arguments are those of `ratio_sample`.

    None for fewer than two units, or denominators that sum to 0. The ends are finite. Where no
    numerator is above its denominator the upper end is at most 1.
    """
    sample = ratio_sample(
        numerators,
        denominators,
        clusters,
        proportion=proportion,
        fewest_clusters=fewest_clusters,
    )
    return None if sample is None else sample.interval(confidence)


def units(
    *columns: Floats,
    clusters: Sequence[Hashable] | None,
    fewest_clusters: int = FEWEST_SPEAKERS,
) -> tuple[Floats, ...]:
    """The columns summed over what varies together, or as they are for too few of that."""
    if clusters is None:
        return columns
    index = {cluster: i for i, cluster in enumerate(dict.fromkeys(clusters))}
    if len(index) < max(2, fewest_clusters):
        return columns
    members = np.array([index[cluster] for cluster in clusters])
    return tuple(
        np.bincount(members, weights=np.asarray(column, float), minlength=len(index))
        for column in columns
    )


def proportion_interval(successes: float, n: float) -> Interval | None:
    """Wilson's score interval (1927) of successes / n; None for n = 0."""
    if n == 0:
        return None
    p, quantile = successes / n, _NORMAL.inv_cdf((1 + CONFIDENCE) / 2)
    centre = p + quantile**2 / (2 * n)
    half = quantile * (p * (1 - p) / n + quantile**2 / (4 * n**2)) ** 0.5
    scale = 1 + quantile**2 / n
    low, high = (centre - half) / scale, (centre + half) / scale
    # At the ends the bounds are 0 and 1 themselves, but for rounding.
    return (low if successes else 0.0), (high if successes < n else 1.0)


def _shape(units: float, tail: float) -> float:
    """The shape of a unit's weight, with which like units vary as Student's t says.

    For weights of shape a the variance of a mean of n is that of the units / (n a + 1). The
    shape makes that wider than the normal distribution has it by the quotient of both quantiles.
    """
    degrees = min(_MOST_DEGREES, max(1, round(units) - 1))
    quotient = _NORMAL.inv_cdf(1 - tail) / student_quantile(1 - tail, degrees)
    return max(_LEAST_SHAPE, ((units - 1) * quotient**2 - 1) / units)


def _lowest(top: Floats, bottom: Floats, more: Unit) -> float:
    """The least that R can be."""
    has = bottom > 0
    return min(float(np.min(top[has] / bottom[has])), more.top / more.bottom)


def _highest(top: Floats, bottom: Floats, more: Unit) -> float:
    """The most that R can be; infinite where a unit has errors and no words."""
    has = bottom > 0
    if np.any(top[~has] > 0):
        return math.inf
    return max(float(np.max(top[has] / bottom[has])), more.top / more.bottom)


def _quantile(chance: Callable[[float], float], low: float, high: float, level: float) -> float:
    """Where a chance that falls from low to high is the level; high may be infinite."""
    if math.isinf(high):
        high = 2 * low + 1
        while chance(high) > level:
            low, high = high, 2 * high
    goal = _NORMAL.inv_cdf(level)

    def height(at: float) -> float:
        # On the scale of normal quantiles the curve is nearly straight.
        return _NORMAL.inv_cdf(min(1 - 1e-15, max(1e-300, chance(at)))) - goal

    # At the ends of what R can be, rounding makes the chance 0 or 1 alike.
    above, below = max(height(low), 1.0), min(height(high), -1.0)
    at, halve = low, False
    for _ in range(_STEPS):
        width = high - low
        at = low + width / 2 if halve else low + width * above / (above - below)
        found = height(at)
        if abs(found) < _ACCURACY or width < _ACCURACY * abs(at):
            break
        if found > 0:
            low, above = at, found
        else:
            high, below = at, found
        halve = high - low > width / 2
    return at
