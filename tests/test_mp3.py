"""MP3 files that do not say how long they are: read whole, and refused only where they are cut."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from fixtures.audio.mp3 import is_mp3, unsaid_length
from fixtures.audio.read import SAMPLE_RATE, AudioError, load_audio
from fixtures.corpora.corpus import read_manifest

MODES = ("CONSTANT", "VARIABLE", "AVERAGE")
RATES = (16_000, 22_050, 32_000, 44_100, 48_000)
#: A title before the sound, and one behind it, as players write them.
ID3V2 = b"ID3\x04\x00\x00" + bytes([0, 0, 1, 72]) + bytes(200)
ID3V1 = b"TAG" + bytes(125)


def sound(rate: int, channels: int = 1) -> NDArray[np.float32]:
    """A tone, noise and silence, whose frames take unlike numbers of bytes: 3.8 s."""
    time = np.arange(round(1.5 * rate)) / rate
    noise = np.random.default_rng(0).normal(0, 0.2, round(1.3 * rate))
    mono = np.concatenate([0.5 * np.sin(2 * np.pi * 440 * time), noise, np.zeros(rate)])
    return np.stack([mono.astype(np.float32)] * channels, axis=1)


def encoded(samples: NDArray[np.float32], rate: int, mode: str) -> bytes:
    """As libsndfile writes it, with the number of its frames in the first one."""
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format="MP3", subtype="MPEG_LAYER_III", bitrate_mode=mode)
    return out.getvalue()


def bare(data: bytes) -> bytes:
    """Without the first frame, which is the one that says how many there are."""
    at = data.index(b"\xff", 4)
    while data[at : at + 2] != data[:2] or data[at + 3] != data[3]:
        at = data.index(b"\xff", at + 1)
    return data[at:]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("channels", [1, 2])
def test_all_of_a_file_without_a_length_is_heard(
    tmp_path: Path, mode: str, rate: int, channels: int
) -> None:
    data = encoded(sound(rate, channels), rate, mode)
    (tmp_path / "told.mp3").write_bytes(data)
    (tmp_path / "bare.mp3").write_bytes(ID3V2 + bare(data) + ID3V1)
    told, untold = load_audio(tmp_path / "told.mp3"), load_audio(tmp_path / "bare.mp3")
    # The decoder's and encoder's own delay is not taken off, and frames are whole.
    assert 0 <= len(untold) - len(told) <= 4 * 1152 * SAMPLE_RATE / rate
    window = np.hanning(800)
    loud = [np.convolve(x**2, window / window.sum(), "same")[::400] for x in (told, untold)]
    ends = [np.flatnonzero(x > 0.01 * x.max())[-1] for x in loud]
    assert abs(ends[0] - ends[1]) <= 6, "the noise ends elsewhere"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("told", [True, False])
def test_a_part_of_it_is_that_part(tmp_path: Path, mode: str, told: bool) -> None:
    data = encoded(sound(16_000), 16_000, mode)
    (tmp_path / "a.mp3").write_bytes(data if told else bare(data))
    whole = load_audio(tmp_path / "a.mp3")
    for start in (0.01, 1.0, 2.0):
        part = load_audio(tmp_path / "a.mp3", offset=start, duration=0.5)
        first = round(start * SAMPLE_RATE)
        assert len(part) == SAMPLE_RATE // 2
        assert np.abs(part - whole[first : first + SAMPLE_RATE // 2]).max() < 1e-3
    with pytest.raises(AudioError, match="before the offset of 60 s"):
        load_audio(tmp_path / "a.mp3", offset=60.0, duration=0.5)


def test_a_corpus_of_them_is_no_corpus_of_truncated_files(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(bare(encoded(sound(32_000), 32_000, "CONSTANT")))
    row = {"audio_filepath": "a.mp3", "text": "a tone", "duration": 3.8}
    (tmp_path / "manifest.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    [utterance] = read_manifest(tmp_path / "manifest.jsonl")
    assert len(utterance.load()) == pytest.approx(3.8 * SAMPLE_RATE, rel=0.05)


@pytest.mark.parametrize("mode", MODES)
def test_one_that_ends_within_a_frame_is_truncated(tmp_path: Path, mode: str) -> None:
    data = bare(encoded(sound(16_000), 16_000, mode))
    (tmp_path / "a.mp3").write_bytes(data[: len(data) // 2 + 7])
    with pytest.raises(AudioError, match="truncated: it ends in the middle of an MP3 frame"):
        load_audio(tmp_path / "a.mp3")


def test_one_that_says_its_length_is_held_to_it(tmp_path: Path) -> None:
    data = encoded(sound(16_000), 16_000, "CONSTANT")
    assert unsaid_length(io.BufferedReader(io.BytesIO(data)), len(data)) is None
    (tmp_path / "a.mp3").write_bytes(data[: len(data) // 2])
    with pytest.raises(AudioError, match="truncated: its header promises"):
        load_audio(tmp_path / "a.mp3")


@pytest.mark.parametrize(
    "data",
    [b"ID3", ID3V2, ID3V2 + bytes(5000), b"\xff\xfb\x90\x00", b"\xff" * 5000, b"\xff\xfb" * 3000],
    ids=["half a title", "a title", "zeros", "one header", "ones", "headers in headers"],
)
def test_what_is_no_mp3_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.mp3").write_bytes(data)
    with pytest.raises(AudioError):
        load_audio(tmp_path / "a.mp3")


def test_other_files_are_no_mp3() -> None:
    assert not any(map(is_mp3, (b"RIFF", b"fLaC", b"OggS", b"\xff\xd8\xff\xe0", b"", b"\xff")))
