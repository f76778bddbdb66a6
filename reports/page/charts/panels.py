"""Panels: a metric of a task each, a row for each model and corpus; and the scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evals.metrics import METRICS
from evals.records.measurement import ALL, Limit
from evals.records.metric import Metric
from evals.task import TASKS, Task
from reports.page.charts import labels, svg
from reports.page.charts.markers import colour, marker, whisker
from reports.page.charts.row import RIGHT, ROW, TOP, named_row, past, start_of
from reports.page.charts.scales import (
    Scale,
    bottom_axis,
    linear,
    logarithmic,
    spans_decades,
    within_reach,
)
from reports.page.charts.scores import scores
from reports.scorecard.scorecard import Scorecard

_LEAST_NAMES = 70.0  # a limit's text stands over them


@dataclass(frozen=True, slots=True)
class _Panel:
    """A metric of a task."""

    task: Task
    metric: Metric
    caption: str

    @property
    def better(self) -> str:
        """What is measured, and which way is better."""
        return f"{self.metric.meaning}: {self.metric.better} is better"


@dataclass(frozen=True, slots=True)
class _Bound:
    """A row's limit in the panel's own unit."""

    limit: Limit
    key: str
    title: str


def panels(card: Scorecard) -> Markup | None:
    """The panels of each task that ran, then the scores; None where no task ran."""
    drawn: list[Markup] = []
    for task in TASKS.values():
        of_task = [r for r in labels.rows(card) if r.measurement.slice == ALL]
        of_task = [r for r in of_task if r.measurement.task == task.name]
        for column in task.charts:
            metric = METRICS[column.metric]
            panel = _Panel(task, metric, f"{task.title}: {column.heading or metric.title}")
            own = [r for r in of_task if r.measurement.metric == metric.name]
            measured = any(r.measurement.value is not None for r in own)
            if measured or (own and not column.where_measured):
                drawn.append(_draw(card, panel, own, _bounds(panel, own, of_task)))
    return svg.grid([*drawn, *scores(card)])


def _draw(
    card: Scorecard, panel: _Panel, own: Sequence[labels.Row], bounds: Mapping[int, _Bound]
) -> Markup:
    at = {(r.measurement.model, r.measurement.corpus): r for r in own}
    corpora = list(dict.fromkeys(r.measurement.corpus for r in own))
    contestants = [
        (i, m.name)
        for i, m in enumerate(card.models)
        if panel.task.protocol in m.tasks or any(r.measurement.model == m.name for r in own)
    ]
    left = start_of((name for _, name in contestants), least=_LEAST_NAMES)
    scale = _scale(panel, own, bounds, left)
    height = TOP + len(corpora) * len(contestants) * ROW + (len(corpora) > 1) * len(corpora) * 20
    drawn = bottom_axis(scale, TOP, height, labels.ticker(scale, panel.metric.name))
    drawn += _limit_labels(panel, scale, bounds)
    y = TOP
    spoken: list[str] = []
    for corpus in corpora:
        if len(corpora) > 1:
            short = svg.shorten(corpus, svg.WIDTH, svg.TEXT)
            drawn.append(
                svg.text(0, y + 14, short, size=svg.TEXT, fill=svg.INK, font_weight="bold")
            )
            y += 20
        for index, name in contestants:
            found = at.get((name, corpus))
            if found is None:
                title = f"{name} on {corpus}: {panel.metric.title} not run"
                drawn.append(named_row(None, title, name, scale, y, mark="not run"))
            else:
                drawn.append(_row(scale, y, index, found, bounds.get(found.index)))
            spoken.append(found.title if found else f"{name} on {corpus}: not run")
            y += ROW
    label = f"{panel.caption} ({panel.better}). " + ". ".join(spoken)
    return svg.figure(
        panel.caption,
        _remark(panel, own, corpora, scale),
        svg.picture(height + 20, label, *drawn),
        *_notes(own, bounds, scale),
    )


def _row(scale: Scale, y: float, index: int, of: labels.Row, bound: _Bound | None) -> Markup:
    """A model on a corpus: its name, its mark with the interval, its value."""
    m = of.measurement
    if m.value is None:
        whole = named_row(of.key, of.title, m.model, scale, y, mark=labels.missing(m))
    else:
        middle, place, ink = y + ROW / 2, scale(m.value), colour(index)
        drawn: list[Markup] = []
        if m.ci is None and not scale.log:
            # Without an interval the length itself can be read: from zero, like a bar.
            stem = {"stroke_width": 3, "stroke_opacity": 0.45}
            drawn.append(svg.line(scale(0.0), middle, place, middle, stroke=ink, **stem))
        drawn += whisker(scale, m.ci, middle, ink, dashed=of.is_unfair)
        drawn.append(marker(place, middle, index, hollow=of.is_unfair))
        broken = of.mark == labels.BROKEN
        whole = named_row(
            of.key, of.title, m.model, scale, y, *drawn, value=labels.said(m.value, m.metric),
            mark=of.mark, fill=svg.BAD if broken else svg.INK, bold=broken,
        )  # fmt: skip
    if bound is None or m.value is None:
        return whole
    limit = past(scale, bound.limit.value, bound.limit.bound, y)
    return svg.join([svg.keyed(bound.key, bound.title, *limit), whole]) if limit else whole


def _bounds(
    panel: _Panel, own: Sequence[labels.Row], of_task: Sequence[labels.Row]
) -> dict[int, _Bound]:
    """Index of a measurement to its limit; RTFx at least 1 / the limit of RTF."""
    found: dict[int, _Bound] = {}
    inverse = {
        (r.measurement.model, r.measurement.corpus): r
        for r in of_task
        if r.measurement.metric == panel.metric.inverse
    }
    for r in own:
        m = r.measurement
        source = r
        if m.limit is None and (m.model, m.corpus) in inverse:
            source = inverse[m.model, m.corpus]
        n = source.measurement
        if n.limit is None or n.bound is None:
            continue
        if source is r:
            limit, more = Limit(n.bound, n.limit, n.limit_source or ""), ""
        elif n.limit > 0:
            limit = Limit("min" if n.bound == "max" else "max", 1 / n.limit, n.limit_source or "")
            more = f" ({labels.named(m.metric)} {labels.said(limit.value, m.metric)})"
        else:
            continue
        found[r.index] = _Bound(limit, source.limit_key, source.limit_title + more)
    return found


def _scale(
    panel: _Panel, own: Sequence[labels.Row], bounds: Mapping[int, _Bound], left: float
) -> Scale:
    measured = [r.measurement for r in own if r.measurement.value is not None]
    values = [m.value for m in measured if m.value is not None]
    ends = [end for m in measured for end in m.ci or ()]
    limits = [b.limit.value for b in bounds.values()]
    if not panel.metric.is_share and spans_decades(values):
        # A lower end near zero must not add decades in which there is no value.
        floor = min(values) / 10
        return logarithmic(
            [*values, *(e for e in ends if e >= floor), *(v for v in limits if v >= floor)],
            left, RIGHT, most=4,
        )  # fmt: skip
    near = [v for v in limits if within_reach(v, [*values, *ends])]
    least = 0.01 if panel.metric.is_share else 1.0
    return linear([*values, *ends, *near], left, RIGHT, most=4, least=least)


def _limit_labels(panel: _Panel, scale: Scale, bounds: Mapping[int, _Bound]) -> list[Markup]:
    """The limits above the plot: the lowest, the highest, and those between that fit."""
    limits = [v for v in sorted({b.limit.value for b in bounds.values()}) if scale.holds(v)]
    if limits and scale(limits[-1]) - scale(limits[0]) < 12:
        limits = limits[:1]
    drawn: list[Markup] = []
    ends = {0: "end", len(limits) - 1: "start"} if len(limits) > 1 else {}
    free_from, free_until = 0.0, svg.WIDTH
    if ends:
        free_from, free_until = scale(limits[0]) + 10, scale(limits[-1]) - 10
    for i, value in enumerate(limits):
        # A rate's two digits say nothing of a limit.
        name = panel.metric.name
        rate = panel.metric.is_share
        label = (
            labels.tick_said(value, value, labels.form_of(name))
            if rate
            else labels.said(value, name)
        )
        label = label if i else f"limit {label}"
        half = svg.width_of(label, svg.SMALL) / 2
        anchor = ends.get(i, "middle")
        x = scale(value) + {"end": 4, "start": -4}.get(anchor, 0)
        if anchor == "middle":
            x = x if ends else min(svg.WIDTH - half, max(half, x))
            if x - half < free_from or x + half > free_until:
                continue
            free_from = x + half + 6
        drawn.append(svg.text(x, TOP - 5, label, anchor=anchor, fill=svg.BAD))
    return drawn


def _remark(panel: _Panel, own: Sequence[labels.Row], corpora: Sequence[str], scale: Scale) -> str:
    words = [panel.better]
    if scale.log:
        words.append("log scale")
    if len(corpora) == 1:
        words.append(f"on {corpora[0]}")
        counts = {r.measurement.n for r in own if r.measurement.value is not None}
        if len(counts) == 1 and counts != {1}:
            words.append(f"n = {counts.pop():,}")
    if any(r.measurement.ci for r in own):
        words.append("95 % intervals")
    return ", ".join(words)


def _notes(
    own: Sequence[labels.Row], bounds: Mapping[int, _Bound], scale: Scale
) -> list[Markup | str]:
    """What the marks mean that are there, and the limits that are not."""
    notes: list[Markup | str] = []
    marks = {r.mark for r in own if r.measurement.value is not None}
    if legend := labels.meant(marks):
        notes.append(f"{'; '.join(legend)}.")
    if "~" in marks:
        notes.append(labels.UNFAIR)
    beyond: dict[str, Markup] = {}
    for r in own:
        bound = bounds.get(r.index)
        if bound and not scale.holds(bound.limit.value):
            side = "at least" if bound.limit.bound == "min" else "at most"
            limit = f"{side} {labels.said(bound.limit.value, r.measurement.metric)}"
            beyond.setdefault(limit, svg.tag("span", limit, data_key=bound.key, title=bound.title))
    if beyond:
        notes.append(svg.join(["Limits off the scale: ", Markup("; ").join(beyond.values())]))
    return notes
