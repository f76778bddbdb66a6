"""The interval of a paired difference: sign flips over clusters, turned into an interval.

Two models answer the same utterances, so the changes of one utterance are one number and what
is hard for both cancels. If neither is better, each cluster's change (a speaker's, or an
utterance's) might as well have had the other sign. A difference d stays in the interval unless
the changes beyond d add up to more than they do under nearly all ways to flip their signs. That
makes the ends quantiles of one thing: the difference over random halves of the clusters
(Hartigan 1969, typical values). It assumes neither clusters of equal size nor normal ones.

- So few clusters that no flip is rare enough: Student's t of the same statistic beside it.
- So many clusters that differ that their sum is normal: Student's t alone.
- Few differing utterances: never narrower than the changes that chance may have kept out of the
  sample (the rule of three), and never a difference that the sign test cannot show.

The flips are always the same ones over sorted clusters, so that the ends depend on neither a seed
nor the order of the utterances. The figures that this method was chosen by are in
docs/statistics.md, from tests/benchmarks/regression_gate.py.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from evals.measures.statistics.student_t import student_quantile

CONFIDENCE = 0.95
#: With fewer utterances no margin is kept or broken, whatever they say.
FEWEST_UTTERANCES = 3
#: With fewer clusters the utterances are the clusters: so few say nothing of how others vary.
FEWEST_CLUSTERS = 5
#: Size of a change that was not seen, in average utterances: a word of four, or three of ten.
_UNSEEN_SHARE = 0.25
#: What that guess counts for among the changes that were seen.
_UNSEEN_WEIGHT = 0.5
#: With fewer clusters no way to flip their signs is as rare as 2.5 %: 2^-5 is 3.1 %.
_FEWEST_FLIPPED = 6
#: All ways to flip the signs of so many clusters are looked at; of more, so many of them.
_EXACT = 12
_FLIPS = 4_095
#: So many clusters are flipped one by one; those without a change are first put together.
_MOST_FLIPPED = 256
_MOST_DIFFERING = 200

#: Smaller parts of the largest are rounding: data in another unit have other such errors.
_ROUNDING = 1e-9
_DIGITS = 9
#: Degrees of freedom beyond which nothing that is printed changes.
_MOST_DEGREES = 1_000

Floats = NDArray[np.float64]


def difference_interval(
    changes: Floats,
    denominators: Floats,
    clusters: Sequence[Hashable] | None = None,
    *,
    least: float = 0.0,
    confidence: float = CONFIDENCE,
) -> tuple[float, float] | None:
    """Interval of sum(changes) / sum(denominators).

    changes: shape (n,), what each utterance has more than in the other of its pair.
    denominators: shape (n,), not negative, such as the words of each reference.
    clusters: shape (n,), whose utterance each is; None, or fewer than FEWEST_CLUSTERS
    different ones, takes utterances for independent.
    least: the smallest change there can be: 1 where changes are counts.
    None for fewer than two utterances, or denominators that sum to 0. Else it has a width
    always; with fewer than FEWEST_UTTERANCES it holds 0 and more than any margin.
    """
    changes, denominators = np.asarray(changes, float), np.asarray(denominators, float)
    n, whole = len(changes), float(denominators.sum())
    if n < 2 or whole <= 0:
        return None
    total = float(changes.sum())
    if abs(total) <= _ROUNDING * float(np.abs(changes).sum()):
        total = 0.0  # in another unit, rounding leaves a little of changes that cancel
    value, sign = total / whole, -1.0 if total < 0 else 1.0
    # Both directions are handled as one, so that the other way round is the mirror image.
    low, high = _flipped(*_summed(sign * changes, denominators, clusters), confidence)
    below, above = sign * value - low, high - sign * value
    if total == 0:
        below = above = max(below, above)
    least_half = _least_half(changes, whole, least, confidence)
    below, above = max(below, least_half), max(above, least_half)
    if sign < 0:
        below, above = above, below
    return value - below, value + above


def _summed(
    changes: Floats, denominators: Floats, clusters: Sequence[Hashable] | None
) -> tuple[Floats, Floats]:
    """Both over clusters, the largest changes first: the order of utterances is no matter."""
    if clusters is not None and len(names := dict.fromkeys(clusters)) >= FEWEST_CLUSTERS:
        index = {name: i for i, name in enumerate(names)}
        members = np.array([index[cluster] for cluster in clusters])
        changes, denominators = (np.bincount(members, weights=c) for c in (changes, denominators))
    sizes, words = (
        np.round(np.abs(column) / (np.max(np.abs(column)) or 1.0), _DIGITS)
        for column in (changes, denominators)
    )
    order = np.lexsort((changes, words, sizes))[::-1]
    return changes[order], denominators[order]


def _flipped(changes: Floats, denominators: Floats, confidence: float) -> tuple[float, float]:
    """The differences that flipping signs does not rule out; units from the largest change down."""
    student = _student(changes, denominators, confidence)
    differing = int(np.count_nonzero(changes))
    if len(changes) < _FEWEST_FLIPPED or differing > _MOST_DIFFERING:
        return student
    if len(changes) > _MOST_FLIPPED:
        # Those without a change, in turn, to as many groups as are left.
        groups = np.arange(len(changes))
        groups[differing:] = differing + groups[differing:] % (_MOST_FLIPPED - differing)
        changes, denominators = (np.bincount(groups, weights=c) for c in (changes, denominators))
    flips = _flips(len(changes))
    top, bottom = flips @ changes, flips @ denominators
    # A half without words, which has no rate, is as extreme as can be: on both sides.
    ratios = np.divide(top, bottom, out=np.full(len(top), -np.inf), where=bottom > 0)
    low = _lower_end(ratios, confidence, student[0])
    high = -_lower_end(np.where(bottom > 0, -ratios, -np.inf), confidence, -student[1])
    return low, high


def _lower_end(ratios: Floats, confidence: float, student: float) -> float:
    """The quantile of the tail; equal ones count half on either side of themselves (mid-p)."""
    known = np.sort(ratios[np.isfinite(ratios)])
    if not len(known):
        return student
    # What differs by rounding alone is equal.
    apart = np.diff(known, prepend=-np.inf) > _ROUNDING * float(np.max(np.abs(known)))
    starts = np.flatnonzero(apart)
    counts = np.diff(np.append(starts, len(known)))
    # The sample itself is one of the flips, as extreme as each difference allows: a half before.
    ranks = 0.5 + (len(ratios) - len(known)) + starts + counts / 2
    rank = (1 - confidence) / 2 * (len(ratios) + 1)
    end = float(np.interp(rank, ranks, known[starts]))
    return end if rank >= ranks[0] else min(end, student)


def _student(changes: Floats, denominators: Floats, confidence: float) -> tuple[float, float]:
    """The d for which sum(x) is at most q * sqrt(sum(x^2)), with x = changes - d * denominators.

    q makes it Student's t-test of x where x has the mean that d says: n - 1 degrees of freedom.
    Bounded by the same with the spread of x at d = 0, since uneven units leave no bound at all.
    """
    n, total, whole = len(changes), float(changes.sum()), float(denominators.sum())
    t = student_quantile((1 + confidence) / 2, min(n - 1, _MOST_DEGREES))
    q = t * math.sqrt(n / (n - 1 + t * t))
    value = total / whole
    half = q * math.sqrt(float((changes**2).sum())) / whole
    a = whole**2 - q * q * float((denominators**2).sum())
    if a <= 0:
        return value - half, value + half
    b = total * whole - q * q * float((changes * denominators).sum())
    c = total**2 - q * q * float((changes**2).sum())
    root = math.sqrt(max(0.0, b * b - a * c))
    return max((b - root) / a, value - half), min((b + root) / a, value + half)


@lru_cache(maxsize=2)
def _flips(n: int) -> Floats:
    """Shape (ways, n): 1 for what is in a half. All but the empty one for few units."""
    if n <= _EXACT:
        ways = (np.arange(1, 2**n)[:, None] >> np.arange(n)) & 1
        return ways.astype(float)
    return np.random.default_rng(0).integers(2, size=(_FLIPS, n)).astype(float)


def _least_half(changes: Floats, whole: float, least: float, confidence: float) -> float:
    """What few utterances cannot be more certain of, on either side."""
    n, value = len(changes), abs(float(changes.sum())) / whole
    # Of how many chance keeps all out with that of one tail: 3.69 for 95 % (Poisson).
    unseen = -math.log((1 - confidence) / 2)
    sizes = np.sort(np.abs(changes[changes != 0]))
    guess = max(least, _UNSEEN_SHARE * whole / n)
    usual = (_UNSEEN_WEIGHT * guess + float(sizes.sum())) / (_UNSEEN_WEIGHT + len(sizes))
    half = unseen * usual / whole
    if len(sizes):
        # k changes point one way by chance with 2^-k: fewer than six must reach past 0.
        half = max(half, value * unseen / (len(sizes) * math.log(2)))
    if n < FEWEST_UTTERANCES:
        # The rule of three alone is more than all words of both utterances.
        half += value + unseen / n
    return half
