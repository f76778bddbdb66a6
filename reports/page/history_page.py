"""The page of a history: a chart and a table for each metric on a corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from evals.measures.run_conditions import is_unfair
from reports.page.charts.history import History as Drawn
from reports.page.charts.history import Point as Mark
from reports.page.charts.history import Series as Line
from reports.page.charts.history import history as draw
from reports.page.render import render
from reports.runs import history


def page(found: history.History) -> str:
    """The page's HTML."""
    from reports.runs.history_wording import cells, headline

    names = _unique([run.id for run in found.runs])
    models = list(dict.fromkeys(s.model for s in found.series))
    # One drawing for each metric, with a line for each model.
    ordered = sorted(found.series, key=lambda s: (s.task, s.corpus))
    groups: dict[tuple[str, str, str], list[history.Series]] = {}
    for series in ordered:
        groups.setdefault((series.task, series.corpus, series.metric), []).append(series)
    return render(
        "history.html.jinja",
        styles=["runs.css"],
        found=found,
        groups=[
            (f"{metric} on {corpus} ({task})", _chart(own, found.runs, names, models), own)
            for (task, corpus, metric), own in groups.items()
        ],
        cells=cells,
        headline=headline,
    )


def _chart(
    own: Sequence[history.Series],
    runs: Sequence[history.RunOf],
    names: Sequence[str],
    models: Sequence[str],
) -> Any:
    shown = sorted({point.run for series in own for point in series.points})
    lines = []
    for series in own:
        # What is not comparable is a line of its own, so that nothing joins it.
        parts = [
            (segment, list(points))
            for segment, points in groupby(series.points, key=lambda p: p.segment)
        ]
        for number, (_, points) in enumerate(parts, start=1):
            name = series.model if len(parts) == 1 else f"{series.model}, part {number}"
            marks = [_mark(point, names) for point in points]
            lines.append(Line(name, models.index(series.model), marks))
    limits = {point.limit for series in own for point in series.points if point.value is not None}
    baselines = [names[i] for i in shown if runs[i].baselines]
    return draw(
        Drawn(
            metric=own[0].name,
            corpus=own[0].corpus,
            runs=[names[i] for i in shown],
            series=lines,
            baseline=baselines[-1] if baselines else None,
            # A limit that changed, or that not all are held to, is in the tables.
            limit=next(iter(limits)) if len(limits) == 1 else None,
        )
    )


def _mark(point: history.Point, names: Sequence[str]) -> Mark:
    return Mark(
        run=names[point.run],
        key=point.pointer,
        value=point.value,
        n=point.n,
        ci=point.ci,
        state=point.verdict.replace("_", " "),
        unfair=is_unfair(point.conditions),
    )


def _unique(ids: Sequence[str]) -> list[str]:
    """The ids, numbered where two runs have the same one: two machines may in one second."""
    counts: Counter[str] = Counter()
    names = []
    for name in ids:
        counts[name] += 1
        names.append(name if counts[name] == 1 else f"{name} ({counts[name]})")
    return names
