"""Voices and assistants whose answers exist: judged as those that made them were."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from evals.metrics import METRICS
from evals.tasks.chat.user_hearing import LOSSES
from fixtures.corpora.sentences import builtin_sentences
from fixtures.dialogues.files import BUILTIN
from tests.support.sessions import ROOT, card_of, check_rescored

pytestmark = pytest.mark.slow

USAGE_ERROR = 4
CHOSEN = ("timer-asked", "digits-repeated")


def _session(
    folder: Path, task: str, corpus: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-m", task, "--rated-clips=0", "--gate=tier"),
            *(f"--rootdir={ROOT}", f"-c{ROOT / 'pyproject.toml'}", str(ROOT / "evals")),
            *(f"--corpus={folder / corpus}", f"--runs-dir={folder / 'runs'}"),
            *("-pno:hypothesispytest", *arguments),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )


def _figures(folder: Path, model: str) -> dict[tuple[str, str], Any]:
    """Every figure that depends on no machine."""
    return {
        (m["metric"], m["slice"]): (m["value"], m["ci"], m["n"], m["verdict"])
        for m in card_of(folder)["measurements"]
        if m["model"] == model and not METRICS[m["metric"]].is_of_machine
    }


def _lines(folder: Path, model: str, task: str) -> list[dict[str, Any]]:
    file = next((folder / "runs" / "latest" / model / task).glob("few.jsonl"))
    return [json.loads(line) for line in file.read_text().splitlines()]


def _row(folder: Path, metric: str) -> Mapping[str, Any]:
    (row,) = [
        m for m in card_of(folder)["measurements"] if m["metric"] == metric and m["slice"] == "all"
    ]
    return dict(row)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """espeak on a few sentences."""
    folder = tmp_path_factory.mktemp("spoken")
    rows = {row.id: row for row in builtin_sentences()}
    chosen = ["commands-1", "commands-8", "commands-15", "numbers-1", "empty-1"]
    lines = [
        {"id": i, "text": rows[i].text, "category": rows[i].category, **rows[i].metadata}
        for i in chosen
    ]
    (folder / "few.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = _session(folder, "tts", "few.jsonl", "--model=espeak")
    assert (folder / "runs" / "latest" / "scorecard.json").is_file(), done.stdout
    return folder


def _sounds(folder: Path, target: Path) -> Path:
    """What the voice said, called after its sentences."""
    target.mkdir(parents=True)
    for line in _lines(folder, "espeak", "tts"):
        if line["audio"] is not None:
            shutil.copy(folder / "runs" / "latest" / line["audio"], target / f"{line['id']}.wav")
    return target


def test_a_folder_of_sound_is_judged_as_the_voice_that_made_it(
    spoken: Path, tmp_path: Path
) -> None:
    shutil.copy(spoken / "few.jsonl", tmp_path)
    _sounds(spoken, tmp_path / "vendor")
    done = _session(tmp_path, "tts", "few.jsonl", "--model=predictions:vendor", "--gate=off")
    assert done.returncode == 0, done.stdout
    (model,) = card_of(tmp_path)["models"]
    found = _figures(tmp_path, model["name"])
    assert found.keys() == _figures(spoken, "espeak").keys()
    for key, (value, ci, n, _) in _figures(spoken, "espeak").items():
        # A voice from elsewhere has espeak's for the judge's floor; espeak cannot be its own.
        if key[0] not in ("judge_floor", "wer_above_floor"):
            assert found[key][:3] == (value, ci, n), key
    assert model["provided"]["format"] == "folder of sound"
    for metric in ("rtf", "latency_p95", "load_time", "peak_memory"):
        row = _row(tmp_path, metric)
        assert (row["verdict"], row["value"], row["gated"]) == ("not_measured", None, False)
    check_rescored((tmp_path / "runs" / "latest").resolve())


def test_an_index_names_sounds_and_what_is_missing_is_said(spoken: Path, tmp_path: Path) -> None:
    shutil.copy(spoken / "few.jsonl", tmp_path)
    _sounds(spoken, tmp_path / "deep" / "sounds")
    rows = [{"id": f"commands-{n}", "path": f"sounds/commands-{n}.wav"} for n in (1, 8)]
    index = tmp_path / "deep" / "index.jsonl"
    index.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = _session(tmp_path, "tts", "few.jsonl", "--model=predictions:deep", "--gate=off")
    assert done.returncode == 0, done.stdout
    assert _row(tmp_path, "success_rate")["value"] == 2 / 4
    (note,) = card_of(tmp_path)["run"]["notes"]
    assert "no speech for 2 of 4 rows of few (commands-15, numbers-1)" in note


def test_sounds_of_no_sentence_and_broken_ones_are_refused(spoken: Path, tmp_path: Path) -> None:
    shutil.copy(spoken / "few.jsonl", tmp_path)
    sounds = _sounds(spoken, tmp_path / "vendor")
    (sounds / "commands-1.wav").rename(sounds / "command-1.wav")
    done = _session(tmp_path, "tts", "few.jsonl", "--model=predictions:vendor")
    assert done.returncode == USAGE_ERROR
    assert "'command-1'; the nearest: 'commands-1'" in done.stderr
    (sounds / "command-1.wav").unlink()
    (sounds / "commands-1.wav").write_bytes(b"RIFF")
    done = _session(tmp_path, "tts", "few.jsonl", "--model=predictions:vendor")
    assert done.returncode == USAGE_ERROR
    assert "sounds that cannot be read" in done.stderr


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded assistant on two dialogues."""
    folder = tmp_path_factory.mktemp("held")
    content = yaml.safe_load(BUILTIN["assistant"].read_text(encoding="utf-8"))
    content["dialogues"] = [d for d in content["dialogues"] if d["id"] in CHOSEN]
    (folder / "few.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    done = _session(folder, "chat", "few.yaml", "--model=assistant-micro")
    assert (folder / "runs" / "latest" / "scorecard.json").is_file(), done.stdout
    return folder


def test_the_lines_of_a_run_are_judged_as_the_assistant_that_made_them(
    held: Path, tmp_path: Path
) -> None:
    """Answers with sound, to what was spoken and what was typed."""
    shutil.copy(held / "few.yaml", tmp_path)
    lines = (held / "runs" / "latest").resolve() / "assistant-micro" / "chat" / "few.jsonl"
    done = _session(tmp_path, "chat", "few.yaml", f"--model=predictions:{lines}", "--gate=off")
    assert done.returncode == 0, done.stdout
    (model,) = card_of(tmp_path)["models"]
    found = _figures(tmp_path, model["name"])
    for key, (value, ci, n, _) in _figures(held, "assistant-micro").items():
        # Which words it went by, no transcript tells, nor what it lost by them; of the judge's floor
        # as above.
        if key[0] not in ("user_wer", "user_voice_wer", "judge_floor", *LOSSES):
            assert found[key][:3] == (value, ci, n), key
    check_rescored((tmp_path / "runs" / "latest").resolve())


def test_a_transcript_of_text_is_held_to_what_is_expected(held: Path, tmp_path: Path) -> None:
    shutil.copy(held / "few.yaml", tmp_path)
    spoken = [x for x in _lines(held, "assistant-micro", "chat") if not x["typed"]]
    rows: dict[str, list[str]] = {}
    for line in spoken:
        rows.setdefault(line["dialogue"], []).append(line["answer"])
    text = "".join(json.dumps({"dialogue": d, "replies": r}) + "\n" for d, r in rows.items())
    (tmp_path / "vendor.jsonl").write_text(text)
    done = _session(tmp_path, "chat", "few.yaml", "--model=predictions:vendor.jsonl")
    assert done.returncode == 0, done.stdout
    theirs, ours = ({(m, s): v for (m, s), v in _figures(f, n).items()} for f, n in (
        (tmp_path, card_of(tmp_path)["models"][0]["name"]), (held, "assistant-micro")
    ))  # fmt: skip
    for metric in ("turn_success_rate", "dialogue_success_rate", "memory_rate", "answer_words"):
        assert theirs[metric, "all"][:3] == ours[metric, "all"][:3]
    for metric in ("typed_success_rate", "hearing_loss", "speech_text_wer", "first_audio_p95"):
        row = _row(tmp_path, metric)
        assert (row["verdict"], row["gated"]) == ("not_measured", False)


def test_turns_that_no_dialogue_has_are_refused(held: Path, tmp_path: Path) -> None:
    shutil.copy(held / "few.yaml", tmp_path)
    row = {"dialogue": "timer-aksed", "turn": 1, "answer": "done"}
    far = {"dialogue": "timer-asked", "turn": 99, "answer": "done"}
    for bad, said in ((row, "the nearest: 'timer-asked'"), (far, "turn 99 of 'timer-asked'")):
        (tmp_path / "vendor.jsonl").write_text(json.dumps(bad) + "\n")
        done = _session(tmp_path, "chat", "few.yaml", "--model=predictions:vendor.jsonl")
        assert done.returncode == USAGE_ERROR
        assert said in done.stderr
