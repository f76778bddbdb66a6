"""Predictions that exist: scored as the models that made them were, in whole sessions."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from evals.metrics import METRICS
from tests.support.sessions import (
    ROOT,
    TEXTS,
    card_of,
    check_rescored,
    row_of,
    run_toys,
    write_toys,
)
from tests.support.toy_engine import toy_corpus

pytestmark = pytest.mark.slow

SELECT = ("-m", "asr")
#: Two that ran, and the same two as what they said.
MADE = {"good": "good-kaldi", "bad": "bad-lines"}
USAGE_ERROR = 4
ENTRIES = """
  good-kaldi: {engine: predictions, checkpoint: theirs/text}
  bad-lines: {engine: predictions, checkpoint: theirs/bad.jsonl, tier: candidate}
"""


def _write_corpus(folder: Path) -> None:
    """Of 4 speakers by room, so that there are intervals over speakers and slices."""
    manifest = toy_corpus(folder / "toy", TEXTS, categories=[t.split()[6] for t in TEXTS])
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    for number, row in enumerate(rows):
        row["speaker"] = f"speaker-{number % 8}"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _lines(folder: Path, model: str) -> list[dict[str, Any]]:
    file = folder / "runs" / "latest" / model / "asr" / "toy.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()]


def _copy_of(folder: Path, target: Path) -> Path:
    """The prepared folder with what the vendors sent, without its runs."""
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("runs"))
    return target


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session of two engines, and beside it what they said in the forms of two vendors."""
    folder = tmp_path_factory.mktemp("ran")
    write_toys(
        folder, {"good": {"mode": "wrong", "first": 30, "every": 60}, "bad": {"mode": "drops"}}
    )
    _write_corpus(folder)
    done = run_toys(folder, *SELECT, "--model=good", "--model=bad")
    assert done.returncode == 0, done.stdout
    theirs = folder / "theirs"
    theirs.mkdir()
    good = sorted(_lines(folder, "good"), key=lambda line: str(line["hypothesis"]))
    (theirs / "text").write_text("".join(f"{x['id']} {x['hypothesis']}\n" for x in good))
    bad = [
        {"audio_filepath": f"/their/disk/{Path(x['audio']).name}", "pred_text": x["hypothesis"]}
        for x in _lines(folder, "bad")
    ]
    (theirs / "bad.jsonl").write_text("".join(json.dumps(row) + "\n" for row in bad))
    with (folder / "catalog.yaml").open("a") as file:
        file.write(ENTRIES)
    return folder


@pytest.fixture(scope="module")
def provided(ran: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The vendors' files alone, scored on the corpus without its sound."""
    folder = _copy_of(ran, tmp_path_factory.mktemp("provided") / "p")
    for sound in (folder / "toy").glob("*.wav"):
        sound.unlink()
    done = run_toys(folder, *SELECT, "--model=good-kaldi", "--model=bad-lines")
    assert done.returncode == 0, done.stdout
    return folder


def _quality(card: Mapping[str, Any], names: Mapping[str, str]) -> dict[tuple[Any, ...], Any]:
    """Every figure that depends on no machine, by its model's name as it ran."""
    return {
        (names[m["model"]], m["corpus"], m["metric"], m["slice"], m["normalizer"]): {
            key: value for key, value in m.items() if key != "model"
        }
        for m in card["measurements"]
        if m["task"] == "asr" and not METRICS[m["metric"]].is_of_machine
    }


def _own(card: Mapping[str, Any], names: Mapping[str, str], key: str) -> list[Any]:
    return [{**row, "model": names[row["model"]]} for row in card[key]]


def test_two_systems_score_as_the_engines_that_made_them(ran: Path, provided: Path) -> None:
    engines, files = card_of(ran), card_of(provided)
    same = {name: name for name in MADE}
    back = {theirs: name for name, theirs in MADE.items()}
    assert _quality(engines, same) == _quality(files, back)
    assert {"speaker=speaker-1", "category=office"} <= {key[3] for key in _quality(files, back)}
    for key in ("word_errors", "dominant_utterances"):
        assert _own(engines, same, key) == _own(files, back, key)
    for one, other in zip(engines["grades"], files["grades"], strict=True):
        letters = [
            {k: v for c in grade["corpora"] for k, v in c["metrics"].items()}
            for grade in (one, other)
        ]
        quality = {
            k: v for k, v in letters[0].items() if k.split("/")[1] in ("wer", "cer", "success_rate")
        }
        assert quality == letters[1], "no letter for speed or memory"
        assert other["grade"] >= "C", "capped, for want of speed"
    weighed = [
        {name(c["model"]): c["parts"]["wer"] for c in card["recommendation"]["candidates"]}
        for card, name in ((engines, same.get), (files, back.get))
    ]
    assert weighed[0] == weighed[1]


def test_times_and_memory_are_not_measured_and_break_no_gate(provided: Path) -> None:
    card = card_of(provided)
    for model in MADE.values():
        for metric in ("rtf", "rtfx", "latency_p95", "load_time", "first_inference", "peak_memory"):
            row = row_of(card, model, metric)
            assert (row["verdict"], row["value"], row["gated"]) == ("not_measured", None, False)
            assert row["conditions"] == ["provided"]
            assert "made elsewhere" in row["reason"]
        row = row_of(card, model, "latency_p95", task="latency")
        assert (row["verdict"], row["gated"]) == ("not_measured", False)
        assert "asks a model that runs" in row["reason"]
    assert card["run"]["conditions"] == []
    assert {grade["gate"] for grade in card["grades"]} == {"pass"}
    for use in card["recommendations"]:
        assert use["model"] is None
        assert use["to_run"] == []
        for candidate in use["candidates"]:
            assert any("made elsewhere" in why for why in candidate["rejected"])
    assert card["costs"][0]["per_audio_hour"] is None


def test_scorecard_says_where_the_predictions_come_from(provided: Path) -> None:
    card = card_of(provided)
    found = {model["name"]: model for model in card["models"]}
    assert found["good-kaldi"]["provided"] == {
        "format": "Kaldi text",
        "matched": [{"task": "asr", "corpus": "toy", "by": {"id": len(TEXTS)}}],
    }
    assert found["bad-lines"]["provided"]["format"] == "JSON lines"
    assert found["bad-lines"]["provided"]["matched"][0]["by"] == {"file name": len(TEXTS)}
    assert found["good-kaldi"]["checkpoint"] == str(provided / "theirs" / "text")
    assert len(found["good-kaldi"]["checkpoint_sha256"]) == 64
    assert found["good-kaldi"]["device"] is None
    (corpus,) = card["provenance"]["corpora"]
    assert corpus["has_sound"] is False
    assert corpus["audio_seconds"] is None
    page = (provided / "runs" / "latest" / "scorecard.html").read_text()
    assert "Kaldi text" in page


def test_a_run_of_predictions_is_scored_again_without_them(provided: Path) -> None:
    check_rescored((provided / "runs" / "latest").resolve())


def test_a_run_of_predictions_is_compared_with_the_run_of_the_engines(
    ran: Path, provided: Path
) -> None:
    runs = [str((folder / "runs" / "latest").resolve()) for folder in (ran, provided)]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "reports", "compare", *runs),
            *("--map", "good=good-kaldi", "--map", "bad=bad-lines"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "another one" not in done.stdout


def test_two_processes_and_a_baseline(ran: Path, provided: Path, tmp_path: Path) -> None:
    """Shared out, beside an engine that runs, and held to the run without sound."""
    folder = _copy_of(ran, tmp_path / "v")
    baseline = provided / "runs" / "latest" / "scorecard.json"
    models = [f"--model={name}" for name in ("good-kaldi", "bad-lines", "bad")]
    done = run_toys(folder, *SELECT, *models, "-n", "2", f"--baseline={baseline}")
    assert done.returncode == 0, done.stdout
    card = card_of(folder)
    back = {theirs: name for name, theirs in MADE.items()}
    both = _quality(card_of(provided), back)
    here = {
        key: row
        for key, row in _quality(
            {"measurements": [m for m in card["measurements"] if m["model"] != "bad"]}, back
        ).items()
        if not METRICS[key[2]].change_of
    }
    assert here == both
    changes = row_of(card, "bad-lines", "wer_change")
    assert changes["value"] == 0.0
    assert "compared" not in (changes["reason"] or "")
    assert row_of(card, "bad", "rtf")["conditions"] == ["contended"]
    assert row_of(card, "bad-lines", "rtf")["conditions"] == ["provided"]
    assert card["run"]["conditions"] == ["contended"]


def test_missing_ones_are_deletions_and_said(ran: Path, tmp_path: Path) -> None:
    folder = _copy_of(ran, tmp_path / "v")
    rows = [f"u{n} {text}\n" for n, text in enumerate(TEXTS)]
    (folder / "short").write_text("".join([*rows[:7], "u7\n", *rows[12:]]))
    done = run_toys(folder, *SELECT, "--model=predictions:short", "--gate=off")
    assert done.returncode == 0, done.stdout
    card = card_of(folder)
    assert row_of(card, "v-short", "deletions")["value"] == 5 * 8
    assert row_of(card, "v-short", "success_rate")["value"] == 1 - 4 / 80
    (note,) = card["run"]["notes"]
    assert note.endswith(
        "no hypothesis for 4 of 80 rows of toy (u8, u9, u10, ...): all their words count as deleted"
    )
    assert "has no hypothesis for 4 of 80" in " ".join(done.stdout.split())
    assert "no hypothesis for 4 of 80" in (folder / "runs/latest/scorecard.html").read_text()
    check_rescored((folder / "runs" / "latest").resolve())


def _timed(folder: Path) -> Path:
    """Predictions with their times, and a corpus that says how long its rows are."""
    manifest = folder / "toy" / "manifest.jsonl"
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    manifest.write_text("".join(json.dumps({**row, "duration": 0.5}) + "\n" for row in rows))
    made = [{"id": r["id"], "hyp": r["text"], "processing_seconds": 0.05} for r in rows]
    (folder / "timed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
    return folder


def test_times_of_the_file_are_shown_and_held_only_where_thresholds_say_so(
    ran: Path, tmp_path: Path
) -> None:
    folder = _timed(_copy_of(ran, tmp_path / "v"))
    done = run_toys(folder, *SELECT, "--model=predictions:timed.jsonl")
    assert done.returncode == 0, done.stdout
    card = card_of(folder)
    row = row_of(card, "v-timed", "rtf")
    assert row["value"] == pytest.approx(0.1)
    assert (row["conditions"], row["gated"], row["verdict"]) == (
        ["provided"],
        False,
        "inconclusive",
    )
    assert "asr/rtf" in card["grades"][0]["corpora"][0]["capped_by"]
    assert "~: came with the predictions" in done.stdout

    text = (ROOT / "thresholds.yaml").read_text().replace("rtf: {max: 2.0}", "rtf: {max: 0.05}")
    text = text.replace("provided_times: shown", "provided_times: held")
    (folder / "held.yaml").write_text(text)
    done = run_toys(folder, *SELECT, "--model=predictions:timed.jsonl", "--thresholds=held.yaml")
    assert done.returncode == 1, done.stdout
    card = card_of(folder)
    row = row_of(card, "v-timed", "rtf")
    assert (row["conditions"], row["gated"], row["verdict"]) == (["provided_held"], True, "fail")
    assert "asr/rtf" in card["grades"][0]["corpora"][0]["metrics"]


def test_a_changed_file_is_another_model_to_a_resumed_run(ran: Path, tmp_path: Path) -> None:
    folder = _copy_of(ran, tmp_path / "v")
    arguments = ("--model=good-kaldi", "--model=predictions:theirs/bad.jsonl")
    assert run_toys(folder, *SELECT, *arguments).returncode == 0
    run = (folder / "runs" / "latest").resolve()
    done = run_toys(folder, f"--resume={run}")
    assert done.returncode == 0, done.stdout
    file = folder / "theirs" / "text"
    file.write_text(file.read_text().replace("light", "lamp"))
    done = run_toys(folder, f"--resume={run}")
    assert done.returncode == USAGE_ERROR
    assert "checkpoint_sha256 was" in done.stdout + done.stderr


REFUSED = {
    "no such file": ("--model=predictions:gone.jsonl", "gone.jsonl: no such file"),
    "an id of nothing": ("--model=predictions:unknown", "unknown:2: 'u8l'; the nearest: 'u8"),
    "two texts": ("--model=predictions:twice", "twice:2: 'u1' has another text than in line 1"),
    "missing entry": ("--model=gone", "theirs/gone.trn: no such file"),
    "a judge that cannot listen": ("--judge=good-kaldi", "and a judge listens"),
    "nothing named": ("--model=predictions:", "a checkpoint is expected"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_refused_before_anything_runs(
    case: str, ran: Path, tmp_path: Path
) -> None:
    folder = _copy_of(ran, tmp_path / "v")
    (folder / "unknown").write_text("u1 a\nu8l b\n")
    (folder / "twice").write_text("u1 a\nu1 b\n")
    with (folder / "catalog.yaml").open("a") as file:
        file.write("  gone: {engine: predictions, checkpoint: theirs/gone.trn}\n")
    model, said = REFUSED[case]
    done = run_toys(folder, *SELECT, model, "--model=good")
    assert done.returncode == USAGE_ERROR
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (folder / "runs").exists()


def test_a_corpus_needs_its_sound_where_a_model_listens(provided: Path, tmp_path: Path) -> None:
    folder = _copy_of(provided, tmp_path / "v")
    done = run_toys(folder, *SELECT, "--model=good-kaldi", "--model=good")
    assert done.returncode == USAGE_ERROR
    assert "no such audio file" in done.stdout + done.stderr


def test_texts_with_ids_are_enough(ran: Path, tmp_path: Path) -> None:
    folder = _copy_of(ran, tmp_path / "v")
    rows = [{"id": f"u{n}", "text": text} for n, text in enumerate(TEXTS)]
    manifest = folder / "toy" / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run_toys(folder, *SELECT, "--model=good-kaldi", "--model=bad-lines")
    assert done.returncode == USAGE_ERROR, "numbers of files are no ids of utterances"
    done = run_toys(folder, *SELECT, "--model=good-kaldi")
    assert done.returncode == 0, done.stdout
    assert row_of(card_of(folder), "good-kaldi", "wer")["value"] > 0


def test_tasks_that_ask_a_model_say_that_there_is_none(ran: Path, tmp_path: Path) -> None:
    folder = _copy_of(ran, tmp_path / "v")
    select = ("-m", "smoke or robustness or hallucination or asr")
    done = run_toys(folder, *select, "--model=good-kaldi", "-rs")
    assert done.returncode == 0, done.stdout
    for task in ("smoke", "robustness", "hallucination", "latency"):
        assert f"{task} asks a model that runs" in done.stdout
    verdicts = {
        (m["task"], m["verdict"]) for m in card_of(folder)["measurements"] if m["task"] != "asr"
    }
    assert {verdict for _, verdict in verdicts} == {"not_measured"}
