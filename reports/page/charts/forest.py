"""Paired differences with their intervals, against none at all and against the margin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evals.metrics import metric_of
from evals.records.measurement import Verdict
from reports.page.charts.labels import (
    BROKEN,
    MARKS,
    change_said,
    form_of,
    is_rate,
    named,
    tick_said,
)
from reports.page.charts.markers import marker, whisker
from reports.page.charts.scales import Scale, bottom_axis, linear, within_reach
from reports.page.charts.svg import (
    BAD,
    INK,
    MUTED,
    SMALL,
    TEXT,
    WIDTH,
    figure,
    grid,
    join,
    keyed,
    line,
    picture,
    rect,
    shorten,
    text,
    width_of,
)

_NAMES = 150.0  # the most room for names
_RIGHT = 312.0
_VALUES = WIDTH - 15.0
_ROW = 22.0
_TOP = 18.0


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric after minus before, on the same n utterances.

    name: what differs, the row's heading. margin: how much worse it may be, if that is limited;
    its sign does not matter. key: a JSON pointer to the difference, where a file has one.
    reason: why there is no value.
    """

    name: str
    metric: str
    value: float | None
    n: int
    ci: tuple[float, float] | None = None
    margin: float | None = None
    verdict: Verdict | None = None
    key: str | None = None
    reason: str | None = None

    @property
    def title(self) -> str:
        """Name, metric, difference, interval, n, and what was decided."""
        metric = named(self.metric)
        if self.value is None:
            why = f": {self.reason}" if self.reason else ""
            return f"{self.name}: change of {metric} not measured{why}"
        words = [f"change of {metric} {change_said(self.value, self.metric)}"]
        if self.ci is not None:
            ends = [change_said(end, self.metric) for end in self.ci]
            words.append(f"95 % interval {ends[0]} to {ends[1]}")
        words.append(f"n = {self.n:,}")
        if self.margin is not None:
            worst = change_said(_edge(self), self.metric)
            words.append(f"margin {worst}" + (f", {self.verdict}" if self.verdict else ""))
        return f"{self.name}: {', '.join(words)}"


def forest(rows: Sequence[Difference]) -> Markup | None:
    """A chart for each kind of unit and direction among the rows; None without any."""
    kinds: dict[tuple[str, str], list[Difference]] = {}
    for row in rows:
        unit = "points" if is_rate(row.metric) else form_of(row.metric)
        kinds.setdefault((unit, metric_of(row.metric).bound), []).append(row)
    return grid(_draw(own, unit) for (unit, _), own in kinds.items())


def _draw(own: Sequence[Difference], unit: str) -> Markup:
    names = min(_NAMES, max(width_of(row.name, TEXT) for row in own))
    x = _scale(own, names + 8)
    height = _TOP + _ROW * len(own)
    drawn: list[Markup] = bottom_axis(
        x, _TOP, height, lambda v: tick_said(v, x.ticks[1] - x.ticks[0], unit)
    )
    zero = x(0.0)
    drawn.append(line(zero, _TOP, zero, height, stroke=INK, stroke_width=1.2, class_="zero"))
    rising = metric_of(own[0].metric).bound == "max"
    drawn += _directions(zero, rising)
    for i, row in enumerate(own):
        drawn.append(_row(row, x, _TOP + _ROW * i))
    metrics = ", ".join(dict.fromkeys(named(row.metric) for row in own))
    remark = f"{metrics}, after minus before, same utterances, 95 % intervals"
    if unit == "points":
        remark += ", in points"
    marks = {_MARK.get(row.verdict or "", "") for row in own}
    meant = [f"{mark}: {MARKS[mark]}" for mark in (BROKEN, "?") if mark in marks]
    if any(row.margin is not None for row in own):
        meant.append("red line: the margin")
    notes = [join(["; ".join(meant)])] if meant else []
    label = f"Differences of {remark}. " + ". ".join(row.title for row in own)
    return figure("Differences", remark, picture(height + 20, label, *drawn), *notes)


_MARK = {"fail": BROKEN, "inconclusive": "?"}


def _row(row: Difference, x: Scale, y: float) -> Markup:
    middle = y + _ROW / 2
    name = text(0, middle + 4, shorten(row.name, x.start - 8, TEXT), size=TEXT)
    hit = rect(0, y, WIDTH, _ROW, fill="none", pointer_events="all")
    if row.value is None:
        gap = text(
            x.start + 4, middle + 4, "not measured", fill=MUTED, font_style="italic", halo=True
        )
        return keyed(row.key, row.title, hit, name, gap)
    broken = row.verdict == "fail"
    fill = BAD if broken else INK
    # The unit is in the caption.
    value = change_said(row.value, row.metric).removesuffix(" points")
    value = shorten(value, _VALUES - _RIGHT + 8, TEXT)
    limit: list[Markup] = []
    if row.margin is not None and x.holds(_edge(row)):
        edge = x(_edge(row))
        past = (edge, x.end) if _edge(row) > 0 or _rising(row) else (x.start, edge)
        limit = [
            rect(past[0], y, past[1] - past[0], _ROW, fill=BAD, fill_opacity=0.07),
            line(edge, y, edge, y + _ROW, stroke=BAD, stroke_width=1.4, stroke_dasharray="4 3"),
        ]
    return keyed(
        row.key,
        row.title,
        hit,
        *limit,
        name,
        *whisker(x, row.ci, middle, fill),
        marker(x(row.value), middle, 3, fill=fill),
        text(
            _VALUES, middle + 4, value, size=TEXT, anchor="end", fill=fill,
            font_weight="bold" if broken else None,
        ),
        text(_VALUES + 3, middle + 4, mark, size=TEXT, fill=fill)
        if (mark := _MARK.get(row.verdict or ""))
        else None,
    )  # fmt: skip


def _scale(own: Sequence[Difference], left: float) -> Scale:
    known = [v for row in own if row.value is not None for v in (row.value, *(row.ci or ()))]
    margins = [_edge(row) for row in own if row.margin is not None]
    near = [m for m in margins if within_reach(m, known)]
    least = 0.01 if is_rate(own[0].metric) else 1.0
    # Both sides, so that it can be seen which side the rows are on.
    most = max((abs(v) for v in (*known, *near)), default=0.0) or least
    return linear([*known, *near, -most / 4, most / 4], left, _RIGHT, most=4, least=least)


def _directions(zero: float, rising: bool) -> list[Markup]:
    """Which side of none is better, where there is room for it."""
    left, right = ("← better", "worse →") if rising else ("← worse", "better →")
    drawn: list[Markup] = []
    if zero - width_of(left, SMALL) - 6 > 0:
        drawn.append(text(zero - 6, _TOP - 5, left, anchor="end", fill=MUTED))
    if zero + width_of(right, SMALL) + 6 < WIDTH:
        drawn.append(text(zero + 6, _TOP - 5, right, fill=MUTED))
    return drawn


def _rising(row: Difference) -> bool:
    return metric_of(row.metric).bound == "max"


def _edge(row: Difference) -> float:
    """The margin on the side where the metric gets worse."""
    return abs(row.margin or 0.0) * (1 if _rising(row) else -1)
