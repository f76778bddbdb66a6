"""Plain WAV files, read at once: libsndfile says the same of each, whatever is wrong with it."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.audio import read as audio
from fixtures.audio.pcm16_wav import plain_wav
from fixtures.audio.read import AudioError, load_audio, opened, read_audio, sha256_of


def written(samples: np.ndarray, rate: int, **how: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", **how)
    return file.getvalue()


def outcome(path: Path, *, silence_ok: bool) -> bytes | str:
    """The samples that are heard, or why there are none."""
    try:
        return load_audio(path, silence_ok=silence_ok).tobytes()
    except AudioError as error:
        return str(error)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wav") / "one.wav"


def same_by_library(path: Path, *, silence_ok: bool = False) -> bytes | str:
    """What is heard, which must be what libsndfile hears."""
    at_once = outcome(path, silence_ok=silence_ok)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audio, "plain_wav", lambda file: None)
        assert at_once == outcome(path, silence_ok=silence_ok)
    return at_once


@given(
    st.integers(1, 3),
    st.sampled_from([8_000, 16_000, 44_100]),
    st.lists(st.integers(-32768, 32767), min_size=1, max_size=300),
)
def test_to_the_bit(file: Path, channels: int, rate: int, values: list[int]) -> None:
    values = values[: len(values) // channels * channels] or [0] * channels
    samples = np.array(values, np.int16).reshape(-1, channels)
    file.write_bytes(written(samples, rate, subtype="PCM_16"))
    with opened(file) as one:
        read = plain_wav(one)
    assert read is not None
    assert read[1] == rate
    assert np.array_equal(read[0] * 32768, samples)
    same_by_library(file)


@settings(max_examples=400)
@given(
    st.lists(st.tuples(st.integers(0, 47), st.integers(0, 255)), min_size=1, max_size=3),
    st.integers(-6, 6),
)
def test_damaged_headers(file: Path, damage: list[tuple[int, int]], length: int) -> None:
    content = bytearray(written(np.arange(-400, 400, dtype=np.int16), 16_000, subtype="PCM_16"))
    for place, value in damage:
        content[place] = value
    content = content[:length] if length < 0 else content + bytes(length)
    file.write_bytes(content)
    same_by_library(file)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "PCM_32", "FLOAT", "ULAW"])
def test_other_kinds_are_the_library_s(file: Path, subtype: str) -> None:
    file.write_bytes(written(np.linspace(-0.5, 0.5, 800), 16_000, subtype=subtype))
    with opened(file) as one:
        assert plain_wav(one) is None
    assert isinstance(same_by_library(file), bytes)


def test_a_rate_that_nobody_records_at(file: Path) -> None:
    file.write_bytes(written(np.arange(1, 800, dtype=np.int16), 900, subtype="PCM_16"))
    assert "900 Hz" in str(same_by_library(file))


def test_silence(file: Path) -> None:
    file.write_bytes(written(np.zeros(800, np.int16), 16_000, subtype="PCM_16"))
    assert "silent" in str(same_by_library(file))
    assert isinstance(same_by_library(file, silence_ok=True), bytes)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_where_the_system_has_no_pread(
    file: Path, subtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows has none."""
    content = written(np.arange(1, 800, dtype=np.int16), 16_000, subtype=subtype)
    file.write_bytes(content)
    samples = load_audio(file)
    monkeypatch.delattr(os, "pread")
    with opened(file) as one:
        assert sha256_of(one) == hashlib.sha256(content).hexdigest()
        assert np.array_equal(read_audio(one), samples)
        assert sha256_of(one) == hashlib.sha256(content).hexdigest()
