"""A row of a chart: a name, a place on a scale, a value with its mark; the same in every chart."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from evals.records.measurement import Bound
from reports.page.charts.scales import Scale
from reports.page.charts.svg import (
    BAD,
    INK,
    MUTED,
    TEXT,
    WIDTH,
    keyed,
    line,
    rect,
    shorten,
    text,
    width_of,
)

ROW = 22.0
#: Where plots end. Values stand right of that and end at VALUES, before their mark.
RIGHT = 310.0
VALUES = WIDTH - 15.0
#: Above the first row, for what limits and directions are.
TOP = 18.0
_NAMES = 150.0  # the most room for names
_GAP = 8.0
_BOLD = 1.08  # as much wider than other text


def start_of(names: Iterable[str], *, least: float = 0.0, bold: bool = False) -> float:
    """Where plots begin beside these names. bold: one of them may be."""
    widest = max(width_of(name, TEXT) for name in names) * (_BOLD if bold else 1.0)
    return min(_NAMES, max(least, widest)) + _GAP


def named_row(
    key: str | None,
    title: str,
    name: str,
    scale: Scale,
    y: float,
    *drawn: Markup | None,
    height: float = ROW,
    value: str | None = None,
    mark: str = "",
    fill: str = INK,
    bold: bool = False,
    bold_name: bool = False,
) -> Markup:
    """One row with what is drawn on its scale. value None: `mark` says over the scale why."""
    base = y + height / 2 + 4
    room = (scale.start - _GAP) / (_BOLD if bold_name else 1.0)
    weight = {True: "bold", False: None}
    parts: list[Markup | None] = [
        rect(0, y, WIDTH, height, fill="none", pointer_events="all"),
        text(0, base, shorten(name, room, TEXT), size=TEXT, font_weight=weight[bold_name]),
        *drawn,
    ]
    if value is None:
        parts.append(text(scale.start + 4, base, mark, fill=MUTED, font_style="italic", halo=True))
    else:
        fits = shorten(value, VALUES - RIGHT + _GAP, TEXT)
        parts.append(
            text(VALUES, base, fits, size=TEXT, anchor="end", fill=fill, font_weight=weight[bold])
        )
        parts.append(text(VALUES + 3, base, mark, size=TEXT, fill=fill) if mark else None)
    return keyed(key, title, *parts)


def past(scale: Scale, limit: float, bound: Bound, y: float, height: float = ROW) -> list[Markup]:
    """A limit as a line through a row, and what lies past it tinted; nothing off the scale."""
    if not scale.holds(limit):
        return []
    x = scale(limit)
    start, end = (x, scale.end) if bound == "max" else (scale.start, x)
    return [
        rect(start, y, end - start, height, fill=BAD, fill_opacity=0.07),
        line(x, y, x, y + height, stroke=BAD, stroke_width=1.4, stroke_dasharray="4 3"),
    ]
