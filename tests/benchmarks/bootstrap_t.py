"""The paired interval before Student's t: a seeded bootstrap-t, kept to be compared with.

Efron and Tibshirani 1993, chapter 12.5, as far on either side (Hall 1988).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np

from evals.measures.statistics.student_t import student_quantile
from tests.benchmarks.simulated_corpora import Floats

RESAMPLES = 2_000
_FEW = 6


def bootstrap_interval(
    changes: Floats,
    denominators: Floats,
    clusters: Sequence[Hashable] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """The 95 % interval of sum(changes) / sum(denominators), drawn over clusters."""
    top, bottom = changes, denominators
    if clusters is not None:
        _, members = np.unique(np.array(clusters), return_inverse=True)
        top, bottom = (np.bincount(members, weights=c) for c in (top, bottom))
    n, total = len(top), float(bottom.sum())
    estimate = float(top.sum()) / total
    residuals = top - estimate * bottom
    error = math.sqrt(n / (n - 1) * float((residuals**2).sum())) / total
    if error == 0:
        return estimate, estimate
    student = student_quantile(0.975, n - 1)
    if np.count_nonzero(top) < _FEW:
        largest = -math.log(0.025) * float(np.max(np.abs(top))) / total
        half = max(student * error, largest)
    else:
        t = np.abs(_studentized(residuals, bottom, resamples, seed))
        reach = float(np.quantile(t, 0.95, method="inverted_cdf"))
        half = (reach if math.isfinite(reach) else student) * error
    return estimate - half, estimate + half


def _studentized(residuals: Floats, bottom: Floats, resamples: int, seed: int) -> Floats:
    """Shape (resamples,): (draw - estimate) / standard error of the draw."""
    n = len(residuals)
    z, b = residuals / np.max(np.abs(residuals)), bottom / np.max(bottom)
    key = n, resamples, seed
    if key not in _DRAWS:
        _DRAWS.clear()
        counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), resamples)
        _DRAWS[key] = counts.astype(float)
    top, total, zz, zb, bb = (_DRAWS[key] @ np.stack([z, b, z * z, z * b, b * b], axis=1)).T
    with np.errstate(divide="ignore", invalid="ignore"):
        delta = top / total
        spread = np.maximum(zz - 2 * delta * zb + delta**2 * bb, 0.0)
        errors = np.sqrt(n / (n - 1) * spread) / total
        t = np.where(errors > 1e-6 * np.abs(delta), delta / errors, np.sign(delta) * np.inf)
    return np.where(total > 0, t, np.inf)


_DRAWS: dict[tuple[int, int, int], Floats] = {}
