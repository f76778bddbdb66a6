"""The corpus of non-speech: the sounds that it promises, and speech between them, unharmed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from fixtures.audio.read import SAMPLE_RATE
from fixtures.builtin.non_speech import CLIPS, ENDS, SPEECH_ENDS, Clip, non_speech_corpus, sound
from fixtures.corpora.corpus import Corpus, CorpusError, read_manifest

CLIP = {clip.id: clip for clip in CLIPS}
Floats = NDArray[np.float64]


def level_db(samples: Floats) -> float:
    return float(10 * np.log10((samples**2).mean()))


def spectrum(samples: Floats) -> tuple[Floats, Floats]:
    """Frequencies and power."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    return np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE), power


def octaves(samples: Floats) -> list[float]:
    """Mean power density of 62.5-125 Hz, ..., 4-8 kHz, in decibels."""
    frequencies, power = spectrum(samples)
    edges = [62.5 * 2**k for k in range(8)]
    return [
        float(10 * np.log10(power[(frequencies >= low) & (frequencies < high)].mean()))
        for low, high in pairwise(edges)
    ]


def spoken(folder: Path, count: int, lang: str = "en") -> Corpus:
    """Utterances that are noise of a level of their own."""
    folder.mkdir()
    rows = []
    for k in range(count):
        samples = np.random.default_rng(k).uniform(-0.1, 0.1, 8000 + 800 * k)
        soundfile.write(folder / f"{k}.wav", samples, SAMPLE_RATE, subtype="PCM_16")
        row = {"id": f"u{k}", "audio_filepath": f"{k}.wav", "text": f"words {k}", "lang": lang}
        rows.append(row | ({"speaker": f"s{k % 2}"} if k else {}))
    (folder / "manifest.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return read_manifest(folder / "manifest.jsonl")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODEL_LAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return spoken(tmp_path_factory.mktemp("twelve") / "speech", 12)


def test_clips_are_short_and_of_every_kind() -> None:
    assert all(1.0 <= clip.seconds <= 30.0 for clip in CLIPS)
    assert {min(c.seconds for c in CLIPS), max(c.seconds for c in CLIPS)} == {1.0, 30.0}
    assert 120 <= sum(clip.seconds for clip in CLIPS) <= 180
    assert {clip.category for clip in CLIPS} == {
        *("silence", "white-noise", "pink-noise", "tone", "sweep"),
        *("music", "clicks", "hum", "breath"),
    }
    for kind in ("white-noise", "pink-noise"):
        assert len({clip.level_db for clip in CLIPS if clip.category == kind}) == 2
    assert all(2.0 <= s <= 10.0 for e in ENDS for s in (e.before_seconds, e.after_seconds))


@pytest.mark.parametrize("clip", CLIPS, ids=lambda c: c.id)
def test_clip_has_its_length_and_level_and_is_the_same_again(clip: Clip) -> None:
    samples = sound(clip)
    assert len(samples) == round(clip.seconds * SAMPLE_RATE)
    assert np.max(np.abs(samples)) < 0.99  # nothing is clipped
    if clip.level_db is not None:
        assert level_db(samples) == pytest.approx(clip.level_db, abs=0.3)  # the fades cost a little
    assert np.array_equal(samples, sound(clip))
    assert samples.any() == (clip.category != "silence")


def test_noise_is_the_same_on_every_machine() -> None:
    """Made of whole numbers from PCG64's raw bits, so no rounding and no version of numpy shows."""
    noise = CLIP["white-quiet"].make("seed", 1000)
    pink = CLIP["pink-quiet"].make("seed", 1000)
    digest = hashlib.sha256(np.round(np.stack([noise, pink]) * 1000).astype("<i4").tobytes())
    assert digest.hexdigest()[:16] == "916d547abed6d536"


def test_noise_differs_by_its_seed_and_is_normal_enough() -> None:
    one, other = (CLIP["white-quiet"].make(seed, 100_000) for seed in ("a", "b"))
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.02
    assert one.mean() == pytest.approx(0.0, abs=0.02)
    assert one.std() == pytest.approx(1.0, abs=0.01)


def test_white_noise_is_flat_and_pink_falls_by_3_db_per_octave() -> None:
    white, pink = octaves(sound(CLIP["white-quiet"], 30.0)), octaves(sound(CLIP["pink-loud"], 30.0))
    assert np.ptp(white) < 1.0
    steps = [b - a for a, b in pairwise(pink)]
    assert np.mean(steps) == pytest.approx(-3.0, abs=0.5)
    assert all(-5.0 < step < -1.0 for step in steps)


@pytest.mark.parametrize(
    ("name", "hertz"), [("tone-440hz", 440), ("hum-50hz", 50), ("tone-100hz", 100)]
)
def test_tones_and_hum_are_at_their_pitch(name: str, hertz: float) -> None:
    frequencies, power = spectrum(sound(CLIP[name]))
    assert frequencies[np.argmax(power)] == pytest.approx(hertz, abs=1.0)


def test_sweep_takes_as_long_for_every_octave() -> None:
    samples = sound(CLIP["sweep-up"])
    for share in (0.25, 0.5, 0.75):
        middle = round(share * len(samples))
        frequencies, power = spectrum(samples[middle - 400 : middle + 400])
        expected = 80.0 * (7000.0 / 80.0) ** share
        assert frequencies[np.argmax(power)] == pytest.approx(expected, rel=0.1)


def test_corpus_holds_clips_without_text_and_speech_with_its_own(speech: Corpus) -> None:
    corpus = non_speech_corpus(speech)
    assert corpus.name == "non-speech"
    corpus.check_audio()
    silent = [u for u in corpus if u.category != SPEECH_ENDS]
    assert [(u.id, u.text, u.category) for u in silent] == [(c.id, "", c.category) for c in CLIPS]
    ends = [u for u in corpus if u.category == SPEECH_ENDS]
    assert len(ends) == len(ENDS)
    originals = {u.id: u for u in speech}
    for row, planned in zip(ends, ENDS, strict=True):
        original = originals[row.metadata["utterance"]]
        assert (row.text, row.speaker) == (original.text, original.speaker)
        samples, inner = row.load(), original.load()
        start = round(planned.before_seconds * SAMPLE_RATE)
        assert len(samples) == start + len(inner) + round(planned.after_seconds * SAMPLE_RATE)
        assert np.allclose(samples[start : start + len(inner)], inner, atol=1 / 16_000)
        before, after = samples[:start], samples[start + len(inner) :]
        assert before.any() == (planned.before != "silence-1s")
        assert after.any() == (planned.after != "silence-1s")
        if planned.before == planned.after and before.any():  # not the same noise twice
            shorter = min(len(before), len(after)) - 200
            assert not np.array_equal(before[200:shorter], after[200:shorter])


def test_corpus_is_made_once_and_again_when_damaged(speech: Corpus) -> None:
    corpus = non_speech_corpus(speech)
    file = corpus.utterances[3].path
    made = file.stat().st_mtime_ns
    assert non_speech_corpus(speech).utterances[3].path.stat().st_mtime_ns == made
    file.write_bytes(b"")
    again = non_speech_corpus(speech)
    assert again.content_hash == non_speech_corpus(speech).content_hash
    again.check_audio()


def test_other_speech_is_another_corpus(speech: Corpus, tmp_path: Path) -> None:
    other = non_speech_corpus(spoken(tmp_path / "other", 3))
    assert len([u for u in other if u.category == SPEECH_ENDS]) == 3
    assert other.content_hash != non_speech_corpus(speech).content_hash
    backwards = Corpus("backwards", speech.manifest, speech.utterances[::-1])
    assert non_speech_corpus(backwards).manifest == non_speech_corpus(speech).manifest


def test_language_is_that_of_the_speech(tmp_path: Path) -> None:
    assert non_speech_corpus(spoken(tmp_path / "german", 2, "de")).language == "de"


def test_speech_without_text_is_refused(speech: Corpus) -> None:
    silent = [u for u in non_speech_corpus(speech) if not u.text]
    with pytest.raises(CorpusError, match="no utterance with text"):
        non_speech_corpus(Corpus("silent", speech.manifest, silent))
