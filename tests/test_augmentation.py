"""Perturbations: each does exactly what its name says, the same every time, and nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fixtures.audio.read import SAMPLE_RATE, Samples
from fixtures.conditions import (
    CONDITIONS,
    ConditionUnavailable,
    Context,
    active_power,
    perturb,
    room_response,
    talkers_of,
)
from fixtures.corpora.corpus import Corpus, Utterance, read_manifest

NAMES = list(CONDITIONS)
RANDOM = [n for n in NAMES if n.startswith(("white", "babble")) or n in ("reverb", "chunks")]
SECOND = SAMPLE_RATE


def tone(hertz: float, seconds: float = 1.0, peak: float = 0.1) -> Samples:
    t = np.arange(round(seconds * SECOND)) / SECOND
    return (peak * np.sin(2 * np.pi * hertz * t)).astype(np.float32)


def speech(seconds: float = 3.0, peak: float = 0.1, seed: int = 0) -> Samples:
    """Bursts of noise with pauses: loud for 0.3 s, then 0.2 s of nothing."""
    n = round(seconds * SECOND)
    noise = np.random.default_rng(seed).uniform(-peak, peak, n)
    smooth = np.convolve(noise, np.ones(8) / 8, mode="same")  # mostly below 2 kHz, as speech is
    return np.where(np.arange(n) % 8000 < 4800, smooth, 0.0).astype(np.float32)


def others(but: str, count: int, rng: np.random.Generator) -> list[Samples]:
    return [speech(1.0 + 0.1 * k, seed=100 + int(rng.integers(1000))) for k in range(count)]


HERE = Context("utterance-1", others)


def db(ratio: float) -> float:
    return float(10 * np.log10(ratio))


def power(samples: NDArray[Any]) -> float:
    return float((samples.astype(np.float64) ** 2).mean())


def lag(before: Samples, after: Samples) -> int:
    """By how many samples `after` is late, from the peak of the cross-correlation."""
    size = 1 << (len(before) + len(after)).bit_length()
    spectrum = np.fft.rfft(after, size) * np.conj(np.fft.rfft(before, size))
    peak = int(np.argmax(np.fft.irfft(spectrum, size)))
    return peak if peak < size // 2 else peak - size


def level_at(samples: Samples, hertz: float) -> float:
    """Amplitude of the spectrum within 20 Hz of a frequency."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    frequencies = np.fft.rfftfreq(len(samples), 1 / SECOND)
    return float(spectrum[np.abs(frequencies - hertz) < 20].max())


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Three utterances, each at a pitch of its own: u500, u1000 and u2000 hertz."""
    rows = []
    for hertz in (500, 1000, 2000):
        # Not steady, or two copies of it could cancel.
        swells = np.convolve(speech(2.0, peak=9.0, seed=hertz), np.ones(800) / 800, mode="same")
        sound = tone(hertz, 2.0) * swells.astype(np.float32)
        soundfile.write(tmp_path / f"{hertz}.wav", sound, SECOND)
        rows.append({"id": f"u{hertz}", "audio_filepath": f"{hertz}.wav", "text": "a word"})
    (tmp_path / "manifest.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return read_manifest(tmp_path / "manifest.jsonl")


def test_conditions_are_those_of_the_task() -> None:
    assert [
        *("white-20db", "white-10db", "white-5db", "white-0db"),
        *("babble-20db", "babble-10db", "babble-5db", "babble-0db"),
        *("reverb", "telephone", "mp3", "opus", "gain+12db", "gain-12db"),
        *("tempo-0.9", "tempo-1.1", "padding", "chunks"),
    ] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_same_id_and_seed_same_samples_in_any_order(name: str) -> None:
    first = perturb(name, speech(), HERE)
    for other in ("white-0db", "chunks"):
        perturb(other, speech(seed=5), Context("utterance-2", others))
    assert np.array_equal(first, perturb(name, speech(), HERE))


@pytest.mark.parametrize("name", RANDOM)
def test_other_ids_and_seeds_are_perturbed_otherwise(name: str) -> None:
    first = perturb(name, speech(), HERE)
    assert not np.array_equal(first, perturb(name, speech(), HERE, seed=1))
    assert not np.array_equal(first, perturb(name, speech(), Context("utterance-2", others)))


def _length(name: str, n: int) -> Callable[[int], bool]:
    if name.startswith("tempo"):
        return lambda m: m == round(n / float(name.removeprefix("tempo-")))
    if name == "padding":
        return lambda m: m == (n + 3 * SECOND if n else 0)
    if name == "chunks":
        return lambda m: n - 160 <= m <= n
    return lambda m: m == n


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=12, deadline=None)
@given(
    n=st.one_of(st.integers(0, 3), st.integers(4, 4000)),
    peak=st.sampled_from([0.0, 1e-30, 1e-4, 0.3, 1.0]),
    seed=st.integers(0, 5),
)
def test_any_sound_stays_sound(name: str, n: int, peak: float, seed: int) -> None:
    samples = np.random.default_rng(seed).uniform(-peak, peak, n).astype(np.float32)
    before = samples.copy()
    heard = perturb(name, samples, HERE, seed=seed)
    assert heard.dtype == np.float32
    assert heard.ndim == 1
    assert np.isfinite(heard).all()
    assert np.max(np.abs(heard), initial=0.0) <= 1.0
    assert _length(name, n)(len(heard)), f"{n} -> {len(heard)}"
    assert np.array_equal(samples, before), "the samples given were written to"


def test_active_power_leaves_pauses_out() -> None:
    burst, pause = tone(1000), np.zeros(SECOND, np.float32)
    sine = 0.1**2 / 2
    assert active_power(burst) == pytest.approx(sine, rel=1e-3)
    assert active_power(np.concatenate([pause, burst, pause, pause])) == pytest.approx(
        sine, rel=1e-3
    )
    # A quiet room 40 dB below is a pause, speech 20 dB below is not.
    for softer, expected in ((0.01, sine), (0.1, sine * 1.01 / 2)):
        together = np.concatenate([burst, softer * burst])
        assert active_power(together) == pytest.approx(expected, rel=1e-3)
    assert active_power(pause) == active_power(pause[:0]) == 0.0


@pytest.mark.parametrize("kind", ["white", "babble"])
@pytest.mark.parametrize("snr", [20, 10, 5, 0])
def test_noise_is_as_far_below_active_speech_as_said(kind: str, snr: int) -> None:
    clean = speech()
    noise = perturb(f"{kind}-{snr}db", clean, HERE) - clean
    assert db(active_power(clean) / power(noise)) == pytest.approx(snr, abs=0.01)


@pytest.mark.parametrize("kind", ["white", "babble"])
def test_levels_of_a_noise_differ_in_level_alone(kind: str) -> None:
    clean = speech()
    soft = perturb(f"{kind}-20db", clean, HERE) - clean
    loud = perturb(f"{kind}-0db", clean, HERE) - clean
    assert np.allclose(loud, 10 * soft, atol=1e-5)


def test_loud_mixture_is_made_softer_not_clipped() -> None:
    clean = speech(peak=0.2)
    mixed = perturb("white-0db", clean, HERE)
    loud = perturb("white-0db", 5 * clean, HERE)
    assert np.max(np.abs(5 * mixed)) > 1.0
    assert np.max(np.abs(loud)) == pytest.approx(1.0)
    assert np.allclose(loud, mixed / np.max(np.abs(mixed)), atol=1e-5)


def test_white_noise_is_white() -> None:
    clean = speech(10.0)
    noise = perturb("white-0db", clean, HERE) - clean
    bands = np.abs(np.fft.rfft(noise)) ** 2
    quarters = [float(q.mean()) for q in np.array_split(bands, 4)]
    assert all(abs(db(a / b)) < 0.3 for a, b in pairwise(quarters))


@pytest.mark.parametrize("own", [500, 1000, 2000])
def test_babble_holds_every_other_utterance_and_never_the_same(own: int, corpus: Corpus) -> None:
    utterance = next(u for u in corpus if u.id == f"u{own}")
    clean = utterance.load()
    noise = perturb("babble-0db", clean, Context(utterance.id, talkers_of(corpus))) - clean
    loudest = max(level_at(noise, hertz) for hertz in (500, 1000, 2000))
    for hertz in (500, 1000, 2000):
        if hertz == own:
            assert level_at(noise, hertz) < 0.03 * loudest
        else:
            assert level_at(noise, hertz) > 0.1 * loudest


def test_babble_does_not_depend_on_the_order_of_the_corpus(corpus: Corpus) -> None:
    one, other = talkers_of(corpus), talkers_of(reversed(corpus.utterances))
    assert np.array_equal(
        perturb("babble-5db", speech(), Context("u500", one)),
        perturb("babble-5db", speech(), Context("u500", other)),
    )


def test_babble_without_others_is_unavailable(corpus: Corpus) -> None:
    alone = corpus.utterances[0]
    twin = Utterance("another id", alone.path, "a word")
    silent = Utterance("no text", corpus.utterances[1].path, " ")
    with pytest.raises(ConditionUnavailable, match="other utterances"):
        perturb("babble-5db", speech(), Context(alone.id, talkers_of([alone, twin, silent])))


def test_talkers_are_different_and_as_many_as_there_are(corpus: Corpus) -> None:
    draw, rng = talkers_of(corpus), np.random.default_rng(0)
    assert len(draw("u500", 1, rng)) == 1
    two = draw("u500", 5, rng)
    assert len(two) == 2
    assert not np.array_equal(two[0], two[1])


def test_room_decays_by_60_db_in_its_reverberation_time() -> None:
    response = room_response(np.random.default_rng(3))
    assert response[0] == 1.0
    tail = response[1:]
    assert (tail**2).sum() == pytest.approx(1.0)  # as much as the direct sound
    # Schroeder (1965): the energy still to come, and a line through its -5 to -25 dB.
    left = 10 * np.log10(np.cumsum(tail[::-1] ** 2)[::-1])
    fit = (left < -5) & (left > -25)
    slope = np.polyfit(np.arange(len(tail))[fit] / SECOND, left[fit], 1)[0]
    assert -60 / slope == pytest.approx(0.5, rel=0.1)


def test_reverberation_keeps_the_level_and_fills_the_pauses() -> None:
    clean = speech()
    heard = perturb("reverb", clean, HERE)
    assert db(active_power(heard) / active_power(clean)) == pytest.approx(0.0, abs=0.01)
    assert abs(lag(clean, heard)) <= 1
    pause = slice(5600, 7200)
    assert power(clean[pause]) == 0.0
    assert db(power(heard[pause]) / power(heard[:4800])) > -30


@pytest.mark.parametrize("hertz", [100, 200, 3700, 5000, 7000])
def test_telephone_stops_what_is_outside_its_band(hertz: int) -> None:
    heard = perturb("telephone", tone(hertz) + tone(1000), HERE)
    assert db((level_at(heard, 1000) / level_at(heard, hertz)) ** 2) > 40


@pytest.mark.parametrize("hertz", [410, 1010, 3310])  # no whole part of the rate
def test_telephone_passes_its_band_with_the_noise_of_mu_law(hertz: int) -> None:
    clean = tone(hertz, peak=0.5)
    heard = perturb("telephone", clean, HERE)
    assert db((level_at(heard, hertz) / level_at(clean, hertz)) ** 2) == pytest.approx(0, abs=0.2)
    middle = slice(4000, 12_000)
    # G.711 is at 37 to 40 dB for a sine; without the companding it would be far better.
    assert 34 < db(power(clean[middle]) / power((heard - clean)[middle])) < 42


@pytest.mark.parametrize("name", ["telephone", "mp3", "opus"])
def test_coders_delay_nothing(name: str) -> None:
    clean = speech()
    heard = perturb(name, clean, HERE)
    assert abs(lag(clean, heard)) <= 1
    assert not np.array_equal(clean, heard)


@pytest.mark.parametrize(("name", "lowest", "highest"), [("mp3", 16, 40), ("opus", 12, 20)])
def test_coders_run_at_a_low_bit_rate(
    name: str, lowest: int, highest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    write = soundfile.write

    def spy(file: Any, *args: Any, **kwargs: Any) -> None:
        write(file, *args, **kwargs)
        sizes.append(file.tell())

    monkeypatch.setattr(soundfile, "write", spy)
    clean = speech(10.0)
    heard = perturb(name, clean, HERE)
    (size,) = sizes
    assert lowest < 8 * size / 10 / 1000 < highest
    assert db(power(clean) / power(heard - clean)) > 6


@pytest.mark.parametrize("name", ["mp3", "opus"])
def test_coder_that_libsndfile_lacks_is_unavailable(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soundfile, "available_subtypes", lambda container: {})
    with pytest.raises(ConditionUnavailable, match=r"cannot write .*uv sync"):
        perturb(name, speech(), HERE)


def test_coder_whose_delay_is_left_in_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    write = soundfile.write

    def constant(*args: Any, **kwargs: Any) -> None:
        write(*args, **{**kwargs, "bitrate_mode": "CONSTANT"})

    monkeypatch.setattr(soundfile, "write", constant)
    with pytest.raises(ConditionUnavailable, match="left the delay of MP3"):
        perturb("mp3", speech(), HERE)


def test_gain_is_exact_and_clips_as_a_hot_input_does() -> None:
    clean = np.array([0.1, -0.25, 0.2512, 0.5, -1.0], np.float32)
    factor = 10 ** (12 / 20)
    louder = np.array([0.1 * factor, -0.25 * factor, 1.0, 1.0, -1.0])
    assert np.allclose(perturb("gain+12db", clean, HERE), louder, atol=1e-6)
    assert np.allclose(perturb("gain-12db", clean, HERE), clean / factor, atol=1e-7)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_tempo_keeps_the_pitch_and_moves_everything_in_time(factor: float) -> None:
    pause = np.zeros(SECOND, np.float32)
    clean = np.concatenate([pause, tone(440), pause, tone(440), pause])
    heard = perturb(f"tempo-{factor}", clean, HERE)
    assert len(heard) == round(len(clean) / factor)
    spectrum = np.abs(np.fft.rfft(heard))
    assert np.argmax(spectrum) * SECOND / len(heard) == pytest.approx(440, abs=2)
    loud = np.abs(np.convolve(np.abs(heard), np.ones(320) / 320, mode="same")) > 0.03
    edges = np.nonzero(np.diff(loud))[0] / SECOND
    assert edges == pytest.approx([t / factor for t in (1, 2, 3, 4)], abs=0.05)


def test_tempo_without_its_library_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ConditionUnavailable, match="uv sync --inexact --extra robustness"):
        perturb("tempo-0.9", speech(), HERE)


def test_padding_is_a_second_of_zeros_before_and_two_after() -> None:
    clean = speech()
    heard = perturb("padding", clean, HERE)
    assert not heard[:SECOND].any()
    assert np.array_equal(heard[SECOND : SECOND + len(clean)], clean)
    assert not heard[SECOND + len(clean) :].any()
    assert len(heard) == len(clean) + 3 * SECOND


def test_chunks_lose_10_ms_at_each_second_and_nothing_else() -> None:
    n = 5 * SECOND
    numbered = (np.arange(n) / n).astype(np.float32)  # each sample is its place
    kept = np.round(perturb("chunks", numbered, HERE) * n).astype(int)
    lost = np.setdiff1d(np.arange(n), kept)
    starts = lost[np.diff(lost, prepend=-2) > 1]
    assert np.diff(kept).min() >= 1
    assert len(starts) == 5
    assert set(np.diff(starts)) == {SECOND}
    assert all(
        np.count_nonzero(lost - start < 160) == 160 * k for k, start in enumerate(starts[:-1], 1)
    )
    assert 4 * 160 < len(lost) <= 5 * 160  # the last may be cut off by the end
    assert 1 <= starts[0] <= SECOND
