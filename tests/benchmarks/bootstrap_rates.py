"""The interval of a rate at 948ee4c: a seeded, studentized bootstrap, kept to be compared with.

Efron and Tibshirani 1993, chapter 12.5; Wilson's interval where few units hold an error.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.measures.statistics.student_t import student_quantile

RESAMPLES = 10_000
CONFIDENCE = 0.95
#: More units than this are drawn in random groups of them: the same variance at a bounded cost.
MAX_UNITS = 1_000
#: With fewer units that hold an error, too many draws hold none: Wilson's interval takes over.
_FEW = 6

_RARE = 0.5

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Ratio:
    """Sums over units: the estimate, its standard error, and what the draws are made of."""

    top: Floats
    bottom: Floats
    estimate: float
    error: float

    @property
    def filled(self) -> int:
        """Units that tell something: with an error in them, and with something else too."""
        return int(min(np.count_nonzero(self.top), np.count_nonzero(self.top - self.bottom)))

    @property
    def is_rare(self) -> bool:
        """A proportion of which too few were seen for draws to say how many there may be."""
        if self.filled >= _FEW or np.min(self.top) < 0:
            return False
        # More than there is to get wrong, as insertions may be, is no proportion; rare ones
        # are treated as one all the same.
        return bool(np.all(self.top <= self.bottom)) or 0 < self.estimate < _RARE

    @property
    def degrees(self) -> int:
        """Of freedom: what the units without an error say of the size of errors is nothing."""
        most = len(self.top) - 1
        return min(self.filled, most) if self.is_rare and self.filled else most

    @property
    def effective_size(self) -> float:
        """As many independent words as the clusters leave (Korn and Graubard 1998).

        Where nothing was wrong, or all, the units: nothing tells how alike their words are.
        """
        if self.error == 0:
            return float(len(self.top))
        return float(min(self.bottom.sum(), self.estimate * (1 - self.estimate) / self.error**2))


def _ratio(
    numerators: Floats, denominators: Floats, clusters: Sequence[Hashable] | None, seed: int
) -> _Ratio | None:
    top, bottom = units(numerators, denominators, clusters=clusters, seed=seed)
    n = len(top)
    total = float(bottom.sum())
    if n < 2 or total <= 0:
        return None
    estimate = float(top.sum()) / total
    squares = float(((top - estimate * bottom) ** 2).sum())
    # By linearization, over n independent units.
    return _Ratio(top, bottom, estimate, math.sqrt(n / (n - 1) * squares) / total)


def ratio_interval(
    numerators: Floats,
    denominators: Floats,
    clusters: Sequence[Hashable] | None = None,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    proportion: bool = True,
) -> tuple[float, float] | None:
    """Interval of sum(numerators) / sum(denominators).

    numerators, denominators: shape (n,), one entry per utterance.
    proportion: whether the one counts cases of the other, as errors of words; a ratio of
    seconds, or of two lengths, does not.
    clusters: what is drawn together, such as the speaker of each utterance; None, or
    fewer than two different ones, draws single utterances.
    None where fewer than two draws could differ or the denominators sum to 0.
    Where no numerator is below 0 the interval is not either.
    """
    ratio = _ratio(numerators, denominators, clusters, seed)
    if ratio is None:
        return None
    tail = (1 - confidence) / 2
    if proportion and ratio.is_rare:
        quantile = student_quantile(1 - tail, ratio.degrees)
        low, high = _wilson(ratio.estimate, ratio.effective_size, quantile)
        # At the end the bound is 0 itself, but for rounding.
        return (low if ratio.estimate > 0 else 0.0), high
    quantile = student_quantile(1 - tail, len(ratio.top) - 1)
    t_low, t_high = -quantile, quantile
    if ratio.error > 0:
        drawn = _quantiles(_studentized(ratio, seed, resamples), tail)
        # Too few units to draw from leave draws that do not differ: Student's t is what is left.
        t_low = drawn[0] if math.isfinite(drawn[0]) else t_low
        t_high = drawn[1] if math.isfinite(drawn[1]) else t_high
    low, high = ratio.estimate - t_high * ratio.error, ratio.estimate - t_low * ratio.error
    return (max(0.0, low) if np.min(ratio.top) >= 0 else low), high


def units(
    *columns: Floats, clusters: Sequence[Hashable] | None, seed: int = 0
) -> tuple[Floats, ...]:
    """The columns summed over what is drawn together; at most MAX_UNITS entries each."""
    n = len(columns[0])
    members = np.arange(n)
    if clusters is not None and len(set(clusters)) > 1:
        index = {cluster: i for i, cluster in enumerate(dict.fromkeys(clusters))}
        members = np.array([index[cluster] for cluster in clusters])
    count = int(np.max(members)) + 1 if n else 0
    if count > MAX_UNITS:
        # Shuffled first: neighbours in a manifest may be alike.
        groups = np.random.default_rng(seed).permutation(count) % MAX_UNITS
        members, count = groups[members], MAX_UNITS
    return tuple(
        np.bincount(members, weights=np.asarray(column, float), minlength=count)
        for column in columns
    )


def _studentized(ratio: _Ratio, seed: int, resamples: int) -> Floats:
    """Shape (resamples,): (draw - estimate) / standard error of the draw."""
    n = len(ratio.top)
    residual = ratio.top - ratio.estimate * ratio.bottom
    # Residuals, not the numerators: their squares do not cancel, and single precision is enough.
    z = residual / max(float(np.max(np.abs(residual))), 1e-300)
    bottom = ratio.bottom / float(np.max(ratio.bottom))
    table = np.stack([z, bottom, z * z, z * bottom, bottom * bottom], axis=1)
    drawn = _draws(n, seed, resamples) @ table.astype(np.float32)
    top, total, zz, zb, bb = drawn.astype(float).T
    with np.errstate(divide="ignore", invalid="ignore"):
        delta = top / total
        spread = np.maximum(zz - 2 * delta * zb + delta**2 * bb, 0.0)
        errors = np.sqrt(n / (n - 1) * spread) / total
        t = np.where(errors > 1e-6 * np.abs(delta), delta / errors, np.sign(delta) * np.inf)
    # A draw without a reference word has no rate: its place is with the worst.
    return np.where(total > 0, t, np.inf)


def _quantiles(t: Floats, tail: float) -> tuple[float, float]:
    # The draws, like the sample, are one of R + 1 (Davison and Hinkley 1997, chapter 2.4): so
    # the end of an interval and `chance_below` agree in the far tails of many slices too.
    k = max(1, int(tail * (len(t) + 1)))
    ordered = np.partition(t, [k - 1, len(t) - k])
    return float(ordered[k - 1]), float(ordered[len(t) - k])


def _draws(n: int, seed: int, resamples: int) -> NDArray[np.float32]:
    """Shape (resamples, n): how often each unit is drawn; the same for every metric and model."""
    key = n, seed, resamples
    if key not in _LAST_DRAWN:
        # Up to 40 MB. Intervals over the same units are made one after the other, so the last
        # are kept, and are gone before others are made.
        _LAST_DRAWN.clear()
        _LAST_DRAWN[key] = _drawn(*key)
    return _LAST_DRAWN[key]


_LAST_DRAWN: dict[tuple[int, int, int], NDArray[np.float32]] = {}


def _drawn(n: int, seed: int, resamples: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    counts = np.empty((resamples, n), np.float32)
    step = max(1, 1_000_000 // n)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = rng.integers(n, size=(rows, n)) + np.arange(rows)[:, None] * n
        counts[start : start + rows] = np.bincount(drawn.ravel(), minlength=rows * n).reshape(
            rows, n
        )
    counts.flags.writeable = False
    return counts


def _wilson(p: float, n: float, quantile: float) -> tuple[float, float]:
    centre = p + quantile**2 / (2 * n)
    half = quantile * math.sqrt(p * (1 - p) / n + quantile**2 / (4 * n**2))
    scale = 1 + quantile**2 / n
    return (centre - half) / scale, (centre + half) / scale
