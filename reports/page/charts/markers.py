"""A model's mark: its colour and shape are the same in every chart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from markupsafe import Markup

from reports.page.charts import svg
from reports.page.charts.scales import Scale

#: Told apart by people who see fewer colours too (after Okabe and Ito 2008); the page's own win.
_COLOURS = (
    "#0068a8", "#c4500a", "#00805c", "#a8437f", "#a87400", "#3f93c7", "#6b5bb5", "#5c5c5c",
)  # fmt: skip
#: About as large each as a circle of radius 4.5. Seven of them beside eight colours: no two of
#: 56 models have the same mark.
_SHAPES = (
    "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z",
    "M-4-4h8v8h-8z",
    "M0-5.2L5 3.8H-5z",
    "M0-5.6L5.6 0L0 5.6L-5.6 0z",
    "M0 5.2L5-3.8H-5z",
    "M-1.7-5h3.4v3.3h3.3v3.4h-3.3v3.3h-3.4v-3.3h-3.3v-3.4h3.3z",
    "M0-5L4.8-1.5L3 4.2H-3L-4.8-1.5z",
)


def colour(index: int) -> str:
    """The colour of the model with that index in the scorecard."""
    i = index % len(_COLOURS)
    return f"var(--c{i + 1}, {_COLOURS[i]})"


def marker(
    x: float, y: float, index: int, *, hollow: bool = False, fill: str | None = None
) -> Markup:
    """The model's shape around a point. hollow: the figure is not to be trusted as it is."""
    ink = fill or colour(index)
    return svg.tag(
        "path",
        d=_SHAPES[index % len(_SHAPES)],
        transform=f"translate({svg.number(x)} {svg.number(y)})",
        fill=svg.PAPER if hollow else ink,
        stroke=ink if hollow else svg.PAPER,
        stroke_width=1.8 if hollow else 0.8,
        class_="mark",
    )


def whisker(
    scale: Scale,
    ci: Sequence[float] | None,
    across: float,
    ink: str,
    *,
    upright: bool = False,
    dashed: bool = False,
) -> list[Markup]:
    """An interval along a scale; an end that lies beyond the scale has no cap."""
    if ci is None:
        return []
    low, high = scale(ci[0]), scale(ci[1])

    def stroke(a1: float, b1: float, a2: float, b2: float, dashes: str | None = None) -> Markup:
        ends = (b1, a1, b2, a2) if upright else (a1, b1, a2, b2)
        return svg.line(*ends, ink, stroke_width=1.6, stroke_dasharray=dashes)

    drawn = [stroke(low, across, high, across, "3 2" if dashed else None)]
    for end, place in ((ci[0], low), (ci[1], high)):
        if scale.holds(end):
            drawn.append(stroke(place, across - 3, place, across + 3))
    return drawn


def path_through(places: Iterable[tuple[float, float] | None], ink: str, **look: Any) -> Markup:
    """A line through the places; None leaves a gap."""
    path, pen_down = "", False
    for place in places:
        if place is not None:
            path += f"{'L' if pen_down else 'M'}{svg.number(place[0])} {svg.number(place[1])}"
        pen_down = place is not None
    return svg.tag("path", d=path or "M0 0", fill="none", stroke=ink, **look)


def parted(
    models: Sequence[tuple[int, str]], most: int
) -> list[tuple[Sequence[tuple[int, str]], str]]:
    """The models in groups of at most `most`, each with words that say which models it has."""
    starts = range(0, len(models), most)
    whole = len(models)
    return [
        (
            models[i : i + most],
            f", models {i + 1} to {min(whole, i + most)} of {whole}" if whole > most else "",
        )
        for i in starts
    ]


def legend(names: Sequence[tuple[int, str]], y: float, width: float) -> tuple[list[Markup], float]:
    """Marks with their names, in rows from y down, and where the next thing may begin."""
    columns = 2
    each = width / columns
    drawn: list[Markup] = []
    for place, (index, name) in enumerate(names):
        x, row = each * (place % columns), y + 16 * (place // columns)
        short = svg.shorten(name, each - 20, svg.SMALL)
        drawn.append(marker(x + 7, row + 8, index))
        drawn.append(svg.tag("g", svg.tag("title", name), svg.text(x + 16, row + 12, short)))
    return drawn, y + 16 * -(-len(names) // columns)
