"""How much worse a model is under each condition than undisturbed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evals.metrics import METRICS
from evals.records.metric import Metric
from evals.task import TASKS, Task
from reports.page.charts import svg
from reports.page.charts.labels import Row, missing, named, rows, said, ticker, told_of
from reports.page.charts.markers import colour, legend, marker, parted, path_through, whisker
from reports.page.charts.row import past, start_of
from reports.page.charts.scales import Scale, bottom_axis, left_axis, linear, within_reach
from reports.scorecard.scorecard import Scorecard

#: "white-20db": noise of that level below the speech. "gain-12db" alone is no curve.
_LEVEL = re.compile(r"(.+?)-(\d+(?:\.\d+)?)db")
#: Lines on one chart.
_MOST_MODELS = 6
_LEFT, _RIGHT = 46.0, svg.WIDTH - 16.0
_TOP, _BOTTOM = 22.0, 200.0


@dataclass(frozen=True, slots=True)
class _Drifts:
    """How far a metric drifts from the undisturbed on a corpus, by condition and model.

    base: the figures that the drifts start from.
    """

    metric: Metric
    corpus: str
    found: Mapping[tuple[str, str], Row]
    base: Sequence[Row]

    def under(self, conditions: Iterable[str]) -> Sequence[Row]:
        """The figures under these conditions."""
        wanted = {*conditions}
        return [row for (condition, _), row in self.found.items() if condition in wanted]

    def remark(self, which: str) -> str:
        """What is drawn. which: of which models, where not of all."""
        unit = f", in {self.metric.shown_unit}" if self.metric.shown_unit else ""
        return f"on {self.corpus}, {self.metric.meaning}{unit}{which}"


def conditions(card: Scorecard) -> Markup | None:
    """For each corpus a curve for each kind of noise, and dots for the rest; None without any.

    It is of the tasks that have parts.
    """
    drawn: list[Markup] = []
    everything = list(rows(card))
    for task in TASKS.values():
        own = [row for row in everything if row.measurement.task == task.name]
        if task.parts:
            for corpus in dict.fromkeys(row.measurement.corpus for row in own):
                here = [row for row in own if row.measurement.corpus == corpus]
                drawn += _of_corpus(card, task, corpus, here)
    return svg.grid(drawn)


def _of_corpus(card: Scorecard, task: Task, corpus: str, here: Sequence[Row]) -> list[Markup]:
    *bases, each = (column.metric for column in task.columns_on("terminal"))
    found = {
        (r.measurement.slice, r.measurement.model): r for r in here if r.measurement.metric == each
    }
    drifting = {condition for condition, _ in found}
    base = [
        r for r in here if r.measurement.metric in bases and r.measurement.slice not in drifting
    ]
    drifts = _Drifts(METRICS[each], corpus, found, base)
    present = {model for _, model in found}
    models = [(i, m.name) for i, m in enumerate(card.models) if m.name in present]
    curves, single = _kinds(dict.fromkeys(condition for condition, _ in found))
    # More lines than these could not be told apart; the scale is that of all.
    groups = parted(models, _MOST_MODELS)
    drawn = [
        _curve(noise, levels, some, drifts, which)
        for noise, levels in curves.items()
        for some, which in groups
    ]
    if single:
        caption = "Other conditions" if curves else "Conditions"
        drawn += [_dots(caption, single, some, drifts, which) for some, which in groups]
    return drawn


def _kinds(
    conditions: Iterable[str],
) -> tuple[Mapping[str, Mapping[float, str]], Sequence[str]]:
    """Noise to its conditions by level in dB, and the conditions that are no part of a curve."""
    found: defaultdict[str, dict[float, str]] = defaultdict(dict)
    everything = list(conditions)
    for condition in everything:
        if match := _LEVEL.fullmatch(condition):
            found[match[1]][float(match[2])] = condition
    curves = {
        noise: dict(sorted(levels.items(), reverse=True))
        for noise, levels in found.items()
        if len(levels) > 1
    }
    on_curves = {c for levels in curves.values() for c in levels.values()}
    return curves, [c for c in everything if c not in on_curves]


def _curve(
    noise: str,
    levels: Mapping[float, str],
    models: Sequence[tuple[int, str]],
    drifts: _Drifts,
    which: str,
) -> Markup:
    """Drift over the level of a noise, the loudest noise to the right."""
    y = _scale(drifts.under(levels.values()), _BOTTOM, _TOP, most=5)
    louder, softer = min(levels), max(levels)
    room = 3.0 * len(models)

    def place(level: float) -> float:
        part = (softer - level) / (softer - louder)
        return _LEFT + 12 + room / 2 + part * (_RIGHT - _LEFT - 24 - room)

    drawn = left_axis(y, _LEFT, _RIGHT, ticker(y, drifts.metric.name))
    free_from = 0.0
    for level in levels:
        x = place(level)
        label = f"{level:g} dB"
        drawn.append(svg.line(x, _BOTTOM, x, _BOTTOM + 4))
        if x - 20 >= free_from:
            drawn.append(
                svg.text(x, _BOTTOM + 17, label, anchor="middle", fill=svg.MUTED, class_="level")
            )
            free_from = x + 22
    drawn.append(svg.text(0, 13, drifts.metric.shown_unit, fill=svg.MUTED))
    drawn.append(svg.text(_RIGHT, _BOTTOM + 33, "louder noise →", anchor="end", fill=svg.MUTED))
    spoken: list[str] = []
    for order, (index, model) in enumerate(models):
        aside = (order - (len(models) - 1) / 2) * 3.0
        known = [(place(at) + aside, drifts.found.get((c, model))) for at, c in levels.items()]
        values = [(x, row.measurement.value if row else None) for x, row in known]
        spots = [(x, y(value)) if value is not None else None for x, value in values]
        drawn.append(path_through(spots, colour(index), stroke_width=1.6))
        for (x, row), spot in zip(known, spots, strict=True):
            if row is not None:
                spoken.append(row.title)
                drawn += _limit_upright(row, x, y)
            if row is not None and spot is not None:
                ends = whisker(y, row.measurement.ci, x, colour(index), upright=True)
                drawn.append(svg.keyed(row.key, row.title, *ends, marker(*spot, index)))
    more, height = legend(models, _BOTTOM + 40, svg.WIDTH)
    remark = drifts.remark(which)
    label = f"{drifts.metric.capitalized} in {noise} noise, {remark}. " + ". ".join(spoken)
    caption = f"{noise.capitalize()} noise"
    drawing = svg.picture(height, label, *drawn, *more)
    return svg.figure(caption, remark, drawing, *_notes(models, [*levels.values()], drifts))


def _dots(
    caption: str,
    conditions: Sequence[str],
    models: Sequence[tuple[int, str]],
    drifts: _Drifts,
    which: str,
) -> Markup:
    """A row for each condition, in it a mark for each model."""
    x = _scale(drifts.under(conditions), start_of(conditions), _RIGHT, most=5)
    lane = 11.0 if len(models) < 4 else 9.0
    height = max(20.0, lane * len(models) + 6)
    bottom = 4 + height * len(conditions)
    drawn = bottom_axis(x, 4, bottom, ticker(x, drifts.metric.name))
    spoken: list[str] = []
    for i, condition in enumerate(conditions):
        y = 4 + height * i
        if i:
            drawn.append(svg.line(0, y, _RIGHT, y, stroke=svg.LINE, stroke_dasharray="1 3"))
        short = svg.shorten(condition, x.start - 8, svg.TEXT)
        name_at = y + height / 2 + 4
        drawn.append(
            svg.tag("g", svg.tag("title", condition), svg.text(0, name_at, short, size=svg.TEXT))
        )
        for order, (index, model) in enumerate(models):
            row = drifts.found.get((condition, model))
            if row is None:
                continue
            spoken.append(row.title)
            m = row.measurement
            top = y + 3 + lane * order + (height - 6 - lane * len(models)) / 2
            middle = top + lane / 2
            if m.limit is not None and (limit := past(x, m.limit, m.bound or "max", top, lane)):
                drawn.append(svg.keyed(row.limit_key, row.limit_title, *limit))
            if m.value is not None:
                across = x.end - x.start
                hit = svg.rect(x.start, top, across, lane, fill="none", pointer_events="all")
                ends = whisker(x, m.ci, middle, colour(index))
                mark = marker(x(m.value), middle, index)
                drawn.append(svg.keyed(row.key, row.title, hit, *ends, mark))
    more, end = legend(models, bottom + 24, svg.WIDTH)
    remark = drifts.remark(which)
    label = f"{drifts.metric.capitalized}, {remark}. " + ". ".join(spoken)
    drawing = svg.picture(end, label, *drawn, *more)
    return svg.figure(caption, remark, drawing, *_notes(models, conditions, drifts))


def _limit_upright(row: Row, x: float, y: Scale) -> list[Markup]:
    """A short line at the most that a condition may cost."""
    limit = row.measurement.limit
    if limit is None or not y.holds(limit):
        return []
    at = y(limit)
    bar = svg.line(x - 7, at, x + 7, at, stroke=svg.BAD, stroke_width=1.6, stroke_dasharray="4 2")
    return [svg.keyed(row.limit_key, row.limit_title, bar)]


def _scale(own: Sequence[Row], start: float, end: float, *, most: int) -> Scale:
    values = [row.measurement.value for row in own if row.measurement.value is not None]
    ends = [e for row in own if row.measurement.value is not None for e in row.measurement.ci or ()]
    limits = [row.measurement.limit for row in own if row.measurement.limit is not None]
    near = [limit for limit in limits if within_reach(limit, [*values, *ends])]
    return linear([*values, *ends, *near], start, end, most=most, least=0.01)


def _notes(
    models: Sequence[tuple[int, str]], conditions: Sequence[str], drifts: _Drifts
) -> list[Markup]:
    """What the drifts start from, the limits, and what is not there."""
    names = {name for _, name in models}
    base: dict[str, list[Markup]] = {}
    for row in drifts.base:
        m = row.measurement
        if m.value is not None and m.model in names:
            told = told_of(m.model, said(m.value, m.metric), row)
            base.setdefault(f"{m.slice.capitalize()} {named(m.metric)}: ", []).append(told)
    notes: list[Markup] = []
    notes += [svg.join([what, Markup(", ").join(told), "."]) for what, told in base.items()]
    here = [row.measurement for row in drifts.under(conditions)]
    if any(m.limit is not None and m.model in names for m in here):
        notes.append(svg.join(["Red line: the most that a condition may cost."]))
    gaps: list[Markup] = []
    for condition in conditions:
        for _, model in models:
            gap = drifts.found.get((condition, model))
            if gap is None or gap.measurement.value is None:
                state = missing(gap.measurement) if gap else "not run"
                gaps.append(told_of(model, f"{condition} {state}", gap))
    if gaps:
        notes.append(svg.join(["Not shown: ", Markup("; ").join(gaps), "."]))
    return notes
