"""A clip against a recording: definitions, other implementations, and each fault in its figure."""

from __future__ import annotations

import importlib
import math
import sys
from dataclasses import asdict
from functools import cache
from multiprocessing import get_context

import numpy as np
import pytest
from numpy.typing import NDArray

from adapters.interface import Samples
from evals.measures.sound import world as voice_analysis
from evals.measures.sound.optional import LibraryMissing, NotMeasured
from evals.measures.sound.reference_similarity import (
    PESQ_MOST_SECONDS,
    ReferenceSimilarity,
    aligned,
    mel_cepstral_distortions,
    pesq,
    reference_similarity,
    same_timing,
    stoi,
    warp,
)
from evals.measures.sound.world import ALPHA, ORDER, Voice, analyse, mel_cepstra
from fixtures.audio.read import SAMPLE_RATE
from tests.support.speech_faults import (
    Revoiced,
    after_silence,
    clipped,
    human,
    need_libraries,
    noisy,
    spoken,
    white_noise,
)

pytestmark = pytest.mark.engine

Floats = NDArray[np.float64]


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    need_libraries("pyworld", "pystoi", "pesq")


@cache
def revoiced() -> Revoiced:
    return Revoiced(spoken())


@cache
def vocoded() -> ReferenceSimilarity:
    """What WORLD itself costs: the faults made with it are compared with this."""
    return against_original(revoiced().same())


def against_original(samples: Samples) -> ReferenceSimilarity:
    return reference_similarity(samples, SAMPLE_RATE, spoken(), SAMPLE_RATE)


# Definitions


def test_distortion_by_hand() -> None:
    # Kubichek's 10/ln 10 * sqrt(2 * sum of squares): differences 0.3 and 0.4 make 0.5.
    found = mel_cepstral_distortions(np.array([[1.0, 2.0], [0, 0]]), np.array([[1.3, 1.6], [0, 0]]))
    assert found == pytest.approx([10 / math.log(10) * math.sqrt(0.5), 0])
    assert found[0] == pytest.approx(3.0709, abs=1e-4)


def test_mel_cepstra_of_an_envelope_made_of_them() -> None:
    cepstra = np.zeros((2, ORDER + 1))
    cepstra[0, :5] = [-2.0, 1.0, -0.5, 0.25, 0.1]
    cepstra[1, [0, 1, 24]] = [1.0, 0.5, 0.2]
    w = np.linspace(0, np.pi, 1025)
    v = w + 2 * np.arctan(ALPHA * np.sin(w) / (1 - ALPHA * np.cos(w)))
    envelope = np.exp(2 * cepstra @ np.cos(np.outer(np.arange(ORDER + 1), v)))
    assert mel_cepstra(envelope) == pytest.approx(cepstra, abs=2e-3)


def test_mel_cepstra_are_sptks() -> None:
    # SPTK's way: the cepstrum of the envelope, then Oppenheim and Johnson's recursion.
    # In a process of its own: after hundreds of other tests in one, WORLD once gave an envelope of
    # which the two ways differ by 0.020007, and by 0.012 in every fresh one.
    with get_context("spawn").Pool(1) as pool:
        envelope = pool.apply(_envelope)
    cepstra = np.fft.irfft(np.log(envelope), axis=1)[:, : envelope.shape[1]]
    cepstra[:, 0] /= 2
    expected = np.array([_frequency_transformed(row, ORDER, ALPHA) for row in cepstra])
    assert mel_cepstra(envelope) == pytest.approx(expected, abs=0.02)


def _envelope() -> Floats:
    world = voice_analysis.pyworld()
    wave = spoken().astype(float)
    f0, times = world.dio(wave, SAMPLE_RATE)
    envelope: Floats = world.cheaptrick(wave, f0, times, SAMPLE_RATE)[100:200]
    return envelope


def _frequency_transformed(cepstrum: Floats, order: int, alpha: float) -> Floats:
    warped = np.zeros(order + 1)
    for value in cepstrum[::-1]:
        before = warped.copy()
        warped[0] = value + alpha * before[0]
        warped[1] = (1 - alpha**2) * before[0] + alpha * before[1]
        for m in range(2, order + 1):
            warped[m] = before[m - 1] + alpha * (before[m] - warped[m - 1])
    return warped


def test_distortion_is_the_spectral_difference_in_db() -> None:
    # Parseval: over the warped axis, the RMS difference of the levels in dB without their mean.
    rng = np.random.default_rng(0)
    left, right = rng.normal(0, 0.1, (2, 1, ORDER))
    v = (np.arange(4096) + 0.5) / 4096 * np.pi
    cosines = np.cos(np.outer(np.arange(1, ORDER + 1), v))
    difference = 20 / math.log(10) * ((left - right) @ cosines)
    expected = np.sqrt((difference**2).mean())
    assert mel_cepstral_distortions(left, right)[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ([1, 2, 3], [1, 2, 3], [(0, 0), (1, 1), (2, 2)]),
        ([1, 2, 3], [1, 1, 2, 3], [(0, 0), (0, 1), (1, 2), (2, 3)]),
        ([1, 3, 3, 3], [1, 3], [(0, 0), (1, 1), (2, 1), (3, 1)]),
        ([5], [1, 2], [(0, 0), (0, 1)]),
        ([5, 6], [7], [(0, 0), (1, 0)]),
        ([5], [5], [(0, 0)]),
    ],
)
def test_warping_by_hand(
    left: list[float], right: list[float], expected: list[tuple[int, int]]
) -> None:
    rows, columns = warp(np.array(left, float)[:, None], np.array(right, float)[:, None])
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == expected


@pytest.mark.parametrize("seed", range(6))
def test_warping_costs_what_the_plain_recursion_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    left, right = rng.normal(size=(rng.integers(1, 30), 3)), rng.normal(size=(17, 3))
    rows, columns = warp(left, right)
    distances = np.linalg.norm(left[:, None] - right[None], axis=2)
    costs = np.full((len(left) + 1, len(right) + 1), np.inf)
    costs[0, 0] = 0
    for i in range(len(left)):
        for j in range(len(right)):
            costs[i + 1, j + 1] = distances[i, j] + min(
                costs[i, j], costs[i, j + 1], costs[i + 1, j]
            )
    assert distances[rows, columns].sum() == pytest.approx(costs[-1, -1])
    steps = {(int(a), int(b)) for a, b in zip(np.diff(rows), np.diff(columns), strict=True)}
    assert steps <= {(1, 1), (1, 0), (0, 1)}
    assert (rows[0], columns[0]) == (0, 0)
    assert (rows[-1], columns[-1]) == (len(left) - 1, len(right) - 1)


def test_f0_by_hand() -> None:
    cepstra = np.arange(24.0)[:, None] * np.ones(ORDER)
    f0 = np.array([200.0] * 12 + [0.0] * 6 + [100.0] * 6)
    reference = np.array([100.0] * 12 + [0.0] * 3 + [100.0] * 9)
    pairs = aligned(Voice(f0, cepstra), Voice(reference, cepstra))
    clip, recording = pairs.voiced_in_both()
    assert pairs.voicing_errors == 3
    assert len(clip) == 18
    cents = 1200 * np.log2(clip / recording)
    assert np.sqrt((cents**2).mean()) == pytest.approx(1200 * math.sqrt(12 / 18))


def test_spread_of_f0() -> None:
    cents = np.linspace(-100, 100, 1001)
    voice = Voice(150 * 2 ** (cents / 1200), np.zeros((1001, ORDER)))
    assert voice.f0_spread_cents == pytest.approx(68, abs=0.5)
    octave_off = voice.f0.copy()
    octave_off[:50] *= 2
    assert Voice(octave_off, voice.cepstra).f0_spread_cents == pytest.approx(68, abs=8)
    with pytest.raises(NotMeasured, match="9 voiced frames"):
        _ = Voice(np.array([100.0] * 9 + [0.0]), np.zeros((10, ORDER))).f0_spread_cents


@pytest.mark.parametrize("hertz", [90.0, 150.0, 300.0])
def test_f0_of_a_buzz(hertz: float) -> None:
    t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    buzz = sum(np.sin(2 * np.pi * k * hertz * t) / k for k in range(1, 11)) * 0.2
    voice = analyse(np.asarray(buzz, np.float32), SAMPLE_RATE)
    assert np.median(voice.f0[voice.voiced]) == pytest.approx(hertz, rel=0.01)
    assert voice.voiced.mean() > 0.9


# Equality


def test_a_clip_against_itself() -> None:
    found = against_original(spoken())
    assert found.mcd == 0
    assert found.f0_rmse_cents == found.f0_rmse_hz == found.f0_shift_cents == 0
    assert found.voicing_error_rate == 0
    assert found.pairs > found.voiced_pairs > 100
    assert found.stoi == pytest.approx(1)
    assert found.pesq == pytest.approx(4.644, abs=0.001)
    assert found.reasons == {}


def test_stoi_and_pesq_are_the_libraries() -> None:
    import pesq as pesq_package
    import pystoi

    for db in (10, 0):
        clip = noisy(spoken(), db)
        found = against_original(clip)
        assert found.stoi == float(
            pystoi.stoi(spoken().astype(float), clip.astype(float), SAMPLE_RATE)
        )
        assert found.pesq == pesq_package.pesq(SAMPLE_RATE, spoken(), clip, "wb")


def test_stoi_and_pesq_are_the_libraries_on_human_speech() -> None:
    import pesq as pesq_package
    import pystoi

    for sound in human(3, longest=6):
        clip = noisy(sound, 10)
        found = reference_similarity(clip, SAMPLE_RATE, sound, SAMPLE_RATE)
        assert found.stoi == float(
            pystoi.stoi(sound.astype(float), clip.astype(float), SAMPLE_RATE)
        )
        assert found.pesq == pesq_package.pesq(SAMPLE_RATE, sound, clip, "wb")


# Order and faults


def test_more_noise_is_worse() -> None:
    _assert_ranked([against_original(noisy(spoken(), db)) for db in (20, 10, 0)])


def test_more_noise_is_worse_on_human_speech() -> None:
    for sound in human(3, longest=6):
        _assert_ranked(
            [
                reference_similarity(noisy(sound, db), SAMPLE_RATE, sound, SAMPLE_RATE)
                for db in (20, 10, 0)
            ]
        )


def _assert_ranked(found: list[ReferenceSimilarity]) -> None:
    for name, better in (("stoi", -1), ("pesq", -1), ("mcd", 1)):
        values = [asdict(one)[name] for one in found]
        assert values == sorted(values, key=lambda v: better * v), name
        assert len(set(values)) == 3, name


def test_a_quieter_copy_is_the_same_voice() -> None:
    found = against_original(np.asarray(0.25 * spoken(), np.float32))
    assert found.mcd == pytest.approx(0, abs=0.05)
    assert found.f0_rmse_cents == pytest.approx(0, abs=5)


def test_pitch_up_a_third_is_seen_and_nothing_else() -> None:
    found = against_original(revoiced().pitched(4))
    assert found.f0_rmse_cents == pytest.approx(400, abs=25)
    assert found.f0_shift_cents == pytest.approx(400, abs=10)
    assert (vocoded().f0_rmse_cents or 0) < 100
    assert found.mcd == pytest.approx(vocoded().mcd, abs=0.5)
    assert found.voicing_error_rate == pytest.approx(vocoded().voicing_error_rate, abs=0.03)
    assert found.f0_spread_cents == pytest.approx(vocoded().f0_spread_cents, rel=0.2)


def test_a_robots_voice_is_seen_in_its_melody() -> None:
    found = against_original(revoiced().robot())
    assert (found.f0_spread_cents or 99) < 25
    assert (found.reference_f0_spread_cents or 0) > 80
    assert (found.f0_rmse_cents or 0) > 2 * (vocoded().f0_rmse_cents or 0)
    assert found.mcd == pytest.approx(vocoded().mcd, abs=0.5)
    assert found.voicing_error_rate == pytest.approx(vocoded().voicing_error_rate, abs=0.03)
    assert abs(found.f0_shift_cents or 99) < 30


def test_a_hoarse_voice_is_seen_in_its_voicing() -> None:
    found = against_original(revoiced().hoarse())
    assert (found.voicing_error_rate or 0) > 0.5 > 0.1 > (vocoded().voicing_error_rate or 1)
    assert (found.mcd or 0) > (vocoded().mcd or 0) + 1
    # Not 0 cents of error, but none to be had.
    assert found.f0_rmse_cents is found.f0_rmse_hz is found.f0_shift_cents is None
    assert "voiced together" in found.reasons["f0_rmse_cents"]


def test_leading_silence_changes_no_figure_of_the_voice() -> None:
    found = against_original(after_silence(spoken(), 2.0))
    assert (found.mcd or 1) < 0.3
    assert (found.f0_rmse_cents or 99) < 20
    assert found.voicing_errors < 0.01 * found.pairs
    assert found.stoi is found.pesq is None
    assert "have not the same timing: they last" in found.reasons["stoi"]


def test_clipping_hardly_changes_melody() -> None:
    found = against_original(clipped(spoken()))
    assert (found.f0_rmse_cents or 99) < 60
    assert found.voicing_errors < 0.1 * found.pairs
    assert (found.pesq or 5) < 4.5


def test_another_sentence_is_further_than_another_speed() -> None:
    slow = np.interp(np.arange(0, len(spoken()), 0.85), np.arange(len(spoken())), spoken())
    other = reference_similarity(
        spoken("she sells sea shells by the shore"), SAMPLE_RATE, spoken(), SAMPLE_RATE
    )
    assert (against_original(slow.astype(np.float32)).mcd or 99) < (other.mcd or 0)


def test_human_speech_against_itself_and_synthesis() -> None:
    (sound,) = human(1, longest=4)
    same = reference_similarity(sound, SAMPLE_RATE, sound, SAMPLE_RATE)
    assert same.mcd == same.voicing_error_rate == 0
    robot = reference_similarity(spoken(), SAMPLE_RATE, sound, SAMPLE_RATE)
    assert (robot.mcd or 0) > 5
    assert robot.stoi is None


# What cannot be measured


@pytest.mark.parametrize(
    ("sound", "said"),
    [
        (np.zeros(SAMPLE_RATE, np.float32), "silent"),
        (np.zeros(0, np.float32), "shorter than 0.1 s"),
        (np.full(SAMPLE_RATE, np.nan, np.float32), "NaN or infinite"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_nothing_of_nothing(sound: Samples, said: str) -> None:
    for found, prefix in (
        (against_original(sound), ""),
        (reference_similarity(spoken(), SAMPLE_RATE, sound, SAMPLE_RATE), "of the reference: "),
    ):
        assert found.mcd is found.f0_rmse_cents is found.stoi is found.pesq is None
        assert found.pairs == found.voiced_pairs == found.voicing_errors == 0
        assert found.reasons["mcd"].startswith(prefix)
        assert said in found.reasons["mcd"]
        values = asdict(found)
        assert {name for name, value in values.items() if value is None} == set(found.reasons)


def test_white_noise_has_no_voice() -> None:
    found = against_original(white_noise(len(spoken()) / SAMPLE_RATE))
    assert found.f0_rmse_cents is None or (found.voicing_error_rate or 0) > 0.5
    assert (found.mcd or 0) > 10
    assert found.stoi is None
    assert "same timing" in found.reasons["pesq"]


def test_the_same_length_is_not_the_same_timing() -> None:
    other = spoken("she sells sea shells by the shore of the sea")
    stretched = np.interp(
        np.linspace(0, len(other) - 1, len(spoken())), np.arange(len(other)), other
    ).astype(np.float32)
    with pytest.raises(NotMeasured, match="loudness correlates"):
        same_timing(stretched, SAMPLE_RATE, spoken(), SAMPLE_RATE)
    late = np.roll(spoken(), SAMPLE_RATE // 2)
    with pytest.raises(NotMeasured, match="loudness correlates"):
        same_timing(late, SAMPLE_RATE, spoken(), SAMPLE_RATE)


def test_rates_may_differ() -> None:
    import soxr

    higher = np.asarray(soxr.resample(0.5 * spoken(), SAMPLE_RATE, 24_000), np.float32)
    found = reference_similarity(higher, 24_000, spoken(), SAMPLE_RATE)
    assert (found.mcd or 9) < 1
    assert (found.stoi or 0) > 0.99


def test_pesq_is_asked_for_what_it_survives() -> None:
    # With more than 50 utterances its code writes past its arrays and the process is gone.
    bursts = white_noise(PESQ_MOST_SECONDS + 1).astype(float)
    t = np.arange(len(bursts)) / SAMPLE_RATE
    bursts[t % 0.42 > 0.21] = 0
    with pytest.raises(NotMeasured, match=r"0.25 to 20 s, not of 21.00 s"):
        pesq(bursts, bursts)
    most = bursts[: round(PESQ_MOST_SECONDS * SAMPLE_RATE)]
    assert pesq(most, most) == pytest.approx(4.644, abs=0.001)
    with pytest.raises(NotMeasured, match="PESQ takes clips"):
        pesq(most[:3000], most[:3000])


@pytest.mark.filterwarnings("error")
def test_stoi_of_too_little() -> None:
    short = spoken()[3200:6400].astype(float)
    with pytest.raises(NotMeasured, match=r"0\.4 s of speech"):
        stoi(short, short)


def test_too_long_to_align() -> None:
    long = Voice(np.zeros(6001), np.zeros((6001, ORDER)))
    with pytest.raises(NotMeasured, match="too long"):
        aligned(long, long)


@pytest.mark.parametrize("module", ["pystoi", "pesq"])
def test_a_missing_library_takes_its_figure_only(
    monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    found = against_original(spoken())
    said = f"not measured: install model-lab[quality] ({module} is not installed): "
    said += "uv sync --inexact --extra quality"
    assert found.reasons == {module.removeprefix("py"): said}
    assert found.mcd == 0


def test_without_pyworld(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(name: str) -> None:
        return None

    voice_analysis.pyworld.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", nowhere)
    with pytest.raises(LibraryMissing, match=r"model-lab\[quality\] \(pyworld is not installed\)"):
        voice_analysis.pyworld()
    found = against_original(spoken())
    assert found.mcd is found.f0_spread_cents is None
    assert "pyworld" in found.reasons["mcd"]
    assert found.pesq is not None
