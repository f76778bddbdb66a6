"""Charts of scorecards, as SVG for the pages: no script, no library."""

from __future__ import annotations

from reports.page.charts.conditions import conditions
from reports.page.charts.forest import Difference, forest
from reports.page.charts.history import History, Point, Series, history
from reports.page.charts.panels import panels
from reports.page.charts.pareto import pareto
from reports.page.charts.slices import slices

__all__ = [
    "Difference",
    "History",
    "Point",
    "Series",
    "conditions",
    "forest",
    "history",
    "panels",
    "pareto",
    "slices",
]
