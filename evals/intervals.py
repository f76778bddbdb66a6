"""95 % intervals: a seeded, clustered bootstrap for ratios of sums, Wilson's for proportions."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
_BLOCK = 4_000_000  # resampled weights held at once, so that memory stays bounded
_Z = 1.959963984540054  # 97.5 % quantile of the standard normal distribution


def ratio_interval(
    numerators: NDArray[np.float64],
    denominators: NDArray[np.float64],
    clusters: Sequence[Hashable] | None = None,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of sum(numerators) / sum(denominators).

    numerators, denominators: shape (n,), one entry per utterance.
    clusters: what is drawn together, such as the speaker of each utterance,
    since one person's utterances are not independent; None, or fewer than two
    different ones, draws single utterances.
    None where fewer than two draws could differ or the denominators sum to 0.
    """
    top, bottom = np.asarray(numerators, float), np.asarray(denominators, float)
    if clusters is not None and len(set(clusters)) > 1:
        index = {cluster: i for i, cluster in enumerate(dict.fromkeys(clusters))}
        members = np.array([index[c] for c in clusters])
        top = np.bincount(members, weights=top)
        bottom = np.bincount(members, weights=bottom)
    n = len(top)
    if n < 2 or bottom.sum() <= 0:
        return None
    rng = np.random.default_rng(seed)
    pair = np.stack([top, bottom], axis=1)
    ratios = []
    step = max(1, _BLOCK // n)
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        drawn = rng.multinomial(n, np.full(n, 1.0 / n), size=count)
        sums = drawn @ pair
        # A draw without a reference word has no rate; its place is with the worst.
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios.append(np.where(sums[:, 1] > 0, sums[:, 0] / sums[:, 1], np.inf))
    low, high = np.quantile(np.concatenate(ratios), [0.025, 0.975], method="inverted_cdf")
    if not math.isfinite(high):
        return None
    return float(low), float(high)


def proportion_interval(successes: int, n: int) -> tuple[float, float] | None:
    """Wilson's score interval (1927) of successes / n; None for n = 0."""
    if n == 0:
        return None
    p = successes / n
    centre = p + _Z**2 / (2 * n)
    half = _Z * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
    scale = 1 + _Z**2 / n
    # At the ends the bounds are 0 and 1 themselves, but for rounding.
    low = (centre - half) / scale if successes else 0.0
    high = (centre + half) / scale if successes < n else 1.0
    return low, high
