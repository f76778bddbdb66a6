"""Ways to write a value of the scorecard, by their names."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from evals.records.metric import Metric
from reports.scorecard import licences
from reports.text.safe_html import plain


def _percent(digits: int) -> Callable[[Any], str]:
    return lambda value: _signless(100 * value, digits)


def _number(digits: int) -> Callable[[Any], str]:
    return lambda value: _signless(value, digits)


def _signless(value: float, digits: int) -> str:
    text = f"{value:,.{digits}f}".replace("-", "\u2212")
    # A minus before nothing but zeros says that something is there which is not.
    return text.lstrip("\u2212") if not any(c in "123456789" for c in text) else text


def _signed(value: Any) -> str:
    """A difference of rates in percentage points."""
    text = _signless(100 * value, 2)
    return text if text.startswith("\u2212") or not text.strip("0.") else f"+{text}"


def _money(value: Any) -> str:
    """To four digits after the point; of less than a hundredth the first two that are not 0."""
    if not value or abs(value) >= 0.01:
        return _signless(value, 4)
    return _signless(value, 1 - math.floor(math.log10(abs(value))))


def _seconds(value: Any) -> str:
    return f"{value:,.3f}" if abs(value) < 1 else f"{value:,.2f}"


def _duration(value: Any) -> str:
    if value is None:
        return "unknown"
    minutes, seconds = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {seconds:02} s" if minutes else f"{value:.1f} s"


def _time(value: Any) -> str:
    """An ISO time in UTC, to the minute."""
    return plain(str(value)).replace("T", " ")[:16] + " UTC"


def _text(value: Any) -> str:
    return "unknown" if value is None else plain(str(value))


def _options(value: Any) -> str:
    return plain(", ".join(f"{name}={setting}" for name, setting in value.items())) or "none"


def _words(value: Any) -> str:
    return plain(str(value)).replace("_", " ")


def _yes(value: Any) -> str:
    return "unknown" if value is None else "yes" if value else "no"


#: Ways to write a value of the scorecard; units stand beside it, or over its column.
FORMATS: Mapping[str, Callable[[Any], str]] = {
    "text": _text,
    "words": _words,
    "time": _time,
    "duration": _duration,
    "yes": _yes,
    "options": _options,
    "demands": lambda value: plain("; ".join(licences.flags(value))) or "no restriction known",
    "percent1": _percent(1),
    "percent2": _percent(2),
    "percent0": _percent(0),
    "points": _signed,
    "whole": _number(0),
    "one": _number(1),
    "two": _number(2),
    "three": _number(3),
    "four": _number(4),
    "money": _money,
    "seconds": _seconds,
    "gigabytes": lambda value: f"{value / 1e9:,.1f} GB",
    "length": lambda value: f"{len(value):,}",
    "short": lambda value: "unknown" if value is None else plain(str(value))[:12],
}

#: The format of a number with so many digits.
_PLACES = ("whole", "one", "two", "three", "four")


def format_of(metric: Metric) -> str:
    """The format in which values of a metric are written."""
    if metric.is_difference:
        return "points"
    if metric.is_share:
        return f"percent{metric.places}"
    return "seconds" if metric.unit == "s" else _PLACES[metric.places]
