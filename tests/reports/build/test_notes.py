"""Limits that held nothing are named in the scorecard, the same wherever a run is scored."""

from __future__ import annotations

from pathlib import Path

from evals.gate.limit_files import LimitFiles
from evals.gate.thresholds import DEFAULT
from reports.build.notes import notes


def test_the_file_goes_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "limits.yaml"
    text = DEFAULT.read_text(encoding="utf-8")
    file.write_text(f"{text}\ncorpora:\n  mne: {{normalizer: lower}}\n", encoding="utf-8")
    (note,) = notes(LimitFiles(file), ["mine"])
    assert note.startswith("limits.yaml:")
    assert note.endswith("corpora.mne: no corpus of that name is in this session, so it holds "
                         "nothing (the nearest is mine)")  # fmt: skip
    assert notes(LimitFiles(file), ["mne"]) == []


def test_corpora_that_come_with_it_are_known() -> None:
    assert notes(LimitFiles(), []) == []
