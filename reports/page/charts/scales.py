"""Scales: from a value to a place, with ticks at round numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from reports.page.charts import svg

#: Past these a place is that of the bound: float arithmetic has to stay finite.
_MOST = 1e12
_LEAST = 1e-12
#: A limit further away than this many times the largest value would leave the values no room.
FAR = 4.0
#: From here on a scale of speeds is logarithmic.
_DECADE = 10.0
#: A scale without zero shows at least this part of its values.
_FLAT = 0.2


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear or logarithmic scale from [low, high] to [start, end]; beyond them is the end."""

    low: float
    high: float
    start: float
    end: float
    ticks: Sequence[float]
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, value = (self._bent(v) for v in (self.low, self.high, value))
        part = min(1.0, max(0.0, (value - low) / (high - low)))
        return self.start + part * (self.end - self.start)

    def holds(self, value: float) -> bool:
        """Whether the value has a place of its own."""
        return self.low <= value <= self.high

    def _bent(self, value: float) -> float:
        if not self.log:
            return min(_MOST, max(-_MOST, value))
        return math.log10(min(_MOST, max(_LEAST, value)))


def linear(
    values: Iterable[float],
    start: float,
    end: float,
    *,
    most: int = 5,
    least: float = 1.0,
    zero: bool = True,
) -> Scale:
    """A scale with about `most` ticks that has room for the values, and for zero.

    least: how much it shows where all values are the same. zero: False for a scale that may
    leave zero out, where that would flatten what differs.
    """
    known = [min(_MOST, max(-_MOST, v)) for v in values]
    low, high = min(known, default=0.0), max(known, default=0.0)
    if zero or low <= high / 2:
        low, high = min(0.0, low), max(0.0, high)
    if not zero and low > 0 and high - low < _FLAT * high:
        # What hardly differs must not look as if it did.
        low, high = (low + high) / 2 - _FLAT * high / 2, (low + high) / 2 + _FLAT * high / 2
    if high - low < max(_LEAST, 1e-9 * abs(high)):
        high = low + max(least, abs(low) / 10)
    step = _round_step((high - low) / most)
    if low >= 0:
        low = math.floor(low / step + 1e-9) * step
    else:  # no whole step for what is just below zero
        low -= (high - low) / 30
    first, last = math.ceil(low / step - 1e-9), math.ceil(high / step - 1e-9)
    ticks = [i * step for i in range(first, last + 1)]
    return Scale(low, ticks[-1], start, end, ticks)


def logarithmic(values: Iterable[float], start: float, end: float, *, most: int = 5) -> Scale:
    """A scale of positive values with ticks at 1, 2, 5, 10..., or at powers of ten alone."""
    known = [min(_MOST, max(_LEAST, v)) for v in values]
    low = _neighbour(min(known), down=True)
    high = _neighbour(max(known), down=False)
    if high <= low:
        low, high = _neighbour(low / 1.5, down=True), _neighbour(high * 1.5, down=False)
    exponents = range(math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9) + 1)
    ticks = [m * 10.0**e for e in exponents for m in (1, 2, 5)]
    ticks = [t for t in ticks if low * (1 - 1e-9) <= t <= high * (1 + 1e-9)]
    if len(ticks) > 1.5 * most:
        decades = [10.0**e for e in exponents if low <= 10.0**e * (1 + 1e-9) <= high * 1.001]
        ticks = decades[:: math.ceil(len(decades) / most)]
    return Scale(low, high, start, end, ticks, log=True)


def spans_decades(values: Iterable[float]) -> bool:
    """Whether a logarithmic scale shows these better: all above zero, far apart."""
    known = list(values)
    return bool(known) and min(known) > 0 and max(known) / min(known) >= _DECADE


def within_reach(limit: float, values: Sequence[float], times: float = FAR) -> bool:
    """Whether the limit can be on a linear scale without crushing the values to nothing."""
    most = max((abs(v) for v in values), default=0.0)
    return most == 0 or abs(limit) <= times * most


def bottom_axis(
    scale: Scale, top: float, bottom: float, said: Callable[[float], str]
) -> list[Markup]:
    """Grid lines from top to bottom, and the ticks' text below; text that would touch is left."""
    lines = [
        svg.line(scale(t), top, scale(t), bottom, stroke=_stroke(t, scale)) for t in scale.ticks
    ]
    taken: list[tuple[float, float]] = []
    labels: list[Markup] = []
    # On a logarithmic scale powers of ten are named first, then what there is room for.
    for tick in sorted(scale.ticks, key=lambda t: scale.log and not _is_power(t)):
        x, label = scale(tick), said(tick)
        half = svg.width_of(label, svg.SMALL) / 2 + 3
        if all(x + half <= start or end <= x - half for start, end in taken):
            taken.append((x - half, x + half))
            labels.append(
                svg.text(x, bottom + 14, label, anchor="middle", fill=svg.MUTED, class_="tick x")
            )
    return [*lines, *labels]


def left_axis(
    scale: Scale, left: float, right: float, said: Callable[[float], str]
) -> list[Markup]:
    """Grid lines from left to right, and the ticks' text left of them."""
    drawn: list[Markup] = []
    for tick in scale.ticks:
        y = scale(tick)
        drawn.append(svg.line(left, y, right, y, stroke=_stroke(tick, scale)))
        drawn.append(
            svg.text(left - 5, y + 4, said(tick), anchor="end", fill=svg.MUTED, class_="tick y")
        )
    return drawn


def _stroke(tick: float, scale: Scale) -> str:
    """The zero line stands out where values lie on both sides of it."""
    return svg.INK if tick == 0 and not scale.log and scale.low < 0 else svg.LINE


def _is_power(tick: float) -> bool:
    return math.isclose(math.log10(tick), round(math.log10(tick)), abs_tol=1e-9)


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * (1 - 1e-9))


def _neighbour(value: float, *, down: bool) -> float:
    """The next of 1, 2, 5, 10... at or below (above) a value."""
    exponent = math.floor(math.log10(value))
    steps = [m * 10.0**e for e in (exponent - 1, exponent, exponent + 1) for m in (1, 2, 5)]
    for lower, upper in pairwise(steps):
        if lower * (1 - 1e-9) <= value < upper * (1 - 1e-9):
            return lower if down or value <= lower * (1 + 1e-9) else upper
    return value
