"""Intervals of a paired difference that were held side by side, by name.

Each takes the changes and the words of the utterances, shape (n,), and their speakers, shape
(n,), or None; and returns both ends. A candidate that can give no end gives infinity.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from evals.measures.statistics.paired_interval import difference_interval
from evals.measures.statistics.student_t import student_quantile
from tests.benchmarks.bootstrap_t import bootstrap_interval
from tests.benchmarks.simulated_corpora import Floats

Interval = tuple[float, float]
Speakers = NDArray[np.int64] | None
Candidate = Callable[[Floats, Floats, Speakers], Interval]

TAKEN = "taken"
EARLIER = "before"
_TAIL = 0.025
_FLIPS = 2_000
#: All ways to flip so many signs are tried.
_EXACT = 10
_Z = NormalDist().inv_cdf(1 - _TAIL)


def matched_pairs(changes: Floats, words: Floats, quantile: float) -> Interval:
    """MAPSSWE (Gillick and Cox 1989): the mean change of a segment over its standard error.

    Divided by the mean number of words, so that it is an interval of the difference of WERs.
    """
    n = len(changes)
    mean, error = float(changes.mean()), float(changes.std(ddof=1)) / math.sqrt(n)
    size = float(words.mean())
    return (mean - quantile * error) / size, (mean + quantile * error) / size


def student(changes: Floats, words: Floats) -> Interval:
    """Student's t of the ratio's linearized residuals, with one degree less than units."""
    n, whole = len(changes), float(words.sum())
    value = float(changes.sum()) / whole
    residuals = changes - value * words
    error = math.sqrt(n / (n - 1) * float((residuals**2).sum())) / whole
    half = student_quantile(1 - _TAIL, n - 1) * error
    return value - half, value + half


def sign_flips(changes: Floats, words: Floats) -> Interval:
    """The differences that flipping signs cannot rule out.

    Flipping units F of changes - d * words moves their sum to the other side where the ratio of
    the sums over F is above d. So the ends are quantiles of that ratio over all sets F.
    """
    flipped = _flips(len(changes))
    top, bottom = flipped @ changes, flipped @ words
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.sort(np.where(bottom > 0, top / bottom, np.nan))
    ratios = ratios[np.isfinite(ratios)]
    # The sample itself is one of them: it is as extreme as any d allows.
    k = int(_TAIL * (len(ratios) + 1)) - 1
    if k < 0:
        return -math.inf, math.inf
    return float(ratios[k]), float(ratios[-1 - k])


@lru_cache(maxsize=2)
def _flips(n: int) -> Floats:
    """Shape (ways, n): which units are flipped; all ways for few units, else seeded."""
    if n <= _EXACT:
        ways = (np.arange(1, 2**n)[:, None] >> np.arange(n)) & 1
        return ways.astype(float)
    return np.random.default_rng(0).integers(2, size=(_FLIPS - 1, n)).astype(float)


def summed(changes: Floats, words: Floats, speakers: Speakers) -> tuple[Floats, Floats]:
    """Both over speakers, or as they are."""
    if speakers is None:
        return changes, words
    return np.bincount(speakers, weights=changes), np.bincount(speakers, weights=words)


def _over_speakers(of: Callable[[Floats, Floats], Interval]) -> Candidate:
    return lambda changes, words, speakers: of(*summed(changes, words, speakers))


def _z(changes: Floats, words: Floats) -> Interval:
    return matched_pairs(changes, words, _Z)


def _t(changes: Floats, words: Floats) -> Interval:
    return matched_pairs(changes, words, student_quantile(1 - _TAIL, min(len(changes) - 1, 1_000)))


def _before(changes: Floats, words: Floats, speakers: Speakers) -> Interval:
    return bootstrap_interval(changes, words, None if speakers is None else speakers.tolist())


def _taken(changes: Floats, words: Floats, speakers: Speakers) -> Interval:
    clusters = None if speakers is None else speakers.tolist()
    found = difference_interval(changes, words, clusters, least=1.0)
    assert found is not None
    return found


CANDIDATES: Mapping[str, Candidate] = {
    "MAPSSWE z": lambda changes, words, _: _z(changes, words),
    "speaker z": _over_speakers(_z),
    "speaker t": _over_speakers(_t),
    "flips": _over_speakers(sign_flips),
    "t": _over_speakers(student),
    EARLIER: _before,
    TAKEN: _taken,
}
