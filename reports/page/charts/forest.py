"""Paired differences with their intervals, against none at all and against the margin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evals.metrics import metric_of
from evals.records.measurement import Verdict
from reports.page.charts import labels, svg
from reports.page.charts.markers import marker, whisker
from reports.page.charts.row import RIGHT, ROW, TOP, named_row, past, start_of
from reports.page.charts.scales import Scale, bottom_axis, linear, within_reach


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
        metric = labels.named(self.metric)
        if self.value is None:
            why = f": {self.reason}" if self.reason else ""
            return f"{self.name}: change of {metric} not measured{why}"
        words = [f"change of {metric} {labels.change_said(self.value, self.metric)}"]
        if self.ci is not None:
            ends = [labels.change_said(end, self.metric) for end in self.ci]
            words.append(f"95 % interval {ends[0]} to {ends[1]}")
        words.append(f"n = {self.n:,}")
        if self.margin is not None:
            worst = labels.change_said(_edge(self), self.metric)
            words.append(f"margin {worst}" + (f", {self.verdict}" if self.verdict else ""))
        return f"{self.name}: {', '.join(words)}"


def forest(rows: Sequence[Difference]) -> Markup | None:
    """A chart for each kind of unit and direction among the rows; None without any."""
    kinds: dict[tuple[str, str], list[Difference]] = {}
    for row in rows:
        unit = "points" if labels.is_rate(row.metric) else labels.form_of(row.metric)
        kinds.setdefault((unit, metric_of(row.metric).bound), []).append(row)
    return svg.grid(_draw(own, unit) for (unit, _), own in kinds.items())


def _draw(own: Sequence[Difference], unit: str) -> Markup:
    x = _scale(own, start_of(each.name for each in own))
    height = TOP + ROW * len(own)
    drawn: list[Markup] = bottom_axis(
        x, TOP, height, lambda v: labels.tick_said(v, x.ticks[1] - x.ticks[0], unit)
    )
    zero = x(0.0)
    drawn.append(svg.line(zero, TOP, zero, height, stroke=svg.INK, stroke_width=1.2, class_="zero"))
    rising = metric_of(own[0].metric).bound == "max"
    drawn += _directions(zero, rising)
    drawn += [_row(each, x, TOP + ROW * i) for i, each in enumerate(own)]
    metrics = ", ".join(dict.fromkeys(labels.named(each.metric) for each in own))
    remark = f"{metrics}, after minus before, same utterances, 95 % intervals"
    if unit == "points":
        remark += ", in points"
    legend = labels.meant({labels.mark_of(each.verdict) for each in own})
    if any(each.margin is not None for each in own):
        legend.append("red line: the margin")
    notes = ["; ".join(legend)] if legend else []
    label = f"Differences of {remark}. " + ". ".join(each.title for each in own)
    return svg.figure("Differences", remark, svg.picture(height + 20, label, *drawn), *notes)


def _row(each: Difference, x: Scale, y: float) -> Markup:
    if each.value is None:
        return named_row(each.key, each.title, each.name, x, y, mark="not measured")
    broken = each.verdict == "fail"
    fill = svg.BAD if broken else svg.INK
    drawn: list[Markup] = []
    if each.margin is not None:
        drawn = past(x, _edge(each), metric_of(each.metric).bound, y)
    return named_row(
        each.key,
        each.title,
        each.name,
        x,
        y,
        *drawn,
        *whisker(x, each.ci, y + ROW / 2, fill),
        marker(x(each.value), y + ROW / 2, 3, fill=fill),
        # The unit is in the caption.
        value=labels.change_said(each.value, each.metric).removesuffix(" points"),
        mark=labels.mark_of(each.verdict),
        fill=fill,
        bold=broken,
    )


def _scale(own: Sequence[Difference], left: float) -> Scale:
    known = [v for row in own if row.value is not None for v in (row.value, *(row.ci or ()))]
    margins = [_edge(row) for row in own if row.margin is not None]
    near = [m for m in margins if within_reach(m, known)]
    least = 0.01 if labels.is_rate(own[0].metric) else 1.0
    # Both sides, so that it can be seen which side the rows are on.
    most = max((abs(v) for v in (*known, *near)), default=0.0) or least
    return linear([*known, *near, -most / 4, most / 4], left, RIGHT, most=4, least=least)


def _directions(zero: float, rising: bool) -> list[Markup]:
    """Which side of none is better, where there is room for it."""
    left, right = ("← better", "worse →") if rising else ("← worse", "better →")
    drawn: list[Markup] = []
    if zero - svg.width_of(left, svg.SMALL) - 6 > 0:
        drawn.append(svg.text(zero - 6, TOP - 5, left, anchor="end", fill=svg.MUTED))
    if zero + svg.width_of(right, svg.SMALL) + 6 < svg.WIDTH:
        drawn.append(svg.text(zero + 6, TOP - 5, right, fill=svg.MUTED))
    return drawn


def _edge(row: Difference) -> float:
    """The margin on the side where the metric gets worse."""
    return abs(row.margin or 0.0) * (1 if metric_of(row.metric).bound == "max" else -1)
