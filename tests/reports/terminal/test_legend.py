"""The line under the tables explains the marks that are in them, and no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evals.gate.thresholds import load
from reports.scorecard import scorecard
from reports.scorecard.grades import grade_models
from reports.terminal import summary
from tests.support.written_runs import document, row, write_run

THRESHOLDS = load()


def _said(folder: Path, *rows: dict[str, Any], conditions: tuple[str, ...] = ()) -> str:
    run = write_run(folder, document(1, rows, conditions=list(conditions)))
    read = scorecard.read(run / "scorecard.json")
    grades = grade_models(read.measurements, ["m"], THRESHOLDS, "tier", frozenset())
    card = read.model_copy(update={"grades": grades})
    return " ".join(summary.render(card, THRESHOLDS, Path("x"), width=None, color=False).split())


@pytest.mark.parametrize(
    ("condition", "of_run", "says"),
    [
        ("busy", (), "~: the machine was busy, the model may be faster"),
        ("contended", ("contended",), "~: taken on a shared machine, gates nothing"),
        ("resumed", ("resumed",), "~: of a run in pieces, gates nothing"),
    ],
)
def test_a_mark_of_a_time_is_explained(
    tmp_path: Path, condition: str, of_run: tuple[str, ...], says: str
) -> None:
    said = _said(
        tmp_path,
        row("m", "wer", 0.01),
        row("m", "rtf", 0.2, conditions=[condition]),
        conditions=of_run,
    )
    assert "0.200 ~" in said or "0.200 A ~" in said
    assert says in said


def test_a_mark_that_is_nowhere_is_not(tmp_path: Path) -> None:
    """The first call's time, which no column shows, may be that of a busy machine."""
    hidden = row("m", "first_inference", 0.2, conditions=["busy"])
    said = _said(tmp_path, row("m", "wer", 0.01), row("m", "rtf", 0.2), hidden)
    assert "0.200 A" in said
    assert "~" not in said
