"""Sound files and manifests: what is read right, and what is refused with file and line."""

from __future__ import annotations

import json
import math
import shutil
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from evals.measures.text.alignment import align
from evals.measures.text.entities import entities as marked
from evals.records.predictions import Prediction
from fixtures.audio.read import SAMPLE_RATE, load_audio, to_mono_16k
from fixtures.corpora.corpus import CorpusError, read_manifest
from fixtures.corpora.sentences import read_sentences
from fixtures.dialogues.files import read_dialogues


def _tone(rate: int, seconds: float = 1.0, hertz: float = 440.0) -> NDArray[np.float32]:
    time = np.arange(int(rate * seconds)) / rate
    return (0.5 * np.sin(2 * math.pi * hertz * time)).astype(np.float32)


def _peak_hertz(samples: NDArray[np.float32]) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * SAMPLE_RATE / len(samples))


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg"])
@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_format_to_16k_mono(tmp_path: Path, suffix: str, rate: int, channels: int) -> None:
    file = tmp_path / f"tone.{suffix}"
    soundfile.write(file, np.stack([_tone(rate)] * channels, axis=1), rate)
    samples = load_audio(file)
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert len(samples) == pytest.approx(SAMPLE_RATE, rel=0.12)  # MP3 pads at both ends
    middle = samples[4000:12000]
    assert _peak_hertz(middle) == pytest.approx(440, abs=3)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / math.sqrt(2), rel=0.05)


def test_resampler_keeps_what_fits_and_drops_what_does_not() -> None:
    kept = to_mono_16k(_tone(48000, hertz=7000), 48000)[2000:-2000]
    aliased = to_mono_16k(_tone(48000, hertz=9500), 48000)[2000:-2000]
    assert np.sqrt(np.mean(kept**2)) == pytest.approx(0.5 / math.sqrt(2), rel=0.02)
    assert np.sqrt(np.mean(aliased**2)) < 1e-3  # would come back at 6.5 kHz


def test_channels_are_averaged() -> None:
    left_only = np.stack([_tone(16000), np.zeros(16000, np.float32)], axis=1)
    assert np.allclose(to_mono_16k(left_only, 16000), _tone(16000) / 2)


@given(st.integers(1, 2000), st.sampled_from([8000, 11025, 16000, 44100]))
def test_length_follows_the_rate(n: int, rate: int) -> None:
    samples = to_mono_16k(np.ones(n, np.float32), rate)
    assert abs(len(samples) - n * SAMPLE_RATE / rate) <= 1
    assert np.isfinite(samples).all()
    assert np.abs(samples).max(initial=0) <= 1


def _write(path: Path, kind: str) -> None:
    tone = _tone(16000)
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("this is not sound")
    elif kind == "no samples":
        soundfile.write(path, np.zeros(0, np.float32), 16000, format="WAV")
    elif kind == "nan":
        tone[5] = np.nan
        soundfile.write(path, tone, 16000, format="WAV", subtype="FLOAT")
    elif kind == "silent":
        soundfile.write(path, np.zeros(16000, np.float32), 16000, format="WAV")
    elif kind == "0 hz":
        soundfile.write(path, tone, 16000, format="WAV", subtype="PCM_16")
        data = bytearray(path.read_bytes())
        data[24:28] = struct.pack("<I", 0)
        path.write_bytes(data)
    elif kind.startswith("truncated"):
        soundfile.write(path, tone, 16000, format=kind.split()[1])
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


BROKEN = {
    "empty": "0 bytes",
    "text": "not audio",
    "no samples": "no samples",
    "nan": "NaN",
    "silent": "silent",
    "0 hz": "0 Hz",
    "truncated WAV": "truncated",
    "truncated FLAC": "truncated|not audio",
    "truncated OGG": "truncated",
}


@pytest.mark.parametrize(("kind", "says"), BROKEN.items())
def test_broken_audio_is_named_with_line(tmp_path: Path, kind: str, says: str) -> None:
    soundfile.write(tmp_path / "good.wav", _tone(16000), 16000)
    _write(tmp_path / "bad.wav", kind)
    manifest = _manifest(
        tmp_path,
        [
            {"audio_filepath": "good.wav", "text": "a"},
            {"audio_filepath": "bad.wav", "text": "b"},
        ],
    )
    with pytest.raises(CorpusError, match=says) as caught:
        read_manifest(manifest).check_audio()
    assert f"{manifest}:2: " in str(caught.value)
    assert "bad.wav" in str(caught.value)
    assert "good.wav" not in str(caught.value)


def test_silence_is_fine_where_nothing_is_said(tmp_path: Path) -> None:
    _write(tmp_path / "quiet.wav", "silent")
    row = {"audio_filepath": "quiet.wav", "text": ""}
    read_manifest(_manifest(tmp_path, [row])).check_audio()


def test_file_of_another_length_than_the_manifest_says(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", _tone(16000, 1.0), 16000)
    row = {"audio_filepath": "a.wav", "text": "a", "duration": 9.0}
    with pytest.raises(CorpusError, match=r"lasts 1\.00 s, but the manifest says 9 s"):
        read_manifest(_manifest(tmp_path, [row])).check_audio()


def test_offset_and_duration_cut_a_segment(tmp_path: Path) -> None:
    sound = np.concatenate([_tone(16000, hertz=300), _tone(16000, hertz=900)])
    soundfile.write(tmp_path / "a.wav", sound, 16000)
    row = {"audio_filepath": "a.wav", "text": "a", "offset": 1.0, "duration": 0.5}
    (utterance,) = read_manifest(_manifest(tmp_path, [row]))
    samples = utterance.load()
    assert len(samples) == 8000
    assert _peak_hertz(samples) == pytest.approx(900, abs=3)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "not JSON"),
        ("[1]", "a JSON object is expected"),
        ('{"audio_filepath": "a.wav"}', "no 'text'"),
        ('{"text": "x"}', "no 'audio_filepath'"),
        ('{"audio_filepath": "missing.wav", "text": "x"}', "no such audio file"),
        ('{"audio_filepath": "a.wav", "text": 3}', "'text' must be text"),
        ('{"audio_filepath": "a.wav", "text": null}', "'text' must be text"),
        ('{"audio_filepath": "a.wav", "text": "x", "duration": "2"}', "'duration' must be a number"),
        ('{"audio_filepath": "a.wav", "text": "x", "duration": -1}', "'duration' must be a positive"),
        ('{"audio_filepath": "a.wav", "text": "x", "duration": NaN}', "'duration' must be a positive"),
        ('{"audio_filepath": "a.wav", "text": "x", "id": "first"}', "is that of line 1 too"),
        ('{"audio_filepath": "a\\u0000.wav", "text": "x"}', "no such audio file"),
        ('{"audio_filepath": "a.wav", "text": "x", "entities": "Anna"}', "'entities' must be a list of texts, not 'Anna'"),
        ('{"audio_filepath": "a.wav", "text": "x", "entities": {"name": "x"}}', "'entities' must be a list of texts"),
        ('{"audio_filepath": "a.wav", "text": "x", "entities": ["x", 7]}', "and holds 7"),
        ('{"audio_filepath": "a.wav", "text": "x", "entities": [" "]}', "and holds ' '"),
    ],
)  # fmt: skip
def test_bad_line_is_named(tmp_path: Path, line: str, says: str) -> None:
    soundfile.write(tmp_path / "a.wav", _tone(16000), 16000)
    good = json.dumps({"id": "first", "audio_filepath": "a.wav", "text": "a"})
    manifest = tmp_path / "m.jsonl"
    manifest.write_text(f"{good}\n\n{line}\n")
    with pytest.raises(CorpusError) as caught:
        read_manifest(manifest)
    assert f"{manifest}:3: " in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize("entities", [None, [], ["Anna Lee", "Paris"]])
def test_entities_are_a_list_of_texts_or_not_told(tmp_path: Path, entities: Any) -> None:
    soundfile.write(tmp_path / "a.wav", _tone(16000), 16000)
    row = {"audio_filepath": "a.wav", "text": "Anna Lee in Paris", "entities": entities}
    (utterance,) = read_manifest(_manifest(tmp_path, [row]))
    counts = marked(align([Prediction("x", utterance.text, "Anna in Paris", 1.0, 0.1, metadata=utterance.metadata)], "lower"))  # fmt: skip
    assert counts.tolist() == [[1, 2] if entities else [0, 0]]


def test_all_bad_lines_are_named_at_once(tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    manifest.write_text("{\n" * 30)
    with pytest.raises(CorpusError) as caught:
        read_manifest(manifest)
    assert str(caught.value).count("not JSON") == 20
    assert "and 10 more" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe\x00"])
def test_manifest_without_utterances(tmp_path: Path, content: bytes) -> None:
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(content)
    with pytest.raises(CorpusError, match=r"m\.jsonl: "):
        read_manifest(manifest)


@given(st.text(max_size=80))
def test_any_line_gives_an_error_that_names_it(
    tmp_path_factory: pytest.TempPathFactory, line: str
) -> None:
    manifest = tmp_path_factory.getbasetemp() / "fuzz.jsonl"
    manifest.write_text("{}\n" + line, encoding="utf-8")
    with pytest.raises(CorpusError, match=r"fuzz\.jsonl:1: no 'audio_filepath'"):
        read_manifest(manifest)


@pytest.mark.parametrize("kind", ["corpus", "sentences", "dialogues"])
def test_nothing_is_written_into_a_corpus(tmp_path: Path, kind: str) -> None:
    """It is frozen: what is found out about it is kept beside it, and is right to be asked twice."""
    soundfile.write(tmp_path / "a.wav", _tone(16000), 16000)
    rows = [{"id": name, "audio_filepath": "a.wav", "text": "a"} for name in ("x", "y")]
    manifest = _manifest(tmp_path, rows)
    turns = [{"role": "user", "text": "a", "audio_filepath": "a.wav"}, {"role": "assistant", "expect": [{"contains": "a"}]}]  # fmt: skip
    talk = tmp_path / "talk.jsonl"
    talk.write_text("".join(json.dumps({"id": name, "turns": turns}) + "\n" for name in "xy"))
    readers: Mapping[str, Callable[[], Any]] = {
        "corpus": lambda: read_manifest(manifest),
        "sentences": lambda: read_sentences(manifest),
        "dialogues": lambda: read_dialogues(talk),
    }
    whole = readers[kind]()
    assert not hasattr(whole, "__dict__")
    part = whole.shard(2, 2)
    before = part.content_hash, part.language, whole.content_hash, whole.language
    part.check_audio()
    whole.check_audio()
    assert (part.content_hash, part.language, whole.content_hash, whole.language) == before
    assert before[:2] == before[2:]


def test_hash_follows_content_not_place(tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    soundfile.write(first / "a.wav", _tone(16000), 16000)
    manifest = _manifest(first, [{"id": "x", "audio_filepath": "a.wav", "text": "a"}])
    before = read_manifest(manifest).content_hash
    second = tmp_path / "second"
    shutil.copytree(first, second)
    assert read_manifest(second / "manifest.jsonl").content_hash == before
    for change in ({"text": "b"}, {"speaker": "s"}, {"noise": "babble"}, {"id": "y"}):
        row = {"id": "x", "audio_filepath": "a.wav", "text": "a", **change}
        assert read_manifest(_manifest(second, [row])).content_hash != before
    _manifest(second, [{"id": "x", "audio_filepath": "a.wav", "text": "a"}])
    soundfile.write(second / "a.wav", _tone(16000, hertz=441), 16000)
    assert read_manifest(second / "manifest.jsonl").content_hash != before


def _manifest(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "manifest.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
