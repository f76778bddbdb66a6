"""Devices side by side, from scorecards: a table worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.__main__ import main
from reports.scorecard import scorecard
from reports.scorecard.scorecard import Scorecard
from reports.terminal.device_table import as_markdown, device_rows
from tests.conftest import Runs

pytestmark = pytest.mark.slow


@pytest.fixture
def card(sessions: Runs) -> Scorecard:
    folder = sessions["comparison"].result().folder
    return scorecard.read(folder / "runs/latest/scorecard.json")


def on(
    card: Scorecard, device: str, load: float, clip: float | None, conditions: tuple[str, ...] = ()
) -> Scorecard:
    """The card as it would be on another device: times in s."""
    values = {("asr", "load_time"): load, ("latency", "latency_p50"): clip}
    rows = []
    for m in card.measurements:
        if (m.task, m.metric) in values:
            fields = {name: getattr(m, name) for name in type(m).__slots__}
            fields |= {"value": values[m.task, m.metric], "conditions": conditions}
            m = type(m)(**fields)
        rows.append(m)
    models = [m.model_copy(update={"device": device}) for m in card.models]
    return card.model_copy(update={"measurements": rows, "models": models})


@pytest.mark.parametrize("finished", ["comparison"])
def test_speed_up_is_over_the_same_models_cpu(card: Scorecard, finished: str) -> None:
    """0.3 s on the CPU and 0.05 s on a GPU are 6 times as fast, whichever run is named first."""
    cards = [on(card, "cuda:0", 2.0, 0.05), on(card, "cpu", 1.0, 0.3), on(card, "mps", 1.5, None)]
    rows = device_rows(cards)
    assert [(r.model, r.device) for r in rows] == [
        (model, device) for model in ("oracle", "rival") for device in ("cpu", "cuda:0", "mps")
    ]
    assert [r.load_time for r in rows[:3]] == [1.0, 2.0, 1.5]
    assert [r.speed_up for r in rows[:3]] == [1.0, pytest.approx(6.0), None]
    table = as_markdown(rows).splitlines()
    assert "| 2 s | 0.05 s | 6.00 x |" in table[3]
    assert "| 1.5 s | not measured | - |" in table[4]


@pytest.mark.parametrize("finished", ["comparison"])
def test_times_of_a_shared_machine_are_no_figures(card: Scorecard, finished: str) -> None:
    shared, busy = (
        on(card, "cuda:0", 2.0, 0.05, ("contended",)),
        on(card, "cpu", 1.0, 0.3, ("busy",)),
    )
    cpu, gpu = device_rows([busy, shared])[:2]
    assert (gpu.load_time, gpu.clip, gpu.speed_up) == (None, None, None)
    assert (cpu.clip, cpu.marks) == (0.3, ("busy",))
    assert "not measured (contended)" in as_markdown([gpu])
    assert "0.3 s (busy)" in as_markdown([cpu])


def test_what_is_no_run_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", str(tmp_path)]) == 1
    assert str(tmp_path / "scorecard.json") in capsys.readouterr().err
