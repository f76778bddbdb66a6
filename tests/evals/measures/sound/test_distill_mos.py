"""Distill-MOS: the network's own values, planted faults in their order, and nothing from nothing."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from adapters.interface import Samples
from evals.measures.sound import distill_mos as module
from evals.measures.sound.distill_mos import distill_mos
from evals.measures.sound.mos import dnsmos
from evals.measures.sound.optional import LibraryMissing, NotMeasured
from evals.measures.sound.signal_quality import signal_quality
from evals.records.spoken import Spoken
from evals.tasks.tts.clips import Clip
from evals.tasks.tts.scores import quality
from fixtures.audio.read import SAMPLE_RATE
from tests.support.real_speech import TWO_CITIES, speech
from tests.support.speech_faults import Revoiced, need_libraries, noisy, spoken

pytestmark = pytest.mark.engine

NEEDED = ("distillmos", "torch", "pyworld", "speechmos", "moonshine_voice")


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    need_libraries(*NEEDED)


@pytest.fixture(scope="module")
def person() -> Samples:
    """Five seconds of the reader in moonshine-voice's wheel."""
    return np.asarray(speech(TWO_CITIES).samples[: 5 * SAMPLE_RATE])


def test_value_is_the_packages(person: Samples) -> None:
    package: Any = importlib.import_module("distillmos")
    torch: Any = importlib.import_module("torch")
    with contextlib.redirect_stdout(io.StringIO()):
        network = package.ConvTransformerSQAModel().eval()
    with torch.inference_mode():
        expected = network(torch.from_numpy(person[np.newaxis])).item()
    assert distill_mos(person, SAMPLE_RATE) == pytest.approx(expected, abs=1e-3)


def test_planted_faults_are_ranked(person: Samples) -> None:
    """Noise at 20, 10 and 0 dB, a robot's voice, and another synthesizer are worse, in this order."""
    clips = [person, *(noisy(person, decibels) for decibels in (20, 10, 0))]
    rated = [distill_mos(clip, SAMPLE_RATE) for clip in clips]
    assert rated == sorted(rated, reverse=True)
    steps = [better - worse for better, worse in pairwise(rated)]
    assert min(steps) > 0.25  # of what is between bad (1) and excellent (5)
    background = [dnsmos(clip, SAMPLE_RATE, most_segments=1).overall for clip in clips]
    assert background == sorted(background, reverse=True)
    robot, espeak = Revoiced(person).robot(), spoken()
    assert rated[0] - 0.25 > distill_mos(robot, SAMPLE_RATE) > distill_mos(espeak, SAMPLE_RATE)


@pytest.mark.parametrize(
    ("samples", "why"),
    [
        (np.zeros(0, np.float32), "silent"),
        (np.zeros(SAMPLE_RATE, np.float32), "silent"),
        (np.full(SAMPLE_RATE, np.nan, np.float32), "NaN"),
    ],
)
def test_nothing_has_no_rating(samples: Samples, why: str) -> None:
    with pytest.raises(NotMeasured, match=why):
        distill_mos(samples, SAMPLE_RATE)


def clip(samples: Samples) -> Clip:
    line = Spoken("a", "a text to say", "a.wav", 1.0, SAMPLE_RATE, 0.1)
    return Clip(line, samples, SAMPLE_RATE, signal_quality(samples, SAMPLE_RATE, line.text))


def test_figure_is_the_mean_over_the_clips(person: Samples) -> None:
    both = [person[: 3 * SAMPLE_RATE], person]
    found = quality([clip(samples) for samples in both], 20)["distill_mos"]
    mean = np.mean([distill_mos(samples, SAMPLE_RATE) for samples in both])
    assert found.value == pytest.approx(mean)
    assert found.n == 2
    assert quality([clip(person)], 0)["distill_mos"].reason == "no clips were to be rated"


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WEIGHTS_SHA256", "0" * 64)
    module._network.cache_clear()
    with pytest.raises(NotMeasured, match="is not what the catalogue expects"):
        distill_mos(spoken(), SAMPLE_RATE)


def test_without_the_package_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: found(name) if name != "distillmos" else None
    )
    module._network.cache_clear()
    with pytest.raises(LibraryMissing, match=r"distillmos is not installed.*--extra listeners"):
        distill_mos(spoken(), SAMPLE_RATE)
    figure = quality([clip(spoken())], 20)["distill_mos"]
    assert (figure.value, figure.n) == (None, 1)
    assert "uv sync --inexact --extra listeners" in (figure.reason or "")
