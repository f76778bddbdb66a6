"""What a metric says of itself: its looks, and what it refuses."""

from __future__ import annotations

import pytest

from evals.metrics import METRICS, metric_of
from evals.records.metric import Metric
from evals.task import TASKS


@pytest.mark.parametrize(
    ("metric", "title", "page", "terminal", "unit"),
    [
        (Metric("wer", "ratio", "max", ""), "WER", "WER", "WER %", "%"),
        (Metric("load_time", "s", "max", ""), "load time", "Load time", "load time s", "s"),
        (Metric("loops", "count", "max", ""), "loops", "Loops", "loops", ""),
        (Metric("rate", "ratio", "max", "", heading="R", short="r %"), "rate", "R", "r %", "%"),
        (Metric("d", "ratio", "max", "", is_difference=True), "d", "D", "d points", "points"),
        (Metric("rtfx", "ratio", "min", "", factor=1, sign="x"), "RTFx", "RTFx", "RTFx x", "x"),
    ],
)
def test_looks(metric: Metric, title: str, page: str, terminal: str, unit: str) -> None:
    said = (metric.title, metric.page_heading, metric.terminal_heading, metric.shown_unit)
    assert said == (title, page, terminal, unit)


@pytest.mark.parametrize(
    ("metric", "value", "said"),
    [
        (Metric("a", "ratio", "max", ""), 0.0625, "6.25"),
        (Metric("a", "ratio", "max", "", digits=1), 0.0625, "6.2"),
        (Metric("a", "ratio", "max", "", is_difference=True), 0.0625, "+6.25"),
        (Metric("a", "ratio", "max", "", factor=1, digits=3), 0.0625, "0.062"),
        (Metric("a", "MB", "max", ""), 1234.5, "1,234"),
    ],
)
def test_numbers(metric: Metric, value: float, said: str) -> None:
    assert metric.number(value) == said


def test_what_no_report_can_write_is_refused() -> None:
    with pytest.raises(ValueError, match="metric 'a b': a name"):
        Metric("a b", "count", "max", "")
    with pytest.raises(ValueError, match="metric share: digits is from 0 to 2, not 3"):
        Metric("share", "ratio", "max", "", digits=3)


def test_a_metric_of_another_version_is_written_by_its_unit() -> None:
    assert metric_of("of_tomorrow", "ratio").shown_unit == "%"
    assert metric_of("of_tomorrow", "s").shown_unit == "s"
    assert metric_of("wer", "s") is METRICS["wer"]
    assert metric_of("latency/latency_p95") is METRICS["latency_p95"]  # as a use weighs it
    for name in ("", "9", "a b", "of/to morrow", "<b>"):
        assert metric_of(name).name.isidentifier()


def test_each_metric_is_listed_by_a_task() -> None:
    assert {m for task in TASKS.values() for m in task.metrics} == set(METRICS)
