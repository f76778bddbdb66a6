"""Figures of single clips: hand-worked, and each fault seen by the figure that should and no other."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from adapters.interface import Samples
from evals.measures.sound.optional import LibraryMissing, NotMeasured, attempt, library
from evals.measures.sound.signal_quality import (
    SignalQuality,
    active_frames,
    flat_tops,
    flatness,
    is_silent,
    loudness,
    own_level,
    signal_quality,
    silences,
)
from fixtures.audio.read import SAMPLE_RATE
from tests.support.speech_faults import (
    TEXT,
    after_silence,
    clipped,
    human,
    need_libraries,
    noisy,
    spoken,
    white_noise,
)

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    need_libraries("pyloudnorm")


def tone(hertz: float, seconds: float, peak: float, rate: int = SAMPLE_RATE) -> Samples:
    return np.asarray(
        peak * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate), np.float32
    )


def quiet(seconds: float) -> Samples:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def measured(samples: Samples, text: str = TEXT) -> SignalQuality:
    return signal_quality(samples, SAMPLE_RATE, text)


# Hand-worked


def test_lengths_of_sound_and_silence() -> None:
    parts = [quiet(0.5), tone(200, 1.0, 0.5), quiet(0.3), tone(300, 0.5, 0.4), quiet(0.2)]
    found = measured(np.concatenate(parts), "ab, cd! 12")
    assert found.seconds == 2.5
    assert found.leading_silence == pytest.approx(0.5)
    assert found.trailing_silence == pytest.approx(0.2)
    assert found.longest_pause == pytest.approx(0.3)
    assert found.active_seconds == pytest.approx(1.5)
    assert found.characters_per_second == pytest.approx(6 / 1.5)
    assert found.words_per_second == pytest.approx(3 / 1.5)
    assert found.peak == pytest.approx(0.5)
    assert found.reasons == {}


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 24000, 44100, 48000])
def test_time_is_right_at_every_rate(rate: int) -> None:
    parts = [np.zeros(2 * rate), tone(200, 1.0, 0.5, rate), np.zeros(rate // 2)]
    found = signal_quality(np.concatenate(parts).astype(np.float32), rate, TEXT)
    assert found.leading_silence == pytest.approx(2.0, abs=0.011)
    assert found.active_seconds == pytest.approx(1.0, abs=0.021)
    assert found.trailing_silence == pytest.approx(0.5, abs=0.011)
    total = (found.leading_silence or 0) + (found.active_seconds or 0)
    assert total + (found.trailing_silence or 0) == pytest.approx(found.seconds)


def test_gaps_of_plosives_are_speech_and_clicks_are_not() -> None:
    gap = np.concatenate([tone(200, 0.5, 0.5), quiet(0.08), tone(200, 0.5, 0.5)])
    assert measured(gap).longest_pause == 0
    longer = np.concatenate([tone(200, 0.5, 0.5), quiet(0.12), tone(200, 0.5, 0.5)])
    assert measured(longer).longest_pause == pytest.approx(0.12)
    click = np.concatenate([tone(200, 0.02, 0.5), quiet(1.0), tone(200, 0.5, 0.5)])
    assert measured(click).leading_silence == pytest.approx(1.02)


@pytest.mark.parametrize(("below", "silence"), [(28, 0.0), (32, 1.0)])
def test_what_is_30_db_below_the_clip_is_silence(below: float, silence: float) -> None:
    soft = tone(200, 1.0, 0.5 * 10 ** (-below / 20))
    found = measured(np.concatenate([soft, tone(200, 1.0, 0.5)]))
    assert found.leading_silence == pytest.approx(silence)


@pytest.mark.parametrize("gain", [1.0, 0.1, 0.01])
def test_a_quiet_voice_is_not_silence(gain: float) -> None:
    loud, soft = measured(spoken()), measured(np.asarray(gain * spoken(), np.float32))
    assert soft.silent is False
    assert soft.active_seconds == pytest.approx(loud.active_seconds)
    assert soft.loudness == pytest.approx((loud.loudness or 0) + 20 * np.log10(gain), abs=0.1)


def test_own_level() -> None:
    # Half of the energy in a frame of power 1, half in four of power 1/4.
    assert own_level(np.array([1.0, 0.25, 0.25, 0.25, 0.25])) == pytest.approx(
        10 * np.log10((1 + 4 / 16) / 2)
    )
    # Silence around it changes nothing.
    assert own_level(np.array([0.0] * 99 + [0.01])) == pytest.approx(-20)
    assert own_level(np.zeros(3)) == -np.inf


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([0, 0.5, 0.5, 0.5, 0, -0.5, -0.4], (3, 1)),  # one top; a single low is a peak
        ([0, 0.5, 0.5, 0, 0.2, -0.5, -0.5, 0], (0, 0)),  # two are not flat
        ([0, 0.5, 0.5, 0.5, 0, -0.5, -0.5, -0.5, -0.5, 0], (7, 2)),
        ([0, 0.5, 0.5, 0.5, 0, 0.5, 0.5, 0.5, 0.5, *[0] * 8], (7, 2)),
        ([0, 0.5, 0.49999, 0.5, 0, -0.3], (3, 1)),  # a third of a step of 16 bits
        ([0, 0.5, 0.499, 0.5, 0, -0.3], (0, 0)),
        ([0, 1.2, 1.5, 1.1, 0, -0.9], (3, 1)),  # above full scale is cut when it is played
        ([0, 0, 0, 0, 0.5, 0, 0, 0.4], (0, 0)),  # nothing below: silence is no flat bottom
        ([0.0] * 8, (0, 0)),
    ],
)
def test_flat_tops(samples: list[float], expected: tuple[int, int]) -> None:
    assert flat_tops(np.array(samples), SAMPLE_RATE) == expected


@pytest.mark.parametrize("hertz", [60, 100, 250, 1000])
def test_the_crest_of_a_wave_is_not_flat(hertz: float) -> None:
    assert flat_tops(tone(hertz, 1.0, 0.7, 48_000).astype(float), 48_000) == (0, 0)


def test_share_of_a_clipped_tone() -> None:
    # |sin| is above 1/2 in two thirds of a period; 32 samples of one, 21 or so of them flat.
    found = measured(clipped(tone(500, 1.0, 0.8), 20 * np.log10(2)))
    assert found.clipped_share == pytest.approx(2 / 3, abs=0.04)
    assert found.clipped_runs == 1000


def test_loudness_of_a_tone() -> None:
    # BS.1770: 997 Hz at full scale in one channel has -3.01 LUFS; meters may be 0.1 off.
    for peak, expected in ((1.0, -3.01), (0.1, -23.01)):
        wave = tone(997, 2.0, peak, 48_000).astype(float)
        assert loudness(wave, 48_000) == pytest.approx(expected, abs=0.1)


def test_loudness_is_the_librarys() -> None:
    import pyloudnorm

    wave = spoken().astype(float)
    assert loudness(wave, SAMPLE_RATE) == pyloudnorm.Meter(SAMPLE_RATE).integrated_loudness(wave)


def test_no_loudness_of_less_than_a_block() -> None:
    short = measured(spoken()[:6000])
    assert short.loudness is None
    assert "shorter than a block of BS.1770 (0.4 s): 0.38 s" in short.reasons["loudness"]
    with pytest.raises(NotMeasured, match="gate of -70 LUFS"):
        loudness(tone(997, 1.0, 1e-5).astype(float), SAMPLE_RATE)


def test_flatness_of_noise_and_tones() -> None:
    # The mean logarithm of an exponential variable is minus Euler's constant.
    noise = flatness(white_noise(5).astype(float), SAMPLE_RATE)
    assert noise == pytest.approx(np.exp(-0.5772), abs=0.02)
    assert flatness(tone(440, 1.0, 0.5).astype(float), SAMPLE_RATE) < 0.001


def test_offset() -> None:
    found = measured(np.asarray(0.5 * spoken() + 0.1, np.float32))
    assert found.dc_offset == pytest.approx(0.1, abs=0.002)
    clean = measured(np.asarray(0.5 * spoken(), np.float32))
    assert _others(found, "dc_offset", "peak") == pytest.approx(
        _others(clean, "dc_offset", "peak"), abs=0.15
    )


# Faults


def test_good_speech_has_none() -> None:
    found = measured(spoken())
    assert found.bad_samples == 0
    assert found.silent is False
    assert found.clipped_share == 0
    assert abs(found.dc_offset or 1) < 0.01
    assert (found.leading_silence or 0) < 0.1
    assert (found.longest_pause or 0) < 0.3
    assert (found.flatness or 1) < 0.1
    assert 5 < (found.characters_per_second or 0) < 20


def test_clipping_is_seen_and_nothing_else() -> None:
    clean, faulty = measured(spoken()), measured(clipped(spoken()))
    assert faulty.peak == pytest.approx(clean.peak)
    assert (faulty.peak or 1) < 1
    assert (faulty.clipped_share or 0) > 0.005
    assert (faulty.clipped_runs or 0) > 50
    assert (faulty.flatness or 1) < 0.1
    assert faulty.leading_silence == pytest.approx(clean.leading_silence, abs=0.03)
    assert faulty.characters_per_second == pytest.approx(clean.characters_per_second, rel=0.05)
    # Stored with 16 bits and made quieter, the tops stay flat.
    stored = np.asarray(np.round(0.3 * clipped(spoken()) * 32767) / 32767, np.float32)
    assert measured(stored).clipped_share == pytest.approx(faulty.clipped_share, rel=0.1)


def test_leading_silence_is_seen_and_nothing_else() -> None:
    clean, faulty = measured(spoken()), measured(after_silence(spoken(), 2.0))
    assert faulty.leading_silence == pytest.approx((clean.leading_silence or 0) + 2, abs=0.02)
    same = ("leading_silence", "seconds", "dc_offset")
    assert _others(faulty, *same) == pytest.approx(_others(clean, *same), rel=0.05, abs=0.02)


def test_digital_silence_beside_an_offset_is_silence() -> None:
    offset = np.asarray(0.5 * spoken() + 0.02, np.float32)
    assert (measured(after_silence(offset, 2.0)).leading_silence or 0) > 1.99


def test_a_quiet_room_before_speech_is_silence_too() -> None:
    room = np.random.default_rng(1).normal(0, 0.001, 2 * SAMPLE_RATE)
    found = measured(np.concatenate([room, spoken()]).astype(np.float32))
    assert found.leading_silence == pytest.approx(2.0, abs=0.05)


def test_noise_is_seen_and_nothing_else() -> None:
    found = measured(white_noise(3))
    assert (found.flatness or 0) > 0.5
    assert found.silent is False
    assert found.clipped_share == 0
    assert found.leading_silence == found.longest_pause == 0
    assert found.active_seconds == pytest.approx(3.0)


def test_flatness_ranks_noise() -> None:
    values = [measured(noisy(spoken(), db)).flatness or 0 for db in (40, 20, 10, 0)]
    assert values == sorted(values)
    assert values[0] < 0.15 < 0.3 < values[-1]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_bad_samples_leave_nothing_to_measure(value: float) -> None:
    sound = spoken().copy()
    sound[100:103] = value
    found = measured(sound)
    assert found.bad_samples == 3
    assert found.seconds == len(sound) / SAMPLE_RATE
    _assert_nothing(found, f"3 of {len(sound)} samples are NaN or infinite")


def test_silence() -> None:
    for sound in (quiet(1.0), np.full(16_000, 0.2, np.float32), tone(200, 1.0, 0.0005)):
        found = measured(sound)
        assert found.silent is True
        assert found.reasons["loudness"] == found.reasons["flatness"] == "the clip is silent"
        assert found.leading_silence is found.active_seconds is None
        assert found.clipped_share is found.characters_per_second is None


def test_no_samples() -> None:
    found = measured(quiet(0))
    assert found.seconds == 0
    _assert_nothing(found, "the clip holds no samples")


def test_a_click_is_no_sound() -> None:
    found = measured(np.concatenate([quiet(1), tone(500, 0.03, 0.5), quiet(1)]))
    assert found.active_seconds is None
    assert "no sound of the clip lasts 0.05 s" in found.reasons["active_seconds"]
    assert "no frame" in found.reasons["flatness"]


@pytest.mark.parametrize("text", ["", " ... !", "\u2014"])
def test_no_rate_without_text(text: str) -> None:
    found = measured(spoken(), text)
    assert found.characters_per_second is found.words_per_second is None
    assert "no letter or digit" in found.reasons["words_per_second"]


def test_speaking_rate_shows_lost_words() -> None:
    whole, half = measured(spoken()), measured(spoken("the quick brown fox"))
    assert (half.words_per_second or 0) > 1.5 * (whole.words_per_second or 0)


@pytest.mark.parametrize(
    ("samples", "rate", "complaint"),
    [(np.zeros((2, 2), np.float32), 16_000, "shape"), (np.zeros(2, np.float32), 0, "rate")],
)
def test_refused(samples: Samples, rate: int, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        signal_quality(samples, rate, "")


@pytest.mark.parametrize("length", [1, 2, 159, 160, 161, 700])
def test_tiny_clips(length: int) -> None:
    found = measured(np.full(length, 0.5, np.float32) * (np.arange(length) % 2))
    for name, value in asdict(found).items():
        assert value is not None or found.reasons[name]


def test_every_value_that_is_missing_has_its_reason() -> None:
    for sound in (spoken(), quiet(0), quiet(1), spoken()[:3000], white_noise(0.2)):
        found = measured(sound, "")
        values = asdict(found)
        assert {name for name, value in values.items() if value is None} == set(found.reasons)


def test_human_speech_looks_like_speech() -> None:
    for sound in human(5):
        found = measured(sound)
        assert found.silent is False
        assert found.clipped_share == 0
        assert (found.flatness or 1) < 0.15
        assert found.active_seconds == pytest.approx(found.seconds, rel=0.25)
        # One speaker comes within 6 dB of the loudest sample twice only.
        assert (measured(clipped(sound)).clipped_runs or 0) >= 2
        assert (measured(after_silence(sound, 2)).leading_silence or 0) > 1.95


def test_active_frames_of_silence() -> None:
    assert not active_frames(np.zeros(1600), SAMPLE_RATE).any()
    assert is_silent(np.zeros(0), SAMPLE_RATE)
    with pytest.raises(NotMeasured):
        silences(np.zeros(5, bool), 0.05)


# Libraries that are not there


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyloudnorm", None)
    found = measured(spoken())
    assert found.loudness is None
    assert found.reasons == {
        "loudness": "not measured: install model-lab[quality] (pyloudnorm is not installed): "
        "uv sync --inexact --extra quality"
    }
    assert found.flatness is not None


def test_a_library_that_cannot_be_imported_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str, *args: Any, **kwargs: Any) -> Any:
        raise ModuleNotFoundError("No module named 'pkg_resources'", name="pkg_resources")

    monkeypatch.setattr("evals.measures.sound.optional.importlib.import_module", broken)
    with pytest.raises(LibraryMissing, match=r"pyworld: cannot be imported: .*pkg_resources"):
        library("pyworld")


def test_attempts_keep_reasons() -> None:
    reasons: dict[str, str] = {}

    def fails() -> float:
        raise LibraryMissing("torch", "transformers")

    assert attempt(reasons, "a", lambda: 1.5) == 1.5
    assert attempt(reasons, "b", fails) is None
    assert reasons == {
        "b": "not measured: install model-lab[transformers] (torch is not installed): "
        "uv sync --inexact --extra transformers"
    }
    with pytest.raises(ZeroDivisionError):
        attempt(reasons, "c", lambda: 1 / 0)


def _others(found: SignalQuality, *names: str) -> dict[str, Any]:
    return {k: v for k, v in asdict(found).items() if k not in (*names, "reasons")}


def _assert_nothing(found: SignalQuality, reason: str) -> None:
    values = _others(found, "seconds", "sample_rate", "bad_samples")
    assert set(values.values()) == {None}
    assert dict(found.reasons) == dict.fromkeys(values, reason)
