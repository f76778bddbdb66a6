"""Tail probability of a weighted sum of independent gamma variables, without random draws."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NORMAL = NormalDist()
_STEPS = 100
#: Nearer to the centre than this the formula is 0 / 0, and its limit is used.
_CENTRE = 1e-4


def chance_positive(weights: Floats, shapes: Floats) -> float:
    """P(sum of weights * G > 0) for independent G, gamma-distributed with these shapes, scale 1.

    weights, shapes: shape (n,); shapes above 0. A saddlepoint approximation (Lugannani and Rice
    1980): a function of the two arrays alone, so neither order nor a seed changes it. For one
    weight above 0 and one below, where the chance is that of a beta variable, its error is
    below 1 % of the smaller tail.
    """
    highest, lowest = float(np.max(weights)), float(np.min(weights))
    if highest <= 0:
        return 0.0
    if lowest >= 0:
        return 1.0
    point = _saddlepoint(weights, shapes, 1 / lowest, 1 / highest)
    ratio = weights / (1 - weights * point)
    cumulant = -float(shapes @ np.log1p(-weights * point))
    curvature = float(shapes @ (ratio * ratio))
    if abs(point) * math.sqrt(curvature) < _CENTRE:
        square = weights * weights
        skewness = 2 * float(shapes @ (square * weights)) / float(shapes @ square) ** 1.5
        return float(0.5 - skewness / (6 * math.sqrt(2 * math.pi)))
    root = math.copysign(math.sqrt(max(0.0, -2 * cumulant)), point)
    scaled = point * math.sqrt(curvature)
    density = math.exp(-root * root / 2) / math.sqrt(2 * math.pi)
    chance = _NORMAL.cdf(-root) + density * (1 / scaled - 1 / root)
    return min(1.0, max(0.0, chance))


def _saddlepoint(weights: Floats, shapes: Floats, low: float, high: float) -> float:
    """Where the derivative of the cumulant generating function is 0; it rises from low to high."""
    point, step = 0.0, 1e-10 * (high - low)
    for _ in range(_STEPS):
        ratio = weights / (1 - weights * point)
        slope = float(shapes @ ratio)
        if slope > 0:
            high = point
        else:
            low = point
        # Newton's step; where it leaves the bracket, the middle of that.
        following = point - slope / float(shapes @ (ratio * ratio))
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - point) <= step:
            return following
        point = following
    return point
