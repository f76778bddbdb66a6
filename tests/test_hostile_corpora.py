"""Broken and hostile files: each is a corpus, or one error that names the place.

MODEL_LAB_FUZZ=10000 tries that many cases of each reader; tests/benchmarks/fuzz_corpora.py
counts what comes of them, in processes with limits.
"""

from __future__ import annotations

import os
import re
import struct
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures.audio.read import AudioError, load_audio
from fixtures.corpora.jsonl import CorpusError
from fixtures.source import named_source
from tests.hostile import ACCEPTED, READERS, folder_of_odd_things, refused, sound

CASES = int(os.environ.get("MODEL_LAB_FUZZ", "120"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of_odd_things(tmp_path_factory.mktemp("hostile") / "corpus")


@pytest.mark.parametrize("name", READERS)
def test_every_file_is_a_corpus_or_one_error(name: str, folder: Path) -> None:
    reader, outcomes = READERS[name], Counter[str]()

    @settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(reader.cases)
    def tried(content: bytes) -> None:
        outcomes[reader.outcome(folder, content)] += 1

    tried()
    assert outcomes[ACCEPTED]  # or else the cases are of one kind only
    assert len(outcomes) > 10


@given(data=st.data())
@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_named_as_a_corpus(folder: Path, data: st.DataObject) -> None:
    kinds = st.sampled_from(["a.jsonl", "b.yaml", "c", "d.wav"])
    path = folder / data.draw(kinds)
    path.write_bytes(data.draw(READERS[data.draw(st.sampled_from(sorted(READERS)))].cases))
    try:
        named_source(str(path))
    except CorpusError as error:
        refused(path, error)


LARGE, LONG = 10 * 2**20, 2**20
LONG_LINES = {
    "text": b'{"audio_filepath": "a.wav", "text": "%b"}' % (b"a " * (LARGE // 2)),
    "whole number": b'{"audio_filepath": "a.wav", "text": "a", "duration": %b}' % (b"9" * LARGE),
    "brackets": b'{"audio_filepath": "a.wav", "text": "a", "x": %b' % (b"[" * LARGE),
    "garbage": b"\x1b" * LARGE,
    "key": b'{"audio_filepath": "a.wav", "text": "a", "%b": 1, "id": 1.5}' % (b"k" * LONG),
    "id": b'{"audio_filepath": "a.wav", "text": "a", "id": ["%b"]}' % (b"k" * LONG),
    "path": b'{"audio_filepath": "%b", "text": "a"}' % (b"k" * LONG),
    "number": b'{"audio_filepath": "a.wav", "text": "a", "offset": 9.%b}' % (b"9" * LONG),
    "list": b'{"audio_filepath": "a.wav", "text": [%b1]}' % (b"1," * (LONG // 2)),
    "blanks": b" " * LONG,
}


@pytest.mark.parametrize("kind", LONG_LINES)
@pytest.mark.parametrize("name", [name for name in READERS if name != "audio"])
def test_lines_of_megabytes(kind: str, name: str, folder: Path) -> None:
    outcome = READERS[name].outcome(folder, LONG_LINES[kind])
    assert (outcome == ACCEPTED) == (kind == "text" and name in ("manifest", "sentences"))


def test_a_line_without_an_end_is_not_read_to_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fixtures.corpora.jsonl._LONGEST_LINE", 2**20)
    for name in READERS:
        if name != "audio":
            assert "1 MiB" in READERS[name].outcome(folder, b'{"text": "a"}\n' + b"x" * 2**21)


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
YAMLS = {
    "aliases of aliases": (LAUGHS, "too many values"),
    "itself": ("a: &a [*a]", "nested too deeply|too many"),
    "brackets": ("[" * 200_000, "nested too deeply|not valid YAML"),
    "braces": ("{a: " * 100_000, "nested too deeply|not valid YAML"),
    "dashes": ("- " * 100_000, "nested too deeply|not valid YAML"),
    "sexagesimal": ("a: " + "1:1" * 1_000_000, "put it in quotes"),
    "long number": ("a: 0x" + "f" * 1_000_000, "put it in quotes"),
    "indents": (
        "".join(" " * n + "a:\n" for n in range(2_000)),
        "nested too deeply|not valid YAML|expected",
    ),
}


@pytest.mark.parametrize("kind", YAMLS)
def test_yaml_that_grows_or_never_ends(
    kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fixtures.dialogues.files._MOST_VALUES", 20_000)
    text, says = YAMLS[kind]
    tracemalloc.start()
    try:
        outcome = READERS["dialogues in YAML"].outcome(folder, text.encode())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert re.search(says, outcome)
    assert peak < 64 * 2**20


def _flac_of(frames: int, rate: int = 16_000) -> bytes:
    """A short FLAC file whose header claims that many frames (36 bits) at that rate (20 bits)."""
    content = bytearray(sound("FLAC", "PCM_16"))
    at = content.index(b"fLaC") + 8  # after the magic and the header of STREAMINFO
    fields = int.from_bytes(content[at + 10 : at + 18], "big")
    fields = (fields & ~((1 << 36) - 1) & ~(((1 << 20) - 1) << 44)) | (rate << 44) | frames
    content[at + 10 : at + 18] = fields.to_bytes(8, "big")
    return bytes(content)


def _wav_of(rate: int) -> bytes:
    content = bytearray(sound("WAV", "PCM_16"))
    content[24:28] = struct.pack("<I", rate)
    return bytes(content)


CLAIMS = {
    "frames": (_flac_of(2**36 - 1), "too long|truncated|not audio"),
    "an hour": (_flac_of(16_000 * 3600), "truncated|not audio"),
    "1 Hz": (_wav_of(1), "sample rate of 1 Hz"),
    "999 Hz": (_wav_of(999), "sample rate of 999 Hz"),
    "2 GHz": (_wav_of(2**31 - 1), "sample rate of 2147483647 Hz"),
    "chunks": (b"RIFF\xff\xff\xff\xffWAVE" + b"junk\0\0\0\0" * 2**20, "chunks"),
    "no length": (_flac_of(0), ""),
}


@pytest.mark.parametrize("kind", CLAIMS)
def test_what_a_header_claims_costs_no_memory(kind: str, tmp_path: Path) -> None:
    content, says = CLAIMS[kind]
    (tmp_path / "a").write_bytes(content)
    tracemalloc.start()
    try:
        if says:
            with pytest.raises(AudioError, match=says):
                load_audio(tmp_path / "a")
        else:
            assert len(load_audio(tmp_path / "a")) == 1600
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * 2**20


def test_sound_that_never_ends_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(_flac_of(0))
    monkeypatch.setattr("fixtures.audio.read._MOST_SECONDS", 0.05)
    monkeypatch.setattr("fixtures.audio.read._BLOCK", 100)
    with pytest.raises(AudioError, match="too long"):
        load_audio(tmp_path / "a")


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "MP3"])
def test_blocks_are_the_whole(
    container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subtype = {"OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}.get(container, "PCM_16")
    (tmp_path / "a").write_bytes(sound(container, subtype, 2))
    whole = load_audio(tmp_path / "a")
    monkeypatch.setattr("fixtures.audio.read._BLOCK", 501)
    assert (load_audio(tmp_path / "a") == whole).all()


@pytest.mark.parametrize(
    "name", ["pipe", "/dev/zero", "/dev/null", "sub", "a\0b", "x" * 300, "no", "link/x"]
)
def test_what_is_no_file_is_not_read(name: str, folder: Path) -> None:
    with pytest.raises(AudioError, match="cannot be read"):
        load_audio(folder / name)
    with pytest.raises(CorpusError) as caught:
        named_source(str(folder / name))
    assert str(caught.value).isprintable()


def test_a_name_that_looks_like_raw_samples_is_no_other_format(folder: Path) -> None:
    (folder / "a.raw").write_bytes(sound("WAV", "PCM_16"))
    assert len(load_audio(folder / "a.raw")) == 1600
