"""What is wrong with the user's files is exit code 4, said once, before any model is loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from evals.records.jsonl_reader import read_lines
from evals.records.predictions import Prediction
from fixtures.audio.lengths import PIPED
from tests.support.sessions import card_of, row_of, run_toys, write_toys
from tests.support.toy_engine import toy_corpus

pytestmark = pytest.mark.slow

TEXTS = [f"turn on light {n}" for n in "abcdefghijklmnopqrst"]
SILENT = "is silent (every sample is zero) though its text is not empty"
ASR = ("-m", "asr and not latency", "--model=one", "--model=two")
#: An engine that leaves a mark where it is loaded, and takes a file of the corpus away.
TAKES = """

class Takes(Toy):
    options = {**Toy.options, "takes": "", "mark": ""}

    def load(self, spec):
        super().load(spec)
        if spec.options["mark"]:
            Path(spec.options["mark"]).touch()
        if spec.options["takes"]:
            Path(spec.options["takes"]).unlink(missing_ok=True)


ADAPTER = Takes
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two models, and a corpus of 20 files of which 12 are silent and 2 were cut."""
    write_toys(tmp_path, {"one": {"mark": str(tmp_path / "loaded")}, "two": {}})
    (tmp_path / "their_engine.py").write_text((tmp_path / "their_engine.py").read_text() + TAKES)
    corpus = toy_corpus(tmp_path / "toy", TEXTS).parent
    for number in range(12):
        soundfile.write(corpus / f"{number}.wav", np.zeros(8000), 16_000, subtype="PCM_16")
    for number in (12, 13):
        content = (corpus / f"{number}.wav").read_bytes()
        (corpus / f"{number}.wav").write_bytes(content[:2000])
    return tmp_path


def refused(folder: Path, *arguments: str) -> str:
    """What a session printed that ended with exit code 4 and loaded nothing, wrote nothing."""
    done = run_toys(folder, *arguments)
    assert done.returncode == 4, done.stdout + done.stderr
    assert not (folder / "loaded").exists()
    assert not list((folder / "runs").glob("*"))
    assert "Traceback" not in done.stdout + done.stderr
    return done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ASR,
        (*ASR, "--isolation=none"),
        (*ASR, "-n", "2"),
        ("-m", "asr or robustness or hallucination", "--model=one", "--model=two"),
        ("-m", "asr or tts", "--model=one", "--model=espeak"),
        ("-m", "tts", "--model=espeak", "-n", "2"),
        (*ASR, "--shard=1/2"),
    ],
)  # fmt: skip
def test_each_fault_is_told_once(folder: Path, arguments: tuple[str, ...]) -> None:
    said = refused(folder, *arguments)
    manifest = folder / "toy" / "manifest.jsonl"
    shown = [line for line in said.splitlines() if line.startswith(f"{manifest}:")]
    assert [line.split(":")[1] for line in shown] == ["1", "2", "3", "4", "5", "13", "14"]
    assert said.count(SILENT) == 5
    assert said.count("... and 7 more of this kind") == 1
    assert said.count("is truncated") == 2
    assert said.count("corpus toy:") == 1


def test_files_that_no_chosen_test_needs_are_not_looked_at(folder: Path) -> None:
    for more in ((), ("-n", "2")):
        done = run_toys(folder, "-m", "latency", "--model=one", *more)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        assert "is silent" not in done.stdout + done.stderr
    assert run_toys(folder, *ASR, "--collect-only", "-q").returncode == 0


def test_conversations_with_a_silent_user(folder: Path) -> None:
    catalog = folder / "catalog.yaml"
    catalog.write_text(
        "schema_version: 1\nmodels:\n"
        "  one: {engine: cascade, tasks: [chat], options: {asr: faster-whisper-micro, tts: espeak}}\n"
    )
    turns = [
        {"role": "user", "text": "hello", "audio_filepath": "0.wav"},
        {"role": "assistant", "expect": [{"contains": "a"}]},
    ]
    talk = folder / "toy" / "manifest.jsonl"
    talk.write_text("".join(json.dumps({"id": f"d{n}", "turns": turns}) + "\n" for n in range(3)))
    for more in ((), ("-n", "2")):
        said = refused(folder, "-m", "chat", "--model=one", *more)
        assert said.count(SILENT) == 1


def test_a_run_is_not_resumed_on_broken_files(folder: Path) -> None:
    manifest = toy_corpus(folder / "toy", TEXTS)
    done = run_toys(folder, *ASR)
    assert done.returncode == 0, done.stdout + done.stderr
    run = (folder / "runs" / "latest").resolve()
    kept = {path: path.read_bytes() for path in run.rglob("*.jsonl")}
    (folder / "loaded").unlink()
    soundfile.write(folder / "toy" / "3.wav", np.zeros(8000), 16_000, subtype="PCM_16")
    again = run_toys(folder, f"--resume={run}")
    assert again.returncode == 4
    assert f"{manifest}:4: " in again.stderr
    assert again.stderr.count(SILENT) == 1
    assert {path: path.read_bytes() for path in run.rglob("*.jsonl")} == kept


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ("alternatives: [nowhere]", "alternatives: no row has a text under the key 'nowhere'"),
    ],
)
def test_limits_that_do_not_fit_the_corpus(folder: Path, rules: str, says: str) -> None:
    toy_corpus(folder / "toy", TEXTS)
    from evals.gate.thresholds import DEFAULT

    text = DEFAULT.read_text(encoding="utf-8")
    assert "\ncorpora:" not in text
    limits = folder / "limits.yaml"
    limits.write_text(f"{text}\ncorpora:\n  toy: {{{rules}}}\n", encoding="utf-8")
    said = refused(folder, *ASR, f"--thresholds={limits}")
    assert said.count(says) == 1


def test_a_normalizer_that_rows_disagree_on(folder: Path) -> None:
    manifest = toy_corpus(folder / "toy", TEXTS)
    rows: list[dict[str, Any]] = [json.loads(line) for line in manifest.read_text().splitlines()]
    rows[3]["normalizer"] = "lower"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert refused(folder, *ASR).count("normalizer") == 1


def test_a_file_that_goes_during_the_run_costs_its_utterance(folder: Path) -> None:
    manifest = toy_corpus(folder / "toy", TEXTS)
    gone = folder / "toy" / "3.wav"
    catalog = (folder / "catalog.yaml").read_text()
    (folder / "catalog.yaml").write_text(
        catalog.replace(f"mark: {folder / 'loaded'}", f"takes: {gone}")
    )
    done = run_toys(folder, *ASR)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    for model in ("one", "two"):
        file = folder / "runs" / "latest" / model / "asr" / "toy.jsonl"
        lines = list(read_lines(file, Prediction))
        assert len(lines) == len(TEXTS)
        bad = [line for line in lines if line.error is not None]
        assert [line.id for line in bad] == ["u3"]
        assert f"{manifest}:4: {gone} cannot be read" in (bad[0].error or "")
        row = row_of(card_of(folder), model, "success_rate")
        assert row["value"] == pytest.approx(1 - 1 / len(TEXTS))


@pytest.mark.parametrize("more", [(), ("-n", "2")])
def test_what_is_odd_is_told_once_and_the_session_goes_on(
    folder: Path, more: tuple[str, ...]
) -> None:
    toy_corpus(folder / "toy", TEXTS)
    for number in range(6):
        file = folder / "toy" / f"{number}.wav"
        content = bytearray(file.read_bytes())
        content[40:44] = b"\xff" * 4  # as FFmpeg leaves it in a pipe
        file.write_bytes(content)
    done = run_toys(folder, *ASR, *more)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(f"0.wav {PIPED} (6 files are like this)") == 1
    assert row_of(card_of(folder), "one", "wer")["value"] == 0


@pytest.mark.parametrize("damage", [b"{broken\n", None])
def test_a_baseline_whose_lines_are_damaged(folder: Path, damage: bytes | None) -> None:
    toy_corpus(folder / "toy", TEXTS)
    assert run_toys(folder, *ASR).returncode == 0
    (folder / "runs" / "latest").resolve().rename(folder / "before")
    shutil.rmtree(folder / "runs")
    (folder / "loaded").unlink()
    lines = folder / "before" / "two" / "asr" / "toy.jsonl"
    if damage is None:
        lines.unlink()
    else:
        lines.write_bytes(damage)
    assert refused(folder, *ASR, f"--baseline={folder / 'before'}").count(str(lines)) == 1
    done = run_toys(
        folder, "-m", "asr and not latency", "--model=one", f"--baseline={folder / 'before'}"
    )
    assert done.returncode == 0, done.stdout + done.stderr  # nothing is held to those lines
