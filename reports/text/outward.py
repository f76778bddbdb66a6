"""Rounding of limits, which must not become tighter by it."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext


def outward(value: float, *, up: bool, digits: int) -> float:
    """Round to so many significant digits, never down where `up`, else never up."""
    exact = Decimal(repr(value))
    # In decimals, since a product of floats may itself be rounded past what it should keep.
    with localcontext() as context:
        context.prec = digits
        context.rounding = ROUND_CEILING if up else ROUND_FLOOR
        return float(context.plus(exact))
