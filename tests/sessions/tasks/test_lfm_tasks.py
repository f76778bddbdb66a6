"""A tiny random LFM2.5 checkpoint through the TTS and chat tasks, in a session.

What such a model says is noise, so nothing here is about how good it is: what is asked for is
that each sentence and turn has its line, each figure a value or a reason, and that nothing dies.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml

from adapters.engines.lfm2_audio.adapter import SAMPLE_RATE, Lfm2Audio
from evals.gate import thresholds
from evals.records.jsonl_reader import read_lines
from evals.records.measurement import MISSING
from evals.records.replied import Replied
from evals.records.spoken import Spoken
from tests.contract.installed import need
from tests.support.sessions import ROOT, card_of, row_of

pytestmark = pytest.mark.engine

JUDGE = "faster-whisper-micro"  # of a session that names none; it knows commands alone
COMMAND = {"vocabulary": "commands"}
SENTENCES = (
    {"id": "command", "text": "turn on the kitchen lights", **COMMAND},
    {"id": "question", "text": "What is the weather in Paris in the morning?", **COMMAND},
    {"id": "letter", "text": "a"},
    {"id": "empty", "text": ""},
)
#: Longer than the encoder takes, so that this one turn fails.
TOO_LONG = 1 + round(Lfm2Audio.longest_audio or 0)
DIALOGUES: dict[str, Any] = {
    "schema_version": 1,
    "system": "You control the lights of a home.",
    "dialogues": [
        {
            "id": "lights",
            "turns": [
                {"role": "user", "text": "turn on the kitchen lights"},
                {"role": "assistant", "expect": [{"contains": "kitchen"}, {"words": {"max": 12}}]},
                {"role": "user", "text": "turn the lights off"},
                {"role": "assistant", "expect": [{"memory": {"value": "kitchen", "turn": 1}}]},
            ],
        },
        {
            "id": "long",
            "turns": [
                {"role": "user", "text": "what is the timer", "audio_filepath": "long.wav"},
                {"role": "assistant", "expect": [{"contains": "timer"}]},
                {"role": "user", "text": "stop the music"},
                {"role": "assistant", "expect": [{"contains": "music"}]},
            ],
        },
    ],
}
TURNS = ["lights-1", "lights-2", "long-1", "long-2"]
MODEL = "lfm-random"

_TIMES = ("latency_p50", "latency_p95", "latency_p99")
_FIRST_AUDIO = ("first_audio_p50", "first_audio_p95")
_LOADING = ("load_time", "first_inference", "peak_memory")
_DNSMOS = ("dnsmos_overall", "dnsmos_speech", "dnsmos_background", "dnsmos_p808")
#: Metrics that have a row in each task, at the least.
METRICS = {
    "tts": {
        "wer", "cer", "success_rate", "usable_rate", "rtf", "rtfx", *_FIRST_AUDIO, *_TIMES,
        *_LOADING, *_DNSMOS, "clipped_rate", "dc_offset", "leading_silence_p95",
        "trailing_silence_p95", "longest_pause_p95", "loudness", "speaking_rate",
    },
    "chat": {
        "turn_success_rate", "dialogue_success_rate", "instruction_following", "memory_rate",
        "success_rate", "typed_success_rate", "hearing_loss", "speech_text_wer", "usable_rate",
        "speaking_rate", "loudness", "clipped_rate", "answer_words", "first_token_p50",
        "first_token_p95", *_FIRST_AUDIO, *_TIMES, *_LOADING, *_DNSMOS,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Held:
    """The session, over."""

    folder: Path
    done: subprocess.CompletedProcess[str]

    @cached_property
    def card(self) -> dict[str, Any]:
        return card_of(self.folder)

    @property
    def run(self) -> Path:
        return self.folder / "runs" / "latest"

    @property
    def spoken(self) -> list[Spoken]:
        return read_lines(self._file("tts/few.jsonl"), Spoken)

    def replied(self, *, typed: bool) -> list[Replied]:
        rows = read_lines(self._file("chat/talk.jsonl"), Replied)
        return [row for row in rows if row.typed == typed]

    def sound(self, name: str | None) -> tuple[np.ndarray, int]:
        """What is kept in the run: shape (n,), and its rate in Hz."""
        assert name is not None
        samples, rate = soundfile.read(self.run / name, dtype="float32")
        return samples, rate

    def _file(self, name: str) -> Path:
        return self.run / MODEL / name

    def _lines(self, name: str) -> list[dict[str, Any]]:
        text = (self.run / MODEL / name).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Held:
    need("lfm2_audio")
    folder = tmp_path_factory.mktemp("lfm-tasks")
    checkpoint = folder / "checkpoint"
    # In a process of its own, whose bytecode of liquid-audio the session then finds made.
    make = [sys.executable, "-m", "tests.support.lfm_checkpoint", str(checkpoint)]
    subprocess.run(make, cwd=ROOT, check=True, timeout=300)
    # 24 tokens: two chunks of audio at least, so that the first comes before the last.
    entry = {"engine": "lfm2_audio", "checkpoint": str(checkpoint), "tasks": ["tts", "chat"],
             "options": {"max_new_tokens": 24}, "tier": "baseline"}  # fmt: skip
    catalog = {"schema_version": 1, "models": {MODEL: entry}}
    (folder / "catalog.yaml").write_text(yaml.safe_dump(catalog), encoding="utf-8")
    rows = "".join(json.dumps(row) + "\n" for row in SENTENCES)
    (folder / "few.jsonl").write_text(rows, encoding="utf-8")
    (folder / "talk.yaml").write_text(yaml.safe_dump(DIALOGUES), encoding="utf-8")
    noise = np.random.default_rng(1).normal(0.0, 0.05, TOO_LONG * 16_000)
    soundfile.write(folder / "long.wav", noise.astype(np.float32), 16_000)
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-m", "tts or chat", "--rated-clips=0",
            f"--catalog={folder / 'catalog.yaml'}", f"--model={MODEL}",
            f"--corpus={folder / 'few.jsonl'}", f"--corpus={folder / 'talk.yaml'}",
            f"--runs-dir={folder / 'runs'}", "-pno:hypothesispytest",
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    return Held(folder, done)


def test_the_session_ends_well(held: Held) -> None:
    assert held.done.returncode == 0, held.done.stdout + held.done.stderr
    assert "2 passed" in held.done.stdout
    # A row for each task, in as many tables as the terminal's width takes.
    assert sum(line.startswith(f"{MODEL} ") for line in held.done.stdout.splitlines()) >= 2
    log = (held.run / MODEL / "worker.log").read_text(encoding="utf-8")
    assert "Traceback" not in log


def test_every_sentence_is_spoken(held: Held) -> None:
    assert [line.id for line in held.spoken] == [row["id"] for row in SENTENCES]
    for line in held.spoken:
        assert line.error is None
        if line.text:
            _is_kept(held, line)
        else:  # silence is the right answer to no text
            assert len(held.sound(line.audio)[0]) == 0


def test_every_turn_is_answered_or_says_why_not(held: Held) -> None:
    spoken = held.replied(typed=False)
    assert [line.id for line in spoken] == TURNS
    for line in spoken:
        if line.id == "long-1":
            assert f"a turn's audio lasts {TOO_LONG}.0 s" in (line.error or "")
            assert (line.audio, line.answer, line.processing_seconds) == (None, "", None)
            continue
        assert line.error is None
        _is_kept(held, line.as_spoken())
    typed = held.replied(typed=True)
    assert [line.id for line in typed] == [f"{turn}/typed" for turn in TURNS]
    for line in typed:  # no sound of the user's, so nothing that is too long
        assert (line.error, line.audio) == (None, None)
        assert line.processing_seconds is not None


def _is_kept(held: Held, line: Spoken) -> None:
    """Its audio is there as it says, and more than silence; the first of it came before the last."""
    samples, rate = held.sound(line.audio)
    assert rate == line.sample_rate == SAMPLE_RATE
    assert len(samples) == round((line.audio_seconds or 0) * rate) > 0
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() > 0
    assert line.first_audio_seconds is not None
    assert line.processing_seconds is not None
    assert 0 < line.first_audio_seconds < line.processing_seconds


def test_text_is_streamed_too(held: Held) -> None:
    answered = [line for t in (False, True) for line in held.replied(typed=t) if line.answer]
    assert answered
    for line in answered:
        assert line.first_token_seconds is not None
        assert line.processing_seconds is not None
        assert 0 < line.first_token_seconds < line.processing_seconds


def test_the_judge_hears_what_it_can(held: Held) -> None:
    for line in held.spoken:
        assert set(line.heard) == ({JUDGE} if line.metadata else set())
        assert not line.unheard
    for turn in held.replied(typed=False):
        assert set(turn.heard) == (set() if turn.error else {JUDGE})
        assert not turn.unheard
    assert not any(turn.heard or turn.unheard for turn in held.replied(typed=True))


@pytest.mark.parametrize("task", METRICS)
def test_each_figure_has_a_value_or_a_reason(held: Held, task: str) -> None:
    rows = {m["metric"]: m for m in held.card["measurements"] if m["task"] == task}
    assert rows.keys() >= METRICS[task]
    for metric, row in rows.items():
        if row["value"] is None:
            assert row["verdict"] in MISSING, metric
            assert row["reason"], metric
        else:
            assert row["verdict"] not in MISSING, metric
            assert row["n"] > 0, metric
    graded = set(thresholds.load().bands[task])
    assert all(rows[metric]["value"] is not None for metric in graded)
    (grade,) = held.card["grades"]
    (corpus,) = [c for c in grade["corpora"] if c["task"] == task]
    assert corpus["metrics"].keys() == {f"{task}/{metric}" for metric in graded}


def test_success_is_counted_from_the_lines(held: Held) -> None:
    def rate(task: str, metric: str) -> tuple[float | None, int]:
        row = row_of(held.card, MODEL, metric, task)
        return row["value"], row["n"]

    assert rate("tts", "success_rate") == (1.0, sum(bool(row["text"]) for row in SENTENCES))
    failed = [line.id for line in held.replied(typed=False) if line.error]
    assert rate("chat", "success_rate") == (1 - len(failed) / len(TURNS), len(TURNS))
    assert rate("chat", "turn_success_rate")[1] == len(TURNS)
    assert rate("chat", "typed_success_rate")[1] == len(TURNS)
    assert rate("chat", "dialogue_success_rate")[1] == len(DIALOGUES["dialogues"])


def test_first_audio_is_that_of_the_lines(held: Held) -> None:
    times = {
        "tts": [line.first_audio_seconds for line in held.spoken],
        "chat": [line.first_audio_seconds for line in held.replied(typed=False)],
    }
    for task, of_each in times.items():
        known = [t for t in of_each if t is not None]
        assert len(known) == 3  # of four: not of the empty sentence and the turn that failed
        for percentile in (50, 95):
            row = row_of(held.card, MODEL, f"first_audio_p{percentile}", task)
            assert row["value"] == pytest.approx(np.percentile(known, percentile))
            assert row["n"] == len(known)
