"""Robustness and hallucination as sessions: run where asked for, by hand-worked figures."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from evals.gate.thresholds import load
from evals.records.measurement import Measurement
from fixtures.builtin.conditions import CONDITIONS
from fixtures.builtin.non_speech import CLIPS, ENDS
from reports.recommendation.recommend import recommend
from tests.support.sessions import (
    ROOT,
    TEXTS,
    Finished,
    card_of,
    check_rescored,
    prepare,
    run_session,
    shared_arguments,
)
from tests.support.toy_engine import toy_corpus

pytestmark = pytest.mark.slow

BOTH = ("-m", "robustness or hallucination", "--robustness-utterances=4")
#: What a model says that talks where it hears nothing: a phantom phrase, in a loop.
SAID = "thank you for watching " * 4
TALKER = """
  talker:
    engine: talker.py
    tasks: [asr]
"""


def folder_with_talker(folder: Path) -> Path:
    """`prepare`'s, with a model that hears like the oracle and never stays silent."""
    prepare(folder)
    toy = (folder / "their_engine.py").read_text(encoding="utf-8")
    talker = toy.replace("text = text_of(audio)\n", f"text = text_of(audio) or {SAID!r}\n", 1)
    assert talker != toy
    (folder / "talker.py").write_text(talker, encoding="utf-8")
    with (folder / "catalog.yaml").open("a", encoding="utf-8") as file:
        file.write(TALKER)
    return folder


def run(folder: Path, *arguments: str, corpus: Path | None = None) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *shared_arguments(folder, corpus), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def talked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    folder = folder_with_talker(tmp_path_factory.mktemp("talked"))
    code, said = run(folder, *BOTH, "--model=oracle", "--model=talker", "--gate=production")
    return folder, code, said


def rows(card: Mapping[str, Any], model: str, task: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (m["metric"], m["slice"]): m
        for m in card["measurements"]
        if (m["model"], m["task"]) == (model, task)
    }


def test_a_model_that_stays_silent_passes(talked: tuple[Path, int, str]) -> None:
    figures = rows(card_of(talked[0]), "oracle", "hallucination")
    for metric in (
        "hallucination_rate",
        "hallucinated_words_per_minute",
        "loops",
        "phantom_phrases",
        "leading_insertions",
        "trailing_insertions",
    ):
        row = figures[metric, "all"]
        assert (row["value"], row["verdict"], row["gated"]) == (0, "pass", True), metric


def test_a_model_that_talks_in_silence_breaks_every_limit(talked: tuple[Path, int, str]) -> None:
    folder, code, said = talked
    figures = rows(card_of(folder), "talker", "hallucination")
    words, spoken = len(SAID.split()), len(TEXTS[0].split())
    minutes = sum(clip.seconds for clip in CLIPS) / 60
    everything = len(CLIPS) + len(ENDS)
    expected = {
        "hallucination_rate": 1.0,
        "hallucinated_words_per_minute": len(CLIPS) * words / minutes,
        "loops": everything,
        "phantom_phrases": 4 * everything,
        # Nothing between non-speech is heard right, so all that is too much stands before it.
        "leading_insertions": len(ENDS) * (words - spoken),
        "trailing_insertions": 0,
    }
    for metric, value in expected.items():
        row = figures[metric, "all"]
        assert row["value"] == pytest.approx(value), metric
        assert row["verdict"] == ("fail" if value else "pass"), metric
    assert code == 1
    assert "talker on toy (hallucination):" in said
    assert "oracle on toy (hallucination):" not in said
    assert "phantom_phrases 124, at most 0 allowed by tier production" in said


def test_drifts_are_those_of_the_predictions(talked: tuple[Path, int, str]) -> None:
    """The oracle reads words out of samples: what changes each of them makes it deaf."""
    folder, code, said = talked
    figures = rows(card_of(folder), "oracle", "robustness")
    assert figures["wer", "clean"]["value"] == 0
    assert {part for metric, part in figures if metric == "wer_drift"} == set(CONDITIONS)
    for condition in CONDITIONS:
        file = folder / "runs/latest/oracle/robustness/toy" / f"{condition}.jsonl"
        heard = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        assert len(heard) == 4
        deaf = sum(row["hypothesis"] == "" for row in heard) / 4  # all references have 8 words
        row = figures["wer_drift", condition]
        assert (row["value"], row["n"]) == (deaf, 4), condition
    assert code == 1
    for condition in ("gain+12db", "padding", "reverb", "opus"):
        # Four utterances that all got worse: no sign test shows it, and production needs proof.
        assert f"wer_drift/{condition} +100 points [" in said
    assert "wer_drift/white-0db" not in said.partition("WER drift")[0]  # shown, not limited


def test_the_terminal_shows_both_tables(talked: tuple[Path, int, str]) -> None:
    lines = talked[2].splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("WER drift, in points"))
    assert lines[place + 1].startswith("clean: WER")
    assert lines[place + 1].count("0.00 [0.00, ") == 2
    (padding,) = [line for line in lines if line.startswith("padding ")]
    assert padding.count("+100.0") == padding.count("+200.0") == 1
    assert padding.count("] ?") == 2
    assert any(line.split()[-7:] == ["31", "x", "124", "x", "64", "x", "0"] for line in lines)


def test_they_run_only_where_asked_for(tmp_path: Path) -> None:
    prepare(tmp_path)
    model = "--model=oracle"
    for arguments, expected in (
        ((), set()),
        (("-m", "not real_e2e"), set()),
        (("-m", "robustness"), {"test_robustness.py"}),
        (("-m", "asr or hallucination"), {"test_hallucination.py"}),
        ((str(ROOT / "evals/test_robustness.py"),), {"test_robustness.py"}),
    ):
        _, said = run(tmp_path, model, "--collect-only", "-q", *arguments)
        names = {Path(line.partition("::")[0]).name for line in said.splitlines() if "::" in line}
        assert names & {"test_robustness.py", "test_hallucination.py"} == expected, arguments
        assert names or arguments[:1] == ("-m",)


def test_what_cannot_be_produced_is_not_measured_and_fails(tmp_path: Path) -> None:
    """Babble needs other voices, which a corpus of one utterance does not have."""
    prepare(tmp_path)
    one = toy_corpus(tmp_path / "one", TEXTS[:1])
    code, said = run(
        tmp_path, "-m", "robustness", "--model=oracle", "--gate=production", corpus=one
    )
    assert code == 1
    assert "wer_drift/babble-20db not measured: babble is mixed from other utterances" in said
    figures = rows(card_of(tmp_path), "oracle", "robustness")
    assert figures["wer_drift", "babble-0db"]["verdict"] == "not_measured"
    assert figures["wer_drift", "white-0db"]["value"] == 1.0


def test_scored_again_from_what_the_run_keeps(talked: tuple[Path, int, str]) -> None:
    broken = check_rescored(talked[0] / "runs" / "latest")
    assert any(text.startswith("talker on toy (hallucination)") for text in broken)


def test_two_processes_give_the_same_figures(talked: tuple[Path, int, str], tmp_path: Path) -> None:
    folder = folder_with_talker(tmp_path)
    run(folder, *BOTH, "--model=oracle", "--model=talker", "--gate=production", "-n", "2")
    for model in ("oracle", "talker"):
        for task in ("robustness", "hallucination"):
            serial = rows(card_of(talked[0]), model, task)
            parallel = rows(card_of(folder), model, task)
            assert serial == parallel


def test_they_count_against_a_recommendation_where_they_ran() -> None:
    thresholds = load()
    rows = [
        Measurement(
            "m", task, "c", metric, limit.max if limit.max is not None else limit.min, "ratio", 9, "pass"
        )
        for task in ("asr", "latency")
        for metric, limit in thresholds.tiers["production"].limits[task].items()
    ]  # fmt: skip
    assert recommend(rows, ["m"], frozenset(), thresholds, "general").model == "m"
    drift = Measurement(
        "m", "robustness", "c", "wer_drift", 0.2, "ratio", 9, "pass", slice="reverb"
    )
    found = recommend([*rows, drift], ["m"], frozenset(), thresholds, "general")
    assert found.model is None
    (candidate,) = found.candidates
    assert "robustness wer_drift/opus was not run" in candidate.rejected
    assert (
        "WER drift/reverb +20.00 points on c breaks the production limit (at most 10 points)"
        in candidate.rejected
    )


@pytest.mark.parametrize("asked", ["1", "0", "-3"])
def test_too_few_utterances_are_refused(tmp_path: Path, asked: str) -> None:
    finished: Finished = run_session(
        tmp_path, ["--model=oracle", f"--robustness-utterances={asked}"]
    )
    assert finished.result.ret == 4
    assert any("--robustness-utterances: at least 2" in line for line in finished.result.errlines)


def test_a_real_engine_in_noise(tmp_path: Path) -> None:
    """The micro Whisper stands 20 dB of white noise and a lower level; a telephone it does not."""
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-m", "robustness", "--gate=production",
            "--model=faster-whisper-micro", "--robustness-utterances=3",
            f"--runs-dir={tmp_path / 'runs'}",
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    figures = rows(card_of(tmp_path), "faster-whisper-micro", "robustness")
    assert figures["wer", "clean"]["value"] < 0.1
    assert figures["wer_drift", "gain-12db"]["value"] < 0.1
    assert figures["wer_drift", "telephone"]["value"] > 0.5
    assert figures["wer_drift", "telephone"]["verdict"] != "pass"  # three may not be enough
    assert done.returncode == 1
    assert "wer_drift/telephone" in done.stdout
