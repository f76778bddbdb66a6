"""What a run's file says of its options, wherever it is resumed from."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals.run import run_file


def test_files_of_predictions_are_found_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "vendor.jsonl").write_text("{}")
    models = [
        "predictions:vendor.jsonl", "mine=predictions:vendor.jsonl", "predictions:gone.jsonl",
        "faster-whisper-micro",
    ]  # fmt: skip
    content = {"options": {"model": models}, "directory": str(tmp_path / "begun")}
    monkeypatch.chdir(tmp_path)
    found = run_file.option(content, "model")
    there = f"predictions:{tmp_path}/begun/vendor.jsonl"
    assert found == [there, f"mine={there}", *models[2:]]
    monkeypatch.chdir(tmp_path / "begun")
    assert run_file.option(content, "model") == models
