"""Two metrics of a task against each other, as speed and errors: which models are best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from evals.metrics import METRICS
from evals.records.measurement import ALL
from evals.task import TASKS
from reports.page.charts import labels, svg
from reports.page.charts.markers import colour, legend, marker, whisker
from reports.page.charts.scales import (
    Scale,
    bottom_axis,
    left_axis,
    linear,
    logarithmic,
    spans_decades,
)
from reports.scorecard.scorecard import Scorecard

_LEFT, _RIGHT = 46.0, svg.WIDTH - 12.0
_TOP, _BOTTOM = 24.0, 254.0
#: Of the name beside a mark.
_NAME = 150.0
_FADED = 0.5


@dataclass(frozen=True, slots=True)
class _Point:
    """A model of which both figures are known: that of which more is better, and the other."""

    index: int
    name: str
    more: labels.Row
    less: labels.Row
    beaten_by: str | None = None

    @property
    def at(self) -> tuple[float, float]:
        """Across and up."""
        return self.more.measurement.value or 0.0, self.less.measurement.value or 0.0

    @property
    def is_unfair(self) -> bool:
        return self.more.is_unfair

    @property
    def title(self) -> str:
        where = f"beaten in both by {self.beaten_by}" if self.beaten_by else "on the front"
        less, more = (labels.described(row.measurement) for row in (self.less, self.more))
        return f"{self.name} on {self.less.measurement.corpus}: {less}; {more}; {where}"


def pareto(card: Scorecard) -> Markup | None:
    """A plot for each corpus on which a model has both metrics of its task; None without any."""
    whole = [r for r in labels.rows(card) if r.measurement.slice == ALL]
    drawn = []
    for task in TASKS.values():
        of_task = [r for r in whole if r.measurement.task == task.name]
        if task.front is not None:
            for corpus in dict.fromkeys(r.measurement.corpus for r in of_task):
                own = [r for r in of_task if r.measurement.corpus == corpus]
                drawn.append(_draw(card, corpus, own, *task.front))
    return svg.grid(d for d in drawn if d is not None)


def _draw(
    card: Scorecard, corpus: str, own: Sequence[labels.Row], across: str, up: str
) -> Markup | None:
    found = {(row.measurement.model, row.measurement.metric): row for row in own}
    points: list[_Point] = []
    left_out: list[Markup] = []
    for index, model in enumerate(card.models):
        more, less = found.get((model.name, across)), found.get((model.name, up))
        if more is None and less is None:
            continue
        gap = next((r for r in (less, more) if r is not None and r.measurement.value is None), None)
        if more is None or less is None or gap is not None:
            lacks = gap.measurement.metric if gap else up if less is None else across
            state = labels.missing(gap.measurement) if gap else "not run"
            words = f"({labels.named(lacks)} {state})"
            left_out.append(labels.told_of(model.name, words, gap))
        else:
            points.append(_Point(index, model.name, more, less))
    if not points:
        return None
    points = [_judged(p, points) for p in points]
    x, y = _scales(points)
    drawn = bottom_axis(x, _TOP, _BOTTOM, labels.ticker(x, across))
    drawn += left_axis(y, _LEFT, _RIGHT, labels.ticker(y, up))
    drawn.append(svg.text(0, 13, labels.named(up), fill=svg.MUTED))
    log = ", log scale" if x.log else ""
    better = f"{labels.named(across)}{log}: better →"
    drawn.append(svg.text(_RIGHT, _BOTTOM + 30, better, anchor="end", fill=svg.MUTED))
    drawn.append(_front([p for p in points if p.beaten_by is None], x, y))
    for point in sorted(points, key=lambda p: p.beaten_by is None):  # the front on top
        drawn.append(_mark(point, x, y))
    unnamed = _names(drawn, points, x, y)
    height = _BOTTOM + 36
    if unnamed:
        names, height = legend(sorted((p.index, p.name) for p in unnamed), height + 2, svg.WIDTH)
        drawn += names
    notes: list[object] = []
    if any(p.beaten_by for p in points):
        notes.append("Faint: another model is better in both.")
    if any(p.is_unfair for p in points):
        notes.append(labels.UNFAIR.replace(", ~", ""))
    if left_out:
        notes.append(svg.join(["Not shown: ", Markup("; ").join(left_out), "."]))
    caption = f"{METRICS[up].capitalized} against {labels.named(across)}"
    label = f"{caption} (right and down are better). " + ". ".join(p.title for p in points)
    return svg.figure(
        caption,
        f"on {corpus}, 95 % intervals, dashed: the models that no other beats in both",
        svg.picture(height, label, *drawn),
        *notes,
    )


def _judged(point: _Point, points: Sequence[_Point]) -> _Point:
    """The point, with the name of the first model that is no worse in both and better in one."""
    speed, errors = point.at
    for other in points:
        faster, fewer = other.at
        if faster >= speed and fewer <= errors and (faster, fewer) != (speed, errors):
            return replace(point, beaten_by=other.name)
    return point


def _scales(points: Sequence[_Point]) -> tuple[Scale, Scale]:
    speeds = [p.at[0] for p in points]
    ends = [end for p in points for end in p.more.measurement.ci or ()]
    if spans_decades(speeds):
        near = [end for end in ends if end >= min(speeds) / 10]
        x = logarithmic([*speeds, *near], _LEFT, _RIGHT)
    else:
        x = linear([*speeds, *ends], _LEFT, _RIGHT)
    errors = [p.at[1] for p in points]
    tops = [end for p in points for end in p.less.measurement.ci or ()]
    return x, linear([*errors, *tops], _BOTTOM, _TOP, least=0.01)


def _front(front: Sequence[_Point], x: Scale, y: Scale) -> Markup:
    """The staircase above and left of which a model is beaten, and that region tinted."""
    steps = sorted((x(p.at[0]), y(p.at[1])) for p in front)
    path = f"M{svg.number(_LEFT)} {svg.number(steps[0][1])}"
    for across, up in steps:
        path += f"V{svg.number(up)}H{svg.number(across)}"
    path += f"V{svg.number(_TOP)}"
    area = svg.tag("path", d=f"{path}H{svg.number(_LEFT)}z", fill=svg.ACCENT, fill_opacity=0.07)
    edge = {"fill": "none", "stroke": svg.ACCENT, "stroke_width": 1.4, "stroke_dasharray": "5 3"}
    return svg.join([area, svg.tag("path", d=path, class_="front", **edge)])


def _mark(point: _Point, x: Scale, y: Scale) -> Markup:
    across, up = x(point.at[0]), y(point.at[1])
    ink = colour(point.index)
    speed = whisker(x, point.more.measurement.ci, up, ink, dashed=point.is_unfair)
    errors = whisker(y, point.less.measurement.ci, across, ink, upright=True)
    mark = marker(across, up, point.index, hollow=point.is_unfair)
    faded = _FADED if point.beaten_by else None
    return svg.tag(
        "g",
        svg.keyed(point.more.key, point.title, *speed),
        svg.keyed(point.less.key, point.title, *errors, mark),
        opacity=faded,
    )


_Box = tuple[float, float, float, float]


def _names(drawn: list[Markup], points: Sequence[_Point], x: Scale, y: Scale) -> list[_Point]:
    """Write names beside their marks where they touch nothing; return those without a place.

    Names may lie over whiskers, which show through around them, and rather over none.
    """
    spots = {p.index: (x(p.at[0]), y(p.at[1])) for p in points}
    taken: list[_Box] = [(a - 6, u - 6, a + 6, u + 6) for a, u in spots.values()]
    lines = [box for p in points for box in _whiskers(p, x, y)]
    unnamed: list[_Point] = []
    for point in sorted(points, key=lambda p: p.beaten_by is not None):  # the front first
        across, up = spots[point.index]
        name = svg.shorten(point.name, _NAME, svg.SMALL)
        wide = svg.width_of(name, svg.SMALL)
        places: list[tuple[int, int, _Box]] = []
        offsets = ((9, -6), (9, -15), (9, 3), (-9 - wide, -6), (-9 - wide, -15), (-9 - wide, 3),
                   (-wide / 2, -20), (-wide / 2, 9))  # fmt: skip
        for order, (dx, dy) in enumerate(offsets):
            box = (across + dx, up + dy, across + dx + wide, up + dy + 12)
            inside = (
                box[0] > _LEFT and box[2] < svg.WIDTH and box[1] > _TOP - 8 and box[3] < _BOTTOM
            )
            if inside and not any(_touch(box, other) for other in taken):
                places.append((sum(_touch(box, b) for b in lines), order, box))
        if not places:
            unnamed.append(point)
            continue
        box = min(places)[2]
        taken.append((box[0], box[1] - 1, box[2], box[3] + 2))  # lines of text need some air
        label = svg.text(
            box[0],
            box[3] - 2.5,
            name,
            fill=svg.MUTED if point.beaten_by else svg.INK,
            halo=True,
        )
        drawn.append(svg.tag("g", svg.tag("title", point.title), label))
    return unnamed


def _whiskers(point: _Point, x: Scale, y: Scale) -> list[_Box]:
    across, up = x(point.at[0]), y(point.at[1])
    boxes: list[_Box] = []
    if ci := point.more.measurement.ci:
        boxes.append((x(ci[0]), up, x(ci[1]), up))
    if ci := point.less.measurement.ci:
        boxes.append((across, y(ci[1]), across, y(ci[0])))
    return boxes


def _touch(a: _Box, b: _Box) -> bool:
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]
