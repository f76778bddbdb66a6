"""Figures as a run keeps them, for sessions and programs that come later."""

from __future__ import annotations

from pathlib import Path

from evals.gate.case import Case
from evals.measures.statistics.rates import share
from evals.records.measurement import FEW_SPEAKERS, Figure
from evals.run.case_store import Stored


def test_a_figure_with_a_forecast_is_kept_without_it(tmp_path: Path) -> None:
    """Rates can say what more utterances would give; no file can hold such a function."""
    rate = share(3, 20)
    assert rate.forecast is not None
    stored = Stored(tmp_path, Case("m", "candidate", "tts", "c"))
    stored.resume()
    stored.keep(
        normalizer="spoken",
        listened={
            "usable_rate": rate,
            "wer": Figure(0.1, 9, (0.0, 0.2), conditions=(FEW_SPEAKERS,), speakers=2),
        },
    )
    again = Stored(tmp_path, Case("m", "candidate", "tts", "c"))
    again.resume()
    kept = again.figures("listened")
    assert kept["usable_rate"] == rate
    assert kept["usable_rate"].forecast is None
    assert kept["wer"].speakers == 2
