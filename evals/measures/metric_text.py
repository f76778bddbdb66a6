"""A metric's figures as every text for people writes them: values and limits in one unit."""

from __future__ import annotations

from typing import TypeAlias

from evals.metrics import metric_of
from evals.records.measurement import Bound
from evals.records.metric import Metric

Ends: TypeAlias = tuple[float, float]
#: Digits after the point that tell a value from its limit, where fewer would not.
_MOST_DIGITS = 9


def value(metric: str, number: float | None) -> str:
    """A value with its unit: 0.0625 of wer is "6.25 %"."""
    return "-" if number is None else _with_unit(metric_of(metric), bare(metric, number))


def interval(metric: str, ends: Ends | None) -> str:
    """A 95 % interval, without its unit, as in a table."""
    if ends is None:
        return "-"
    return f"{bare(metric, ends[0])} to {bare(metric, ends[1])}"


def figure(metric: str, number: float, ends: Ends | None, limit: float | None = None) -> str:
    """A value and its interval within a sentence: "6.25 % [2.7, 19.2]".

    limit: what the sentence compares them with. They have as many digits as tell them from it.
    """
    said = _with_unit(metric_of(metric), _trimmed(_apart(metric, number, limit)))
    if ends is None:
        return said
    low, high = (_trimmed(_apart(metric, end, limit)) for end in ends)
    return f"{said} [{low}, {high}]"


def limit(metric: str, number: float) -> str:
    """A limit with its unit, and as many digits as it was given: "10 %", "0.5 s"."""
    spec = metric_of(metric)
    # A product such as 100 * 0.07 has digits that nobody wrote.
    return _with_unit(spec, f"{round(spec.scale * number, 10) + 0.0:,.10g}")


def allowed(metric: str, bound: Bound | None, number: float) -> str:
    """What a limit allows: "at most 10 %"."""
    return f"at {'most' if bound == 'max' else 'least'} {limit(metric, number)}"


def points(metric: str, number: float | None) -> str:
    """A difference of values with its sign; of shares in percentage points."""
    if number is None:
        return "-"
    spec = metric_of(metric)
    if spec.is_share:
        return f"{_rounded(spec.scale * number, 2):+.2f}"
    return f"{number + 0.0:+.4g}"


def point_interval(metric: str, ends: Ends | None) -> str:
    """The interval of a difference, each end with its sign."""
    return "-" if ends is None else f"{points(metric, ends[0])} to {points(metric, ends[1])}"


def bare(metric: str, number: float) -> str:
    """A value without its unit."""
    spec = metric_of(metric)
    # Times have as many digits as their size needs, and what is small is no 0.
    if spec.is_share or (
        spec.unit != "s" and (not number or abs(number) >= 10 ** (1 - spec.places))
    ):
        return _fixed(spec, number, spec.places)
    return short(number)


def short(number: float) -> str:
    """Four digits: enough to compare, not more than is known."""
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"


def _apart(metric: str, number: float, limit: float | None) -> str:
    """A value with enough digits to be another than a limit that it is not."""
    spec = metric_of(metric)
    text = bare(metric, number)
    if limit is None or number == limit:
        return text
    for digits in range(spec.places + 1, _MOST_DIGITS):
        if float(text.replace(",", "")) != _rounded(spec.scale * limit, _MOST_DIGITS):
            break
        text = _fixed(spec, number, digits)
    return text


def _fixed(spec: Metric, number: float, digits: int) -> str:
    sign = "+" if spec.is_difference else ""
    return f"{_rounded(spec.scale * number, digits):{sign},.{digits}f}"


def _rounded(number: float, digits: int) -> float:
    """Adding 0 turns -0.0, which is what rounding leaves of a tiny negative one, into 0.0."""
    return round(number, digits) + 0.0


def _trimmed(text: str) -> str:
    """Without zeros at its end, which are digits of a fraction and none of an exponent."""
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def _with_unit(spec: Metric, text: str) -> str:
    return f"{text} {spec.shown_unit}".strip()
