"""Charts of scorecards, as SVG for the pages: no script, no library."""

from __future__ import annotations

from reports.charts.forest import Difference, forest
from reports.charts.history import History, Point, Series, history
from reports.charts.panels import panels
from reports.charts.pareto import pareto
from reports.charts.robustness import robustness
from reports.charts.slices import slices

__all__ = [
    "Difference",
    "History",
    "Point",
    "Series",
    "forest",
    "history",
    "panels",
    "pareto",
    "robustness",
    "slices",
]
