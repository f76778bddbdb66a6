"""Figures of voices, by hand: what was heard of them, and which sound is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from evals.judging import Judge
from evals.spoken import Spoken
from evals.tts_scores import Clip, answers, clips, intelligibility, problem, signal, tts_speed
from fixtures.sentences import Sentence

RATE = 16_000
BLANK = Spoken("x", "", "x.wav", 2.0, RATE, 0.5)


def line(text: str, heard: str | None, **more: object) -> Spoken:
    judged = {"judge": heard} if heard is not None else {}
    return replace(BLANK, id=text, text=text, heard=judged, **more)  # type: ignore[arg-type]  # as given


def speech(seconds: float, seed: int = 0) -> np.ndarray:
    """A voice-like sound: harmonics of 120 Hz that swell and sink three times a second."""
    t = np.arange(round(seconds * RATE)) / RATE
    tones = sum(np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 20))
    return (0.1 * tones * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * t))).astype(np.float32)


def clip(tmp_path: Path, text: str, samples: np.ndarray) -> Clip:
    soundfile.write(tmp_path / "x.wav", samples, RATE, subtype="FLOAT")
    (found,) = clips([replace(BLANK, text=text)], tmp_path)
    return found


def test_intelligibility_by_hand() -> None:
    lines = [
        line("turn on the light", "turn off the light"),  # 1 of 4
        line("call mom", "call mom"),  # 0 of 2
        line("stop the timer", "", audio=None, error="broke"),  # 3 of 3: nothing was said
        line("not for this judge", None),
        line("", None),
    ]
    figures = intelligibility(lines, "judge", "whisper-english")
    assert figures["wer"].value == pytest.approx(4 / 9)
    assert figures["wer"].n == 3
    assert "judge_wer" not in figures


def test_the_judge_s_own_error_is_taken_off() -> None:
    lines = [
        line("turn on the light", "turn off a light", heard_recording={"judge": "turn off the light"}),
        line("call mom", "call mom", heard_recording={"judge": "call tom"}),
        line("no recording here", "no recording"),
    ]  # fmt: skip
    figures = intelligibility(lines, "judge", "whisper-english")
    assert figures["wer"].value == pytest.approx(3 / 9)
    assert figures["judge_wer"].value == pytest.approx(2 / 6)
    # Of the two that were recorded: 2 errors by the voice, 2 by the person.
    assert figures["wer_above_judge"].value == 0
    assert figures["wer_above_judge"].n == 2


def test_a_judge_that_failed_leaves_no_figure() -> None:
    lines = [line("call mom", "call mom"), line("stop", None, unheard={"judge": "it died"})]
    figures = intelligibility(lines, "judge", "whisper-english")
    assert figures["wer"].value is None
    assert "judge failed on 1 of 2: it died" in (figures["wer"].reason or "")
    nobody = intelligibility([line("Привет", None)], "judge", "whisper-english")
    assert nobody["wer"].value is None
    assert "understands none" in (nobody["wer"].reason or "")


@pytest.mark.parametrize(
    ("vocabulary", "language", "sentence", "understands"),
    [
        (None, None, Sentence("a", "hello"), True),
        (None, "en", Sentence("a", "hello"), True),
        (None, "en", Sentence("a", "hallo", lang="de"), False),
        (None, "de", Sentence("a", "hallo", lang="de-AT"), True),
        ("commands", "en", Sentence("a", "hello"), False),
        ("commands", "en", Sentence("a", "stop", metadata={"vocabulary": "commands"}), True),
        (None, None, Sentence("a", "  "), False),
    ],
)
def test_what_a_judge_understands(
    vocabulary: str | None, language: str | None, sentence: Sentence, understands: bool
) -> None:
    assert Judge("j", None, vocabulary, language).understands(sentence) is understands


def test_what_is_no_speech(tmp_path: Path) -> None:
    good = speech(2.0)
    drawn = np.random.default_rng(0).normal(0, 0.1, 2 * RATE).astype(np.float32)
    broken = good.copy()
    broken[7] = np.nan
    text = "set a timer for ten minutes"
    assert problem(clip(tmp_path, text, good)) is None
    for samples, says in (
        (np.zeros(2 * RATE, np.float32), "silence"),
        (np.zeros(0, np.float32), "no samples"),
        (drawn, "noise"),
        (broken, "1 samples are NaN"),
        (speech(40.0), "no end"),
    ):
        assert says in (problem(clip(tmp_path, text, samples)) or "")
    assert problem(clip(tmp_path, "a", speech(1.0))) is None  # one letter takes its time


def test_answers_by_hand(tmp_path: Path) -> None:
    sounds = []
    lines = []
    for name, text, samples in (
        ("good", "call mom", speech(1.0)),
        ("silent", "stop", np.zeros(RATE, np.float32)),
        ("empty", "", np.zeros(0, np.float32)),
        ("dots", "...", np.zeros(0, np.float32)),
    ):
        found = clip(tmp_path, text, samples)
        one = replace(found.line, id=name)
        lines.append(one)
        sounds.append(replace(found, line=one))
    lines.append(replace(BLANK, id="refused", text="no", audio=None, error="refused"))
    figures = answers(lines, sounds)
    assert figures["success_rate"].value == pytest.approx(2 / 3)
    assert figures["success_rate"].n == 3
    assert figures["usable_rate"].value == pytest.approx(1 / 3)
    # Only the good one is speech that can be looked at.
    looked = signal(sounds)
    assert looked["clipped_rate"].n == 1
    assert looked["leading_silence_p95"].value == pytest.approx(0.0, abs=0.05)
    assert looked["speaking_rate"].value == pytest.approx(2.0, rel=0.1)
    nothing = signal(sounds[1:])
    assert {figure.value for figure in nothing.values()} == {None}


def test_speed_by_hand() -> None:
    lines = [
        replace(BLANK, processing_seconds=0.5, audio_seconds=2.0, first_audio_seconds=0.1),
        replace(BLANK, processing_seconds=1.5, audio_seconds=2.0, first_audio_seconds=0.3),
        replace(BLANK, processing_seconds=None, audio_seconds=None, audio=None, error="no"),
    ]
    figures = tts_speed(lines)
    assert figures["rtf"].value == pytest.approx(0.5)
    assert figures["rtfx"].value == pytest.approx(2.0)
    assert figures["first_audio_p50"].value == pytest.approx(0.2)
    assert figures["rtf"].n == 2
    assert {f.value for f in tts_speed(lines[2:]).values()} == {None}
