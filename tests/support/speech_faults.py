"""Speech of espeak-ng, its faults as a bad synthesizer would make them, and human speech if there."""

from __future__ import annotations

import importlib.util
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from adapters.engines.espeak import Espeak
from adapters.interface import LoadSpec, Samples
from evals.measures.sound.world import pyworld
from fixtures.audio.read import SAMPLE_RATE, to_mono_16k
from fixtures.corpora.corpus import read_manifest

TEXT = "the quick brown fox jumps over the lazy dog"
#: Human speech beside the repository, which not everyone has and the product never needs.
READ_SPEECH = Path(__file__).parents[3] / "shared" / "corpora" / "read-speech" / "manifest.jsonl"


def need_libraries(*names: str) -> None:
    """Skip the test where one is not installed; fail it where .ci/run installed all."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if not missing:
        return
    reason = f"needs {', '.join(missing)}: install model-lab[quality]"
    if os.environ.get("MODEL_LAB_ALL_EXTRAS"):
        pytest.fail(reason)
    pytest.skip(reason)


@cache
def spoken(text: str = TEXT) -> Samples:
    """The text as espeak-ng says it, at 16 kHz."""
    engine = Espeak()
    engine.load(LoadSpec("espeak-ng"))
    try:
        audio = engine.synthesize(text).audio
    finally:
        engine.close()
    return to_mono_16k(audio.samples, audio.sample_rate)


def human(count: int, shortest: float = 0.0, longest: float = 20.0) -> list[Samples]:
    """Clips of human speech, one per speaker and then the next; skips the test without them."""
    if not READ_SPEECH.is_file():
        pytest.skip("shared/corpora/read-speech is not there")
    sounds: dict[str, Samples] = {}
    for utterance in read_manifest(READ_SPEECH):
        sound = utterance.load()
        if shortest <= len(sound) / SAMPLE_RATE <= longest:
            sounds.setdefault(str(utterance.speaker), sound)
    assert len(sounds) >= count
    return list(sounds.values())[:count]


def noisy(samples: Samples, decibels: float) -> Samples:
    """With white noise, at that ratio of powers."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0.0, 1.0, len(samples))
    noise *= np.sqrt((samples.astype(float) ** 2).mean()) * 10 ** (-decibels / 20)
    quiet = 0.4 * (samples + noise)
    assert np.abs(quiet).max() < 1
    return np.asarray(quiet, np.float32)


def clipped(samples: Samples, decibels: float = 6.0) -> Samples:
    """Cut off that far below its peak, then brought back to the peak it had, below full scale."""
    peak = np.abs(samples).max()
    limit = peak * 10 ** (-decibels / 20)
    return np.asarray(np.clip(samples, -limit, limit) * peak / limit, np.float32)


def after_silence(samples: Samples, seconds: float) -> Samples:
    return np.concatenate([np.zeros(round(seconds * SAMPLE_RATE), np.float32), samples])


def white_noise(seconds: float) -> Samples:
    return np.random.default_rng(0).normal(0, 0.1, round(seconds * SAMPLE_RATE)).astype(np.float32)


class Revoiced:
    """A clip taken apart by WORLD and put together again with another voice."""

    def __init__(self, samples: Samples) -> None:
        self._world: Any = pyworld()
        self._length = len(samples)
        wave = samples.astype(np.float64)
        coarse, times = self._world.dio(wave, SAMPLE_RATE)
        self._f0 = self._world.stonemask(wave, coarse, times, SAMPLE_RATE)
        self._envelope = self._world.cheaptrick(wave, self._f0, times, SAMPLE_RATE)
        self._noise = self._world.d4c(wave, self._f0, times, SAMPLE_RATE)

    def same(self) -> Samples:
        return self._speak(self._f0, self._noise)

    def pitched(self, semitones: float) -> Samples:
        return self._speak(self._f0 * 2 ** (semitones / 12), self._noise)

    def robot(self) -> Samples:
        middle = np.median(self._f0[self._f0 > 0])
        return self._speak(np.where(self._f0 > 0, middle, 0.0), self._noise)

    def hoarse(self) -> Samples:
        return self._speak(self._f0, np.ones_like(self._noise))

    def _speak(self, f0: NDArray[np.float64], noise: NDArray[np.float64]) -> Samples:
        wave = self._world.synthesize(f0, self._envelope, noise, SAMPLE_RATE, 5.0)
        return np.asarray(np.clip(wave[: self._length], -1, 1), np.float32)
