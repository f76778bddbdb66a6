"""Student's t distribution, without scipy."""

from __future__ import annotations

import math
from functools import lru_cache


def student_tail(t: float, degrees: int) -> float:
    """P(T > t), for a whole number of degrees (Abramowitz and Stegun 26.7.3 and 26.7.4, exact)."""
    theta = math.atan(t / math.sqrt(degrees))
    sine, cosine = math.sin(theta), math.cos(theta)
    odd = degrees % 2
    term, total = cosine if odd else 1.0, 0.0
    for j in range(degrees // 2):
        total += term
        term *= cosine**2 * (2 * j + 1 + odd) / (2 * j + 2 + odd)
    inside = 2 / math.pi * (theta + sine * total) if odd else sine * total
    return min(1.0, max(0.0, (1 - inside) / 2))


@lru_cache
def student_quantile(p: float, degrees: int) -> float:
    """The t with P(T <= t) = p, for p in [0.5, 1), by bisection of `student_tail`."""
    low, high = 0.0, 1.0
    while student_tail(high, degrees) > 1 - p:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if student_tail(middle, degrees) > 1 - p else (low, middle)
    return high
