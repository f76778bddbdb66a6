"""A metric over runs, a line for each model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evals.metrics import metric_of
from reports.page.charts import svg
from reports.page.charts.labels import (
    UNFAIR,
    interval_said,
    is_rate,
    named,
    said,
    ticker,
)
from reports.page.charts.markers import colour, legend, marker, path_through, whisker
from reports.page.charts.scales import (
    Scale,
    left_axis,
    linear,
    logarithmic,
    spans_decades,
    within_reach,
)

#: Runs that a chart has room for; the latest are shown.
MOST_RUNS = 24
_LEFT, _RIGHT = 60.0, svg.WIDTH - 12.0
_TOP, _BOTTOM = 24.0, 200.0
#: A limit further off than this many times the largest value would flatten what happened.
_NEAR = 2.0
#: A run's id as this suite makes it.
_WHEN = re.compile(r"\d{4}-(\d\d-\d\d)T(\d\d)-(\d\d)-\d\dZ")


@dataclass(frozen=True, slots=True)
class Point:
    """A figure of one run.

    key: its JSON pointer in that run's scorecard. value: None is missing, and then `state` says
    how. unfair: the machine was busy or shared.
    """

    run: str
    key: str
    value: float | None
    n: int
    ci: tuple[float, float] | None = None
    state: str = "not measured"
    unfair: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    """A model's figures. index: of its mark, the same in every chart of a page."""

    model: str
    index: int
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class History:
    """A metric on a corpus over runs, from the first to the last.

    limit: what every run is held to, if anything.
    """

    metric: str
    corpus: str
    runs: Sequence[str]
    series: Sequence[Series]
    baseline: str | None = None
    limit: float | None = None


def history(series: History) -> Markup | None:
    """The chart; None where no run has a value."""
    runs = series.runs[-MOST_RUNS:]
    shown = [
        Series(s.model, s.index, [p for p in s.points if p.run in runs]) for s in series.series
    ]
    points = [p for s in shown for p in s.points]
    if not any(p.value is not None for p in points):
        return None
    y = _scale(series, points)
    drawn = left_axis(y, _LEFT, _RIGHT, ticker(y, series.metric))
    step = (_RIGHT - _LEFT - 20) / max(1, len(runs) - 1)
    places = {run: _LEFT + 10 + step * i for i, run in enumerate(runs)}
    if len(runs) == 1:
        places = {runs[0]: (_LEFT + _RIGHT) / 2}
    drawn += _run_labels(runs, places)
    if series.limit is not None and y.holds(series.limit):
        at = y(series.limit)
        drawn.append(svg.line(_LEFT, at, _RIGHT, at, stroke=svg.BAD, stroke_dasharray="4 3"))
    if series.baseline in places:
        drawn += _baseline(places[series.baseline])
    spoken: list[str] = []
    aside = min(3.0, step / (2 * len(shown)))
    for order, one in enumerate(shown):
        shift = (order - (len(shown) - 1) / 2) * aside
        drawn += _line(one, runs, places, shift, y)
        for point in one.points:
            title = _title(series, one.model, point)
            spoken.append(title)
            if point.value is not None:
                drawn.append(_mark(one, point, title, places[point.run] + shift, y))
    better = metric_of(series.metric).better
    remark = f"on {series.corpus}, {better} is better, 95 % intervals where known"
    if y.log:
        remark += ", log scale"
    if len(runs) < len(series.runs):
        remark += f", the latest {len(runs)} of {len(series.runs)} runs"
    more, height = legend([(s.index, s.model) for s in shown], _BOTTOM + 42, svg.WIDTH)
    name = named(series.metric)
    caption = name[0].upper() + name[1:]
    label = f"{caption} over runs, {remark}. " + ". ".join(spoken)
    drawing = svg.picture(height, label, *drawn, *more)
    return svg.figure(caption, remark, drawing, *_notes(series, shown, y))


def _scale(series: History, points: Sequence[Point]) -> Scale:
    values = [p.value for p in points if p.value is not None]
    ends = [e for p in points if p.value is not None for e in p.ci or ()]
    if not is_rate(series.metric) and spans_decades(values):
        near = [e for e in ends if e >= min(values) / 10]
        return logarithmic([*values, *near], _BOTTOM, _TOP)
    limit = series.limit
    known = [*values, *ends]
    if limit is not None and within_reach(limit, known, _NEAR):
        known.append(limit)
    least = 0.01 if is_rate(series.metric) else 1.0
    return linear(known, _BOTTOM, _TOP, least=least, zero=False)


def _run_labels(runs: Sequence[str], places: dict[str, float]) -> list[Markup]:
    """When each run was, day over time, as far as there is room; the last one always."""
    drawn: list[Markup] = []
    free_until = svg.WIDTH
    for run in reversed(runs):
        x = places[run]
        found = _WHEN.fullmatch(run)
        words = (
            (found[1], f"{found[2]}:{found[3]}") if found else (svg.shorten(run, 70, svg.SMALL),)
        )
        half = max(svg.width_of(w, svg.SMALL) for w in words) / 2
        middle = min(x, svg.WIDTH - half)
        if middle + half > free_until or middle - half < 0:
            continue
        free_until = middle - half - 6
        lines = [
            svg.text(middle, _BOTTOM + 19 + 13 * i, word, anchor="middle", fill=svg.MUTED)
            for i, word in enumerate(words)
        ]
        drawn.append(
            svg.tag("g", svg.tag("title", run), svg.line(x, _BOTTOM, x, _BOTTOM + 4), *lines)
        )
    return drawn


def _baseline(x: float) -> list[Markup]:
    half = svg.width_of("baseline", svg.SMALL) / 2
    middle = min(svg.WIDTH - half, max(half, x))
    return [
        svg.line(x, _TOP - 6, x, _BOTTOM, stroke=svg.INK, stroke_width=1.2, stroke_dasharray="2 3"),
        svg.text(middle, _TOP - 11, "baseline", anchor="middle"),
    ]


def _line(
    one: Series, runs: Sequence[str], places: dict[str, float], shift: float, y: Scale
) -> list[Markup]:
    """From run to run; one without a value leaves a gap."""
    known = {p.run: (places[p.run] + shift, y(p.value)) for p in one.points if p.value is not None}
    if not known:
        return []
    return [path_through(map(known.get, runs), colour(one.index), stroke_opacity=0.6)]


def _mark(one: Series, point: Point, title: str, x: float, y: Scale) -> Markup:
    ends = whisker(y, point.ci, x, colour(one.index), upright=True, dashed=point.unfair)
    mark = marker(x, y(point.value or 0.0), one.index, hollow=point.unfair)
    return svg.keyed(point.key, title, *ends, mark, run=point.run)


def _title(series: History, model: str, point: Point) -> str:
    where = f"{model} on {series.corpus}, run {point.run}"
    if point.run == series.baseline:
        where += " (baseline)"
    if point.value is None:
        return f"{where}: {named(series.metric)} {point.state}"
    words = [f"{named(series.metric)} {said(point.value, series.metric)}"]
    if point.ci is not None:
        words.append(interval_said(point.ci, series.metric))
    words.append(f"n = {point.n:,}")
    if point.unfair:
        words.append("machine busy or shared")
    return f"{where}: {', '.join(words)}"


def _notes(series: History, shown: Sequence[Series], y: Scale) -> list[object]:
    notes: list[object] = []
    if series.limit is not None:
        off = "" if y.holds(series.limit) else ", off the scale"
        notes.append(f"Red line: limit {said(series.limit, series.metric)}{off}.")
    if any(p.unfair and p.value is not None for s in shown for p in s.points):
        notes.append(UNFAIR.replace(", ~", ""))
    gaps = [
        svg.tag(
            "span",
            svg.tag("bdi", s.model),
            f" in {p.run} {p.state}",
            data_key=p.key,
            data_run=p.run,
            title=_title(series, s.model, p),
        )
        for s in shown
        for p in s.points
        if p.value is None
    ]
    if gaps:
        notes.append(svg.join(["Not shown: ", Markup("; ").join(gaps), "."]))
    return notes
