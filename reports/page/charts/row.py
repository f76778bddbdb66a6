"""A row of a chart: a name, a place on a scale, a value with its mark; the same in every chart."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from evals.records.measurement import Bound
from reports.page.charts import svg
from reports.page.charts.scales import Scale

ROW = 22.0
#: Where plots end. Values stand right of that and end at VALUES, before their mark.
RIGHT = 310.0
VALUES = svg.WIDTH - 15.0
#: Above the first row, for what limits and directions are.
TOP = 18.0
_NAMES = 150.0  # the most room for names
_GAP = 8.0
_BOLD = 1.08  # as much wider than other text


def start_of(names: Iterable[str], *, least: float = 0.0, bold: bool = False) -> float:
    """Where plots begin beside these names. bold: one of them may be."""
    widest = max(svg.width_of(name, svg.TEXT) for name in names) * (_BOLD if bold else 1.0)
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
    fill: str = svg.INK,
    bold: bool = False,
    bold_name: bool = False,
) -> Markup:
    """One row with what is drawn on its scale. value None: there is none, and `mark` says why."""
    base = y + height / 2 + 4
    room = (scale.start - _GAP) / (_BOLD if bold_name else 1.0)
    weight = {True: "bold", False: None}
    parts: list[Markup | None] = [
        svg.rect(0, y, svg.WIDTH, height, fill="none", pointer_events="all"),
        svg.text(
            0, base, svg.shorten(name, room, svg.TEXT), size=svg.TEXT, font_weight=weight[bold_name]
        ),
        *drawn,
    ]
    if value is None:
        parts.append(
            svg.text(scale.start + 4, base, mark, fill=svg.MUTED, font_style="italic", halo=True)
        )
    else:
        fits = svg.shorten(value, VALUES - RIGHT + _GAP, svg.TEXT)
        parts.append(
            svg.text(
                VALUES, base, fits, size=svg.TEXT, anchor="end", fill=fill, font_weight=weight[bold]
            )
        )
        parts.append(svg.text(VALUES + 3, base, mark, size=svg.TEXT, fill=fill) if mark else None)
    return svg.keyed(key, title, *parts)


def past(scale: Scale, limit: float, bound: Bound, y: float, height: float = ROW) -> list[Markup]:
    """A limit as a line through a row, and what lies past it tinted; nothing off the scale."""
    if not scale.holds(limit):
        return []
    x = scale(limit)
    start, end = (x, scale.end) if bound == "max" else (scale.start, x)
    return [
        svg.rect(start, y, end - start, height, fill=svg.BAD, fill_opacity=0.07),
        svg.line(x, y, x, y + height, stroke=svg.BAD, stroke_width=1.4, stroke_dasharray="4 3"),
    ]
