"""Numbers that may limit a metric, and how people write them: 0.10 or 10%."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, TypeAlias

from pydantic import ValidatorFunctionWrapHandler, WrapValidator

from evals.records.metric import Metric

_PERCENTAGE = re.compile(r"([+-]?[0-9]{1,12}(?:\.[0-9]{1,12})?) ?%")
#: Units of which a value below 0 is as good as any other.
_SIGNED = frozenset({"LUFS", "dB", "score"})
#: Ratios that are never above 1, though reports write them without a per cent.
_PARTS_OF_1 = frozenset({"dc_offset"})


class Percentage(float):
    """A number that was written in per cent: 0.1 for "10%"."""

    __slots__ = ()


def _read(value: Any, number: ValidatorFunctionWrapHandler) -> float:
    if not isinstance(value, str):
        checked: float = number(value)
        return checked
    found = _PERCENTAGE.fullmatch(value)
    if found is None:
        raise ValueError("a number is expected, such as 0.10, or a percentage, such as 10%")
    return Percentage(Decimal(found[1]) / 100)


#: A limit in a file: a number, or a percentage, which is read as a Percentage.
Quantity: TypeAlias = Annotated[float, WrapValidator(_read)]


def why_no_limit(metric: Metric, value: float) -> str | None:
    """Why no value of a metric can be held to this number; None where it can."""
    if isinstance(value, Percentage) and not metric.is_share:
        return f"{metric.name} is no share, and takes a number without %"
    may_be_negative = metric.is_difference or metric.unit in _SIGNED
    if value < 0 and not may_be_negative:
        return f"{metric.name} is never below 0, and neither is a limit of it"
    if metric.is_share or metric.name in _PARTS_OF_1:
        return _why_no_share(value)
    return None


def why_no_margin(metric: Metric, value: float) -> str | None:
    """Why a metric's change since the baseline cannot be held to this number."""
    if value < 0:
        return "a margin is how much worse is allowed, so never below 0"
    return why_no_limit(metric, value)


def _why_no_share(value: float) -> str | None:
    if -1 <= value <= 1:
        return None
    if isinstance(value, Percentage):
        return f"{100 * value:,.6g}% is more than the whole: at most 100% is expected"
    share = f"{value / 100:.6g}"
    if len(share.partition(".")[2]) < 2:
        share = f"{value / 100:.2f}"
    return f"{value:g} is {100 * value:,.6g} %; write {share} or {value:g}%"
