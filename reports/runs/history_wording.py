"""The history of a metric in words, the same for the terminal and the page."""

from __future__ import annotations

from evals.measures.metric_text import interval, value
from reports.runs.history import Point, RunOf, Series
from reports.text.metric_text import when


def headline(series: Series) -> str:
    """The title of a series."""
    return f"{series.metric} of {series.model} on {series.corpus} ({series.task})"


def cells(series: Series, point: Point, run: RunOf) -> list[str]:
    """A point in words: when, which code, the figure, and what has to be known of it."""
    shown = point.value is not None
    return [
        when(run.started),
        "not in git" if run.git_sha is None else run.git_sha[:8],
        f"{point.n:,}" if shown else "-",
        value(series.name, point.value),
        interval(series.name, point.ci),
        verdict_said(point),
        ", ".join(marks(point, run)),
    ]


def verdict_said(point: Point) -> str:
    """Whether the limit of the time was kept."""
    return point.verdict.replace("_", " ")


def marks(point: Point, run: RunOf) -> list[str]:
    """Remarks that a reader of a figure needs."""
    found = [f"BASELINE {name}" for name in run.baselines]
    if not run.complete:
        found.append("partial: the run was interrupted")
    if run.git_dirty:
        found.append("uncommitted changes")
    found += point.conditions
    if point.value is None and point.reason:
        found.append(point.reason)
    return found
