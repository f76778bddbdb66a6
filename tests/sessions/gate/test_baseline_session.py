"""`--baseline` from outside: the same is no regression, three points worse is caught and named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.sessions import (
    ROOT,
    SELECT,
    TEXTS,
    WORDS,
    card_of,
    prepare,
    row_of,
    shared_arguments,
)
from tests.support.toy_engine import toy_corpus

pytestmark = pytest.mark.slow

#: Of 33 words one is dropped.
WORSE = 'schema_version: 1\nmodels:\n  oracle: {engine: their_engine.py, tasks: [asr], tier: production, options: {mode: drops, drop_every: 33}}\n'  # fmt: skip


Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def perfect(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a promoted run of a model that hears perfectly."""
    folder = prepare(tmp_path_factory.mktemp("baseline"))
    first = _session(folder, "--model=oracle")
    assert first.returncode == 0, first.stdout
    done = _promote(folder, "--name", "perfect")
    assert done.returncode == 0, done.stderr
    assert "--baseline perfect" in done.stdout
    return folder


def _against_itself(folder: Path) -> Done:
    return _session(folder, "--model=oracle", BASELINE)


def _worse(folder: Path) -> Done:
    (folder / "catalog.yaml").write_text(WORSE, encoding="utf-8")
    return _session(folder, "--model=oracle", BASELINE)


def _another_corpus(folder: Path) -> Done:
    toy_corpus(folder / "toy", TEXTS[::-1])
    return _session(folder, "--model=oracle", BASELINE)


def _failing(folder: Path) -> Done:
    return _session(folder, "--model=always-silent", "--model=oracle")


#: Sessions that tests look at, each in a copy of the folder.
SESSIONS: Sequence[Callable[[Path], Done]] = (_against_itself, _worse, _another_corpus, _failing)
BASELINE = "--baseline=perfect"


@pytest.fixture(scope="module")
def ran(
    perfect: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Callable[[Path], Done]], tuple[Path, Done]]]:
    """Gives a session's folder and result; they run two at a time."""

    def run(session: Callable[[Path], Done]) -> tuple[Path, Done]:
        folder = tmp_path_factory.mktemp("again") / "folder"
        shutil.copytree(perfect, folder, symlinks=True)
        return folder, session(folder)

    with ThreadPoolExecutor(max_workers=2) as pool:
        futures = {session: pool.submit(run, session) for session in SESSIONS}
        yield lambda session: futures[session].result()


Ran = Callable[[Callable[[Path], Done]], tuple[Path, Done]]


def _session(folder: Path, *arguments: str) -> Done:
    command = [sys.executable, "-m", "pytest", *shared_arguments(folder), *SELECT, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def _promote(folder: Path, *arguments: str) -> Done:
    command = [sys.executable, "-m", "reports", "promote", "runs/latest", *arguments]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60
    )


def _worsened(card: dict[str, Any]) -> list[str]:
    return [row["id"] for part in card["worsened"] for row in part["rows"]]


def test_against_itself_nothing_regressed(ran: Ran) -> None:
    folder, done = ran(_against_itself)
    assert done.returncode == 0, done.stdout
    card = card_of(folder)
    row = row_of(card, "oracle", "wer_change")
    low, high = row["ci"]
    # So small a corpus does not show that half a point of the WER cannot be lost.
    assert (row["value"], row["verdict"]) == (0, "inconclusive")
    assert -0.02 < low == -high < -0.005
    assert row["gated"]
    assert _worsened(card) == []
    assert card["baseline"].endswith("perfect/scorecard.json")
    assert "WER +0.00 points" in done.stdout


def test_three_points_worse_is_caught(ran: Ran) -> None:
    folder, done = ran(_worse)
    assert done.returncode == 1
    card = card_of(folder)
    row = row_of(card, "oracle", "wer_change")
    assert row["verdict"] == "fail"
    assert row["value"] == pytest.approx(1 / 33, abs=0.003)
    names = _worsened(card)
    assert len(names) == WORDS // 33  # each drop is in an utterance of its own
    said = " ".join(done.stdout.split())  # as it wraps in the terminal
    assert f"{names[0]}: 'turn on light" in said
    assert "worse (margin 0.50)" in said
    assert "allowed by margin to the baseline" in said


def test_another_corpus_of_the_name_is_refused(ran: Ran) -> None:
    folder, done = ran(_another_corpus)
    assert done.returncode == 1
    assert row_of(card_of(folder), "oracle", "wer_change")["verdict"] == "error"
    assert "its corpus toy is another one" in " ".join(done.stdout.split())


def test_failed_run_is_not_promoted(ran: Ran) -> None:
    folder, done = ran(_failing)
    assert done.returncode == 1
    refused = _promote(folder)
    assert refused.returncode == 1
    assert "the run failed (exit status 1)" in refused.stderr
    assert not (folder / "baselines" / "main").exists()


@pytest.mark.parametrize(
    ("models", "baseline", "says"),
    [
        (["--model=oracle"], "nowhere", "no baseline of that name"),
        (["--model=rival"], "perfect", "it has none of the models rival"),
        (["--model=oracle"], "catalog.yaml", "not a scorecard of Model Lab"),
    ],
)
def test_unusable_baselines(
    perfect: Path,
    monkeypatch: pytest.MonkeyPatch,
    pytester: pytest.Pytester,
    models: list[str],
    baseline: str,
    says: str,
) -> None:
    monkeypatch.chdir(perfect)
    config = pytester.parseconfig(*shared_arguments(perfect), *models, f"--baseline={baseline}")
    with pytest.raises(pytest.UsageError, match=says):
        config._do_configure()
