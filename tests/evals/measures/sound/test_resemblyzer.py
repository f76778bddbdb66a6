"""Resemblyzer's encoder: the package's own embeddings, planted faults, and which encoder measured."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from adapters.interface import Samples
from evals.measures.sound.optional import NotMeasured
from evals.measures.sound.resemblyzer import GE2E, NAME, SHORTEST_SECONDS, ge2e
from evals.measures.sound.signal_quality import signal_quality
from evals.measures.sound.speaker_similarity import DEFAULT, any_encoder
from evals.records.spoken import Spoken
from evals.tasks.tts.clips import Clip
from evals.tasks.tts.scores import speaker_similarity
from fixtures.audio.read import SAMPLE_RATE
from fixtures.corpora.sentences import Sentences, read_sentences
from tests.support.real_speech import BECKETT, TWO_CITIES, speech
from tests.support.speech_faults import Revoiced, need_libraries, noisy, spoken

pytestmark = pytest.mark.engine

NEEDED = ("resemblyzer", "webrtcvad", "torch", "librosa", "pyworld", "moonshine_voice")


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    need_libraries(*NEEDED)


@pytest.fixture(scope="module")
def encoder() -> GE2E:
    return ge2e()


def reader(start: int, end: int) -> Samples:
    """Seconds of the reader in moonshine-voice's wheel."""
    return np.asarray(speech(TWO_CITIES).samples[start * SAMPLE_RATE : end * SAMPLE_RATE])


def test_embeddings_are_the_packages(encoder: GE2E) -> None:
    """Whole stretches, a last one that is cut off and one that is padded, loud and quiet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a module that SciPy will drop
        package: Any = importlib.import_module("resemblyzer")
    theirs = package.VoiceEncoder("cpu", verbose=False)
    for clip in (reader(0, 5), reader(5, 8), 0.2 * reader(8, 10), spoken()):
        expected = theirs.embed_utterance(package.preprocess_wav(clip))
        assert encoder.embed(clip, SAMPLE_RATE) == pytest.approx(expected, abs=1e-5)


def test_planted_faults_are_ranked(encoder: GE2E) -> None:
    """Noise at 20, 10 and 0 dB, a robot's voice, another person and a synthesizer sound less alike."""
    reference, clip = encoder.embed(reader(20, 28), SAMPLE_RATE), reader(0, 5)

    def alike(samples: Samples) -> float:
        return float(encoder.embed(samples, SAMPLE_RATE) @ reference)

    same = alike(clip)
    noise = [alike(noisy(clip, decibels)) for decibels in (20, 10, 0)]
    assert [same, *noise] == sorted([same, *noise], reverse=True)
    robot = alike(Revoiced(clip).robot())
    other = alike(np.asarray(speech(BECKETT).samples[: 5 * SAMPLE_RATE]))
    assert same > robot > other > alike(spoken())


@pytest.mark.parametrize(
    ("samples", "why"),
    [
        (np.zeros(SAMPLE_RATE, np.float32), "silent"),
        (np.full(SAMPLE_RATE, np.inf, np.float32), "NaN"),
        (spoken()[: SAMPLE_RATE // 2], f"{SHORTEST_SECONDS:g} s of speech"),
    ],
)
def test_too_little_has_no_embedding(encoder: GE2E, samples: Samples, why: str) -> None:
    with pytest.raises(NotMeasured, match=why):
        encoder.embed(samples, SAMPLE_RATE)


def recorded(folder: Path, clips: list[Samples]) -> Sentences:
    rows = []
    for number, samples in enumerate(clips):
        soundfile.write(folder / f"{number}.wav", samples, SAMPLE_RATE)
        rows.append(f'{{"id": "{number}", "text": "a text", "audio_filepath": "{number}.wav"}}\n')
    (folder / "said.jsonl").write_text("".join(rows), encoding="utf-8")
    return read_sentences(folder / "said.jsonl")


def clip(number: int, samples: Samples) -> Clip:
    line = Spoken(str(number), "a text", "a.wav", 1.0, SAMPLE_RATE, 0.1)
    return Clip(line, samples, SAMPLE_RATE, signal_quality(samples, SAMPLE_RATE, line.text))


def test_figure_says_who_measured_it_and_counts_what_was_too_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))  # no WavLM there
    own = [reader(0, 4), reader(4, 8), spoken()[: SAMPLE_RATE // 2]]
    sentences = recorded(tmp_path, [reader(8, 12), reader(12, 16), reader(16, 18)])
    sounds = [clip(number, samples) for number, samples in enumerate(own)]
    found = speaker_similarity(sounds, sentences, DEFAULT, 20)["speaker_similarity"]
    assert (found.n, found.by) == (2, NAME)
    assert found.reason == (
        f"by {NAME}; 1 of 3 clips are left out: {NAME} needs {SHORTEST_SECONDS:g} s of speech in a clip"
    )
    assert 0.75 < (found.value or 0) < 1  # the lowest of one person, measured over 17 clips


def test_encoder_that_was_named_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    need_libraries("transformers")
    with pytest.raises(NotMeasured, match="nobody/nothing"):
        any_encoder("nobody/nothing")
