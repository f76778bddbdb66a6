"""Figures of voices, by hand: what was heard of them, and which sound is none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.catalog.yaml_file import ConfigError
from evals.gate.case import Case
from evals.gate.evaluation import Evaluation
from evals.gate.thresholds import DEFAULT, load
from evals.judges.asr_judge import Judge
from evals.measures.sound.signal_quality import SignalQuality, signal_quality
from evals.records.measurement import Measurement
from evals.records.spoken import Spoken
from evals.run.case_store import Stored
from evals.session.limits import _listeners
from evals.tasks.tts.clips import Clip, clips, problem, stored_clips
from evals.tasks.tts.intelligibility import by_part, intelligibility
from evals.tasks.tts.scores import (
    Listeners,
    answers,
    intonation,
    ratings,
    signal,
    similarity,
    tts_speed,
)
from evals.tasks.tts.task import TASK
from fixtures.corpora.sentences import Sentence, read_sentences
from tests.support.speech_faults import human, need_libraries, noisy

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


def test_clips_of_a_case_are_analysed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the test that rates them; the task's figures are of the same clips."""
    analysed: list[str] = []

    def counting(samples: np.ndarray, rate: int, text: str) -> SignalQuality:
        analysed.append(text)
        return signal_quality(samples, rate, text)

    monkeypatch.setattr("evals.tasks.tts.clips.signal_quality", counting)
    case = Case("voice", "candidate", "tts", "few")
    stored = Stored(tmp_path, case)
    soundfile.write(tmp_path / "x.wav", speech(1.0), RATE, subtype="FLOAT")
    with stored.lines(Spoken) as file:
        file.append(line("turn on the light", "turn on the light"))
    stored_clips(stored, [*stored.read(Spoken)])
    stored.keep(normalizer="whisper-english", judges=["judge"], observed={}, listened={})
    recorded: list[Measurement] = []
    TASK.score(Evaluation(case, load(), "off", emit=recorded.append), stored)
    assert {m.metric: m.value for m in recorded}["usable_rate"] == 1.0
    assert analysed == ["turn on the light"]


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


def test_a_judge_that_failed_on_a_sentence_costs_that_sentence() -> None:
    """All of its words are missing, which is no pass; the others are what they were."""
    good = [line("call mom now", "call mom"), line("stop", "stop")]
    lines = [*good, line("turn on", None, unheard={"judge": "it died"})]
    figures = intelligibility(lines, "judge", "whisper-english")
    assert figures["wer"].value == pytest.approx((1 + 2) / 6)
    assert figures["wer"].n == 3
    assert figures["wer"].reason == "judge failed on 1 of 3: it died"
    assert figures["cer"].value is not None
    assert intelligibility(good, "judge", "whisper-english")["wer"].value == pytest.approx(1 / 4)


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=2, max_size=12).filter(any))
def test_what_a_judge_failed_on_is_never_better_than_what_it_heard(answered: list[bool]) -> None:
    whole = [line(f"word {n}", f"word {n}") for n in range(len(answered))]
    lines = [
        one if heard else replace(one, heard={}, unheard={"judge": "it died"})
        for one, heard in zip(whole, answered, strict=True)
    ]
    wer = intelligibility(lines, "judge", "lower")["wer"]
    assert wer.value == pytest.approx(answered.count(False) / len(answered))
    assert wer.n == len(answered)


def test_a_judge_that_failed_on_a_recording_leaves_the_others(tmp_path: Path) -> None:
    lines = [
        line("turn on", "turn on", heard_recording={"judge": "turn off"}),
        line("call mom", "call mom", unheard={"judge": "it died"}),
    ]
    figures = intelligibility(lines, "judge", "lower")
    assert figures["wer"].value == 0
    assert figures["wer"].reason == "2 utterances say nothing of others"  # not the judge
    assert (figures["judge_wer"].value, figures["judge_wer"].n) == (0.5, 1)
    assert figures["wer_above_judge"].reason == "judge failed on 1 recordings, which are left out"


def test_a_judge_that_heard_nothing_leaves_no_figure() -> None:
    deaf = [line("call mom", None, unheard={"judge": "it is not installed"})] * 2
    figures = intelligibility(deaf, "judge", "whisper-english")
    assert figures["wer"].value is None
    assert "judge failed on 2 of 2: it is not installed" in (figures["wer"].reason or "")
    assert by_part(deaf, "judge", "lower") == {}
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


def test_parts_by_hand() -> None:
    """Ten numbers in English and ten names, five of them in German; and one nobody judged."""
    numbers = [line("one two three four", "one two three", category="numbers") for _ in range(10)]
    names = [
        line("ann bob", "ann bob", category="names", lang="de" if n < 5 else None) for n in range(10)
    ]  # fmt: skip
    found = by_part([*numbers, *names, line("x", None, category="names")], "judge", "lower")
    # German has five only. Nothing by length, which is the voice's own.
    assert set(found) == {"category=numbers", "category=names", "lang=en"}
    assert found["category=numbers"].value == pytest.approx(0.25)
    assert found["category=names"].value == 0
    assert found["lang=en"].value == pytest.approx(10 / 50)
    sizes = {name: figure.n for name, figure in found.items()}
    assert sizes == {"category=numbers": 10, "category=names": 10, "lang=en": 15}
    assert all(figure.ci is not None for figure in found.values())
    failed = line("one two three four", None, category="numbers", unheard={"judge": "it died"})
    again = by_part([*numbers, *names, failed], "judge", "lower")
    assert again["category=numbers"].value == pytest.approx(14 / 44)
    assert again["category=names"] == found["category=names"]


def test_a_part_of_a_voices_wer_can_be_limited(tmp_path: Path) -> None:
    own = "models:\n  espeak:\n    '*':\n      tts:\n        {limit}\n"
    text = DEFAULT.read_text(encoding="utf-8").replace("\nmodels:\n", "\n" + own, 1)
    path = tmp_path / "thresholds.yaml"
    named = text.replace("{limit}", "wer/category=numbers: {max: 0.2}")
    path.write_text(named, encoding="utf-8")
    limits = load(path).limits(
        model="espeak", tier="baseline", task="tts", corpus="sentences", gate="tier"
    )
    assert [limit.value for limit in limits["wer/category=numbers"]] == [0.2]
    for limit, says in (
        ("wer/numbers: {max: 0.2}", "KEY=VALUE"),
        ("cer/category=numbers: {max: 0.2}", "not reported by parts"),
    ):
        path.write_text(text.replace("{limit}", limit), encoding="utf-8")
        with pytest.raises(ConfigError, match=says):
            load(path)


def test_melody_is_the_mean_over_the_clips_that_are_speech(tmp_path: Path) -> None:
    need_libraries("pyworld")
    text = "set a timer for ten minutes"

    def sweeping(cents: float) -> Clip:
        """A buzz that climbs by as much, evenly."""
        t = np.arange(2 * RATE) / RATE
        phase = 2 * np.pi * np.cumsum(120 * 2 ** (cents * t / 2 / 1200)) / RATE
        wave = sum(np.sin(k * phase) / k for k in range(1, 20))
        swell = 0.6 + 0.4 * np.sin(2 * np.pi * 3 * t)
        return clip(tmp_path, text, (0.1 * wave * swell).astype(np.float32))

    silence = clip(tmp_path, text, np.zeros(2 * RATE, np.float32))
    found = intonation([sweeping(600), sweeping(1200), silence])["f0_spread"]
    # Of an even climb, the 16th to the 84th percentile are 68 % of it, and half of that counts.
    assert found.value == pytest.approx((0.34 * 600 + 0.34 * 1200) / 2, rel=0.05)
    assert found.n == 2
    assert found.ci is not None
    nothing = intonation([silence])["f0_spread"]
    assert (nothing.value, nothing.reason) == (None, "no clip is speech")


def test_figures_against_recordings_are_the_libraries_on_human_speech(tmp_path: Path) -> None:
    """PESQ and STOI of the task over noisy copies, and that more noise is worse by every figure.

    Not at 0 dB: white noise as loud as the speech is taken for noise, which nothing is compared
    with; test_reference_similarity.py and test_mos.py have these.
    """
    need_libraries("pesq", "pystoi", "pyworld", "speechmos", "onnxruntime")
    import pesq
    import pystoi

    people = human(3, longest=6)
    rows = []
    for number, sound in enumerate(people):
        soundfile.write(tmp_path / f"{number}.wav", sound, RATE, subtype="FLOAT")
        rows.append({"id": str(number), "text": "as recorded", "audio_filepath": f"{number}.wav"})
    manifest = tmp_path / "people.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    sentences = read_sentences(manifest)
    found = []
    for decibels in (20, 10):
        copies = [noisy(sound, decibels) for sound in people]
        lines = []
        for number, copy in enumerate(copies):
            name = f"copy-{number}.wav"
            soundfile.write(tmp_path / name, copy, RATE, subtype="FLOAT")
            lines.append(replace(BLANK, id=str(number), text="as recorded", audio=name))
        sounds = clips(lines, tmp_path)
        figures = {**similarity(sounds, sentences), **ratings(sounds, len(people))}
        expected = [pesq.pesq(RATE, a, b, "wb") for a, b in zip(people, copies, strict=True)]
        assert figures["pesq"].value == pytest.approx(np.mean(expected))
        expected = [pystoi.stoi(a, b, RATE) for a, b in zip(people, copies, strict=True)]
        assert figures["stoi"].value == pytest.approx(np.mean(expected))
        assert figures["pesq"].n == figures["stoi"].n == len(people)
        found.append(figures)
    for name, better in (("pesq", 1), ("stoi", 1), ("dnsmos_overall", 1), ("mcd", -1)):
        values = [better * (figures[name].value or 0.0) for figures in found]
        assert values[0] > values[1], name


def test_networks_are_named_by_options_and_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def named(utmos: str | None) -> Listeners:
        options = {"utmos": utmos, "speaker_encoder": "some/encoder"}
        config: Any = SimpleNamespace(getoption=options.__getitem__)
        return _listeners(config)

    for file in ("a.pt", "b.pt"):
        (tmp_path / file).touch()
    monkeypatch.delenv("MODEL_LAB_UTMOS", raising=False)
    assert named(None) == Listeners(None, "some/encoder")
    monkeypatch.setenv("MODEL_LAB_UTMOS", str(tmp_path / "a.pt"))
    assert named(None).utmos == (tmp_path / "a.pt").resolve()
    assert named(str(tmp_path / "b.pt")).utmos == (tmp_path / "b.pt").resolve()
    with pytest.raises(pytest.UsageError, match=r"^--utmos: nowhere\.pt is no file"):
        named("nowhere.pt")
    monkeypatch.setenv("MODEL_LAB_UTMOS", "gone.pt")
    with pytest.raises(pytest.UsageError, match=r"^MODEL_LAB_UTMOS: gone\.pt is no file"):
        named(None)
