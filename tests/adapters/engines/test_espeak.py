"""The ctypes binding of espeak-ng and its adapter."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from adapters.engines.espeak import ADAPTER, Espeak
from adapters.interface import LoadSpec, ModelError, Synthesizer

SENTENCE = "turn on the kitchen lights and set a timer for five minutes"


@pytest.fixture(scope="module")
def engine() -> Espeak:
    engine = ADAPTER()
    engine.load(LoadSpec("espeak-ng"))
    return engine


def test_is_a_synthesizer(engine: Espeak) -> None:
    assert isinstance(engine, Synthesizer)
    assert (ADAPTER.extra, ADAPTER.modules) == ("espeak", ("espeakng_loader",))


def test_speech_is_mono_float32_in_range(engine: Espeak) -> None:
    audio = engine.synthesize(SENTENCE).audio
    assert audio.sample_rate == 22050
    assert audio.samples.dtype == np.float32
    assert audio.samples.ndim == 1
    assert 2.5 < audio.seconds < 5.0
    assert 0.1 < np.abs(audio.samples).max() <= 1.0


def test_word_times_are_in_order_and_inside_the_audio(engine: Espeak) -> None:
    speech = engine.synthesize(SENTENCE)
    assert [word.text for word in speech.words] == SENTENCE.split()
    clock = 0.0
    for word in speech.words:
        assert clock <= word.start < word.end <= speech.audio.seconds
        clock = word.end
    # "on the" is one event of espeak's: both words must still have a time.
    assert speech.words[2].end - speech.words[2].start > 0.03


def test_word_times_point_at_sound(engine: Espeak) -> None:
    speech = engine.synthesize("nine. nine")
    first, second = speech.words
    assert 0.3 < second.start - first.start < 1.0
    rate = speech.audio.sample_rate
    for word in (first, second):
        piece = speech.audio.samples[int(word.start * rate) : int(word.end * rate)]
        assert np.sqrt(np.mean(piece**2)) > 0.02


def test_numbers_and_accents_stay_one_word_each(engine: Espeak) -> None:
    words = engine.synthesize("caf\u00e9 25 \u00fcber").words
    assert [word.text for word in words] == ["caf\u00e9", "25", "\u00fcber"]


@pytest.mark.parametrize("text", ["", "  \n"])
def test_empty_text_gives_no_samples(engine: Espeak, text: str) -> None:
    speech = engine.synthesize(text)
    assert speech.audio.samples.shape == (0,)
    assert speech.audio.sample_rate == 22050
    assert list(speech.words) == []


def test_punctuation_alone_has_no_words(engine: Espeak) -> None:
    assert list(engine.synthesize("...").words) == []


def test_voice_options_change_the_speech(engine: Espeak) -> None:
    plain = engine.synthesize(SENTENCE).audio
    fast = engine.synthesize(SENTENCE, {"rate": 200}).audio
    other = engine.synthesize(SENTENCE, {"voice": "en-gb-x-rp+f4", "pitch": 70}).audio
    assert fast.seconds < 0.9 * plain.seconds
    length = min(len(plain.samples), len(other.samples))
    assert not np.allclose(plain.samples[:length], other.samples[:length], atol=0.05)
    again = engine.synthesize(SENTENCE).audio
    assert abs(again.seconds - plain.seconds) < 0.02


@pytest.mark.parametrize("voice", ["en-gb", "martian", "en-us+nobody", "+f3", "en-us+"])
def test_unknown_voice_is_named(engine: Espeak, voice: str) -> None:
    with pytest.raises(ModelError, match="no voice '" + voice.replace("+", r"\+")):
        engine.synthesize("hello", {"voice": voice})
    assert engine.synthesize("hello").audio.seconds > 0.2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speed": 3}, "no option 'speed'"),
        ({"rate": 5}, "rate must be an integer from 80 to 450, not 5"),
        ({"pitch": "high"}, "pitch must be an integer"),
        ({"rate": True}, "rate must be an integer"),
        ({"voice": 3}, "voice must be a name"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Espeak().load(LoadSpec("espeak-ng", options=options))


@pytest.mark.slow
def test_two_processes_speak_alike() -> None:
    code = (
        "import hashlib\n"
        "from adapters.engines.espeak import Espeak\n"
        "from adapters.interface import LoadSpec\n"
        "e = Espeak(); e.load(LoadSpec('x')); h = hashlib.sha256()\n"
        "for v in ('en-us+m4', 'en+f4', 'en-us+m4'):\n"
        "    h.update(e.synthesize('call mom at nine', {'voice': v}).audio.samples.tobytes())\n"
        "print(h.hexdigest())\n"
    )
    root = Path(__file__).parents[3]
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
        ).stdout.strip()
        for _ in range(2)
    }
    assert len(digests) == 1
    assert hashlib.sha256().hexdigest() not in digests
