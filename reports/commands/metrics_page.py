"""docs/metrics.md: every metric with its unit, its tasks and its meaning, from the code."""

from __future__ import annotations

from pathlib import Path

from evals.metrics import METRICS
from evals.task import TASKS

FILE = Path(__file__).parents[2] / "docs" / "metrics.md"
_HEAD = """# Metrics

Made by `uv run python -m reports metrics --write` from `evals/metrics.py`. `thresholds.yaml` can
limit each of them for its tasks. How they are computed, with sources: [scoring.md](scoring.md) for
recognition and speed, [tts.md](tts.md) for voices, [chat.md](chat.md) for conversations.

| metric | unit | better | tasks | meaning |
| --- | --- | --- | --- | --- |
"""


def metric_table() -> str:
    """The page's text."""
    rows = []
    for name, metric in METRICS.items():
        tasks = ", ".join(task.name for task in TASKS.values() if name in task.metrics) or "-"
        rows.append(
            f"| `{name}` | {metric.unit} | {metric.better} | {tasks} | {metric.meaning} |\n"
        )
    return _HEAD + "".join(rows)
