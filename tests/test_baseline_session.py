"""`--baseline` from outside: the same is no regression, three points worse is caught and named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.sessions import (
    ROOT,
    SELECT,
    TEXTS,
    card_of,
    prepare,
    row_of,
    shared_arguments,
)
from tests.toy_engine import toy_corpus

#: Of 33 words one is dropped.
WORSE = 'schema_version: 1\nmodels:\n  oracle: {engine: their_engine.py, tasks: [asr], tier: production, options: {mode: drops, drop_every: 33}}\n'  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a promoted run of a model that hears perfectly."""
    folder = prepare(tmp_path_factory.mktemp("baseline"))
    first = _session(folder, "--model=oracle")
    assert first.returncode == 0, first.stdout
    promote = [sys.executable, "-m", "reports", "promote", "runs/latest", "--name", "perfect"]
    done = subprocess.run(
        promote, cwd=folder, env=_with_root(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "--baseline perfect" in done.stdout
    return folder


def _with_root() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(ROOT)}


def _session(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", *shared_arguments(folder), *SELECT, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def _worsened(card: dict[str, Any]) -> list[str]:
    return [row["id"] for part in card["worsened"] for row in part["rows"]]


def test_against_itself_nothing_regressed(folder: Path) -> None:
    done = _session(folder, "--model=oracle", "--baseline=perfect")
    assert done.returncode == 0, done.stdout
    card = card_of(folder)
    row = row_of(card, "oracle", "wer_change")
    assert (row["value"], row["ci"], row["verdict"]) == (0, [0, 0], "pass")
    assert row["gated"]
    assert _worsened(card) == []
    assert card["baseline"].endswith("perfect/scorecard.json")
    assert "WER +0.00 points" in done.stdout


def test_three_points_worse_is_caught(folder: Path) -> None:
    (folder / "catalog.yaml").rename(folder / "kept.yaml")
    (folder / "catalog.yaml").write_text(WORSE, encoding="utf-8")
    try:
        done = _session(folder, "--model=oracle", "--baseline=perfect")
        card = card_of(folder)
    finally:
        (folder / "kept.yaml").rename(folder / "catalog.yaml")
    assert done.returncode == 1
    row = row_of(card, "oracle", "wer_change")
    assert row["verdict"] == "fail"
    assert row["value"] == pytest.approx(1 / 33, abs=0.003)
    names = _worsened(card)
    words = 8 * len(TEXTS)
    assert len(names) == words // 33  # each drop is in an utterance of its own
    said = " ".join(done.stdout.split())  # as it wraps in the terminal
    assert f"{names[0]}: 'turn on light" in said
    assert "worse (margin 0.50)" in said
    assert "allowed by margin to the baseline" in said


def test_another_corpus_of_the_name_is_refused(folder: Path) -> None:
    toy_corpus(folder / "elsewhere" / "toy", TEXTS[::-1])
    other = folder / "elsewhere" / "toy" / "manifest.jsonl"
    arguments = shared_arguments(folder, other)
    command = [sys.executable, "-m", "pytest", *arguments, *SELECT, "--model=oracle"]
    done = subprocess.run(
        [*command, "--baseline=perfect"], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert row_of(card_of(folder), "oracle", "wer_change")["verdict"] == "error"
    assert "its corpus toy is another one" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--model=oracle", "--baseline=nowhere"], "no baseline of that name"),
        (["--model=rival", "--baseline=perfect"], "it has none of the models rival"),
        (["--model=oracle", "--baseline=catalog.yaml"], "not a scorecard of Model Lab"),
    ],
)
def test_unusable_baselines(folder: Path, arguments: list[str], says: str) -> None:
    done = _session(folder, *arguments)
    assert done.returncode == 4
    assert says in done.stderr


def test_failed_run_is_not_promoted(folder: Path) -> None:
    assert _session(folder, "--model=always-silent", "--model=oracle").returncode == 1
    command = [sys.executable, "-m", "reports", "promote", "runs/latest"]
    done = subprocess.run(
        command, cwd=folder, env=_with_root(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "the run failed (exit status 1)" in done.stderr
    assert not (folder / "baselines" / "main").exists()
