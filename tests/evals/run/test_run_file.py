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
    models = ["predictions:vendor.jsonl", "predictions:gone.jsonl", "faster-whisper-micro"]
    content = {"options": {"model": models}, "directory": str(tmp_path / "begun")}
    monkeypatch.chdir(tmp_path)
    found = run_file.option(content, "model")
    assert found == [f"predictions:{tmp_path}/begun/vendor.jsonl", *models[1:]]
    monkeypatch.chdir(tmp_path / "begun")
    assert run_file.option(content, "model") == models
