"""What hostile, broken and merely odd corpora look like, and what readers may do with them.

A reader gives a corpus, or one CorpusError (of sound an AudioError) whose every line names the
place and can be printed. Nothing else: no other exception, no hang, no memory without bound.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from hypothesis import strategies as st

from fixtures.audio.read import AudioError, load_audio
from fixtures.corpora.corpus import CorpusError, read_manifest
from fixtures.corpora.sentences import read_sentences
from fixtures.dialogues.files import read_dialogues

#: What comes of a case: "accepted", or what it was refused for.
Outcome = str
ACCEPTED = "accepted"
#: Containers and encodings that libsndfile reads unasked, whatever the file is called.
FORMATS: Sequence[tuple[str, str]] = (
    ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("WAV", "ULAW"), ("WAV", "IMA_ADPCM"),
    ("WAV", "MS_ADPCM"), ("WAV", "GSM610"), ("WAVEX", "PCM_16"), ("FLAC", "PCM_16"), ("FLAC", "PCM_24"),
    ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("AIFF", "PCM_16"), ("AU", "PCM_16"),
    ("CAF", "PCM_16"), ("CAF", "ALAC_16"), ("W64", "PCM_16"), ("RF64", "PCM_16"), ("NIST", "PCM_16"),
    ("VOC", "PCM_16"), ("SVX", "PCM_16"), ("PAF", "PCM_16"), ("IRCAM", "PCM_16"), ("MAT4", "PCM_16"),
    ("MAT5", "PCM_16"), ("PVF", "PCM_16"), ("XI", "DPCM_16"), ("HTK", "PCM_16"), ("AVR", "PCM_16"),
    ("WVE", "ALAW"), ("MPC2K", "PCM_16"),
)  # fmt: skip
_BOUNDARIES = (0, 1, 2, 127, 128, 255, 256, 65535, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)

_NUMBERS = st.sampled_from([
    "0", "-0", "-1", "1", "0.5", "1e-400", "1e308", "1e999", "-1e999", "NaN", "Infinity", "-Infinity",
    "9" * 25, "9" * 400, "9" * 5000, "0." + "3" * 400, "00", "1.", "0x10", "1_000",
])  # fmt: skip
_TEXTS = st.sampled_from([
    '""', '" "', '"a"', r'"\ud800"', r'"\udcff.wav"', r'"\u0000"', r'"a\u0000.wav"', r'"\u001b[2J"', r'"\n"',
    '"a.wav"', '"sub/b.wav"', '"../a.wav"', '"/etc/passwd"', '"/dev/zero"', '"."', '".."', '"link"', '"pipe"',
    '"' + "x" * 5000 + '"', '"\u202egnp.wav"', '"\x1b"', "'a'", r'"\x"', '"de"', '"no.wav"', '"n\u0308.wav"',
])  # fmt: skip
_WORDS = st.sampled_from(
    ["null", "true", "false", "", "undefined", "{", "}", "[", "]", ",", ":", '"']
)
_LEAVES = _NUMBERS | _TEXTS | _WORDS | st.text(max_size=8).map(json.dumps) | st.integers().map(str)


def _object(pairs: Sequence[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{json.dumps(key)}: {value}" for key, value in pairs) + "}"


def _nested(value: str, depth: int) -> str:
    return '{"a": [' * depth + value + "]}" * depth


_VALUES = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.lists(st.tuples(st.text(max_size=3), inner), max_size=3).map(_object)
    ),
    max_leaves=5,
) | st.tuples(_LEAVES, st.sampled_from([1, 30, 33, 70, 500, 5_000])).map(lambda x: _nested(*x))


def _rows(fields: Mapping[str, str]) -> st.SearchStrategy[str]:
    """A row with those fields, most of them right, some twice, and others."""
    right = st.sampled_from(sorted(fields.items()))
    wrong = st.tuples(st.sampled_from([*fields, "other", "", "normalizer", "\x1b"]), _VALUES)
    good = _object(list(fields.items()))
    changed = st.lists(wrong, min_size=1, max_size=3).map(
        lambda pairs: _object(list({**fields, **dict(pairs)}.items()))
    )
    named = st.integers(0, 999).map(lambda n: _object(list({**fields, "id": str(n)}.items())))
    return st.one_of(
        *[named] * 8,  # or else hardly any file of several rows would be right
        st.just(good),
        changed,
        st.lists(right | wrong, max_size=8).map(_object),
        _VALUES,
        st.text(max_size=30),
    )


def _mutated(content: bytes, changes: Sequence[tuple[int, int, bytes]]) -> bytes:
    """The content with pieces replaced: at a place, so many bytes, by others."""
    for place, length, piece in changes:
        at = place % (len(content) + 1)
        content = content[:at] + piece + content[at + length :]
    return content


_PIECES = (
    st.binary(max_size=6)
    | st.sampled_from([struct.pack(form, n) for n in _BOUNDARIES for form in ("<I", ">I")])
    | st.sampled_from(
        [b"\n", b"\r\n", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3", b'"', b"{", b"["]
    )
)


def _damage(most: int) -> st.SearchStrategy[list[tuple[int, int, bytes]]]:
    """Changes of content, no more of them than that; most of them near the beginning."""
    place = st.integers(0, 100) | st.integers(0, 5_000) | st.integers(0, 2**31)
    length = st.integers(0, 8) | st.just(2**40)  # the last cuts off the rest
    return st.lists(st.tuples(place, length, _PIECES), max_size=most)


def _encoded(parts: tuple[list[str], str, str, bool, list[tuple[int, int, bytes]]]) -> bytes:
    lines, end, encoding, mark, changes = parts
    text = ("\ufeff" if mark else "") + end.join(lines)
    return _mutated(
        text.encode(encoding, "surrogatepass" if "utf" in encoding else "replace"), changes
    )


def _file_of(rows: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    plain = ["utf-8"] * 20
    return st.tuples(
        st.lists(rows, max_size=6),
        st.sampled_from(["\n", "\n", "\n", "\r\n", "\r", "\n\n \n"]),
        st.sampled_from([*plain, "utf-16", "utf-16-le", "utf-32", "latin-1"]),
        st.booleans(),
        st.one_of(*[st.just([])] * 4, _damage(3)),
    ).map(_encoded)


_ROW = {
    "audio_filepath": '"a.wav"', "text": '"one"', "id": '"x"', "duration": "0.1", "offset": "0",
    "lang": '"en"', "speaker": "3", "category": '"c"', "meta": '{"deep": [1]}',
}  # fmt: skip
_TURNS = (
    '[{"role": "user", "text": "ten minutes"}, {"role": "assistant", "expect": [{"contains": "ten"}]}, '
    '{"role": "user", "text": "b", "audio_filepath": "a.wav"}, '
    '{"role": "assistant", "expect": [{"memory": {"value": "ten", "turn": 1}}, {"words": {"max": 9}}]}]'
)
_DIALOGUE = {
    "id": '"x"',
    "turns": _TURNS,
    "category": '"c"',
    "lang": '"en"',
    "voice": '{"rate": 9}',
    "system": '"s"',
}
_EXPECTED = st.tuples(
    st.sampled_from(["contains", "regex", "number", "choice", "refusal", "words", "language", "memory", "no" * 99]),
    _VALUES | st.sampled_from([
        '"(a*)*b{1,99}"', '"[z-a]"', '"(((((((("', '{"value": 1e999}', '{"value": 1, "tolerance": NaN}',
        '{"answer": "a", "options": {"a": "b", "c": 3}}', '{"min": 1e9}', '{"value": "ten", "turn": 9}',
    ]),
).map(lambda pair: _TURNS.replace('{"contains": "ten"}', _object([pair])))  # fmt: skip
_DIALOGUE_ROWS = _rows(_DIALOGUE) | _EXPECTED.map(
    lambda turns: _object([("id", "1"), ("turns", turns)])
)

_YAML = """\
schema_version: 1
lang: en
voice: en-us
dialogues:
  - id: one
    turns:
      - {role: user, text: ten minutes}
      - {role: assistant, expect: [{contains: [ten, minutes]}, {number: {value: 10, unit: minutes}}]}
      - {role: user, text: what is it, audio_filepath: a.wav}
      - {role: assistant, expect: [{memory: {value: ten minutes, turn: 1}}, {words: {max: 9}}]}
"""
_YAML_WORDS = sorted({word for word in _YAML.replace(":", " ").split() if word.isalnum()})
_YAML_VALUES = st.sampled_from([
    "", "~", "!!int x", "!!int ''", "!!float x", "!!bool x", "!!timestamp x", "!!binary '*'", "!!python/object:os.system x",
    "!!set {a}", "!!omap [a: b]", "!!null x", "!x y", "&a [*a]", "&a {b: *a}", "*nowhere", "2026-13-45", "2026-01-01",
    "1:1:1", "1:59" * 40, "1:" * 2000 + "1", "0x" + "f" * 2000, "0x" + "f" * 900, "9" * 5000, ".nan", ".inf", "1e999",
    "? [a] : b", "{? {a: b} : c}", "<<: {a: b}", "[" * 50, "[" * 500, "{a: " * 300, "'\\0'", '"\\0"', '"\\uD800"',
    '"\\e[2J"', "\x1b", "\x00", "\ufeff", "- - - -", "|", ">", "%YAML 9", "---", "...", "@", "`", "\t", "no", "on", "6:30",
])  # fmt: skip
_ANY_YAML = st.tuples(
    st.lists(
        st.tuples(st.sampled_from(_YAML_WORDS), _YAML_VALUES | st.text(max_size=6)), max_size=2
    ),
    st.just([]) | _damage(3),
).map(
    lambda parts: _mutated(_replaced(_YAML, parts[0]).encode("utf-8", "surrogatepass"), parts[1])
) | st.binary(max_size=60)


def _replaced(text: str, changes: Sequence[tuple[str, str]]) -> str:
    for word, value in changes:
        text = text.replace(word, value, 1)
    return text


@cache
def sound(container: str, subtype: str, channels: int = 1) -> bytes:
    """A tenth of a second in that form; nothing where this libsndfile cannot write it."""
    file = io.BytesIO()
    samples = 0.3 * np.sin(np.arange(1600)[:, None] / np.arange(5, 5 + channels))
    rate = 48_000 if subtype == "OPUS" else 8_000 if container == "WVE" else 16_000
    try:
        soundfile.write(file, samples.astype(np.float32), rate, format=container, subtype=subtype)
    except (soundfile.LibsndfileError, ValueError, TypeError):
        return b""
    return file.getvalue()


_SOUNDS = st.tuples(
    st.sampled_from([*FORMATS, *FORMATS[:14], *FORMATS[:14]]), st.sampled_from([1, 1, 2, 7])
).map(lambda form: sound(*form[0], form[1]) or sound(*form[0]))
_ANY_SOUND = st.tuples(_SOUNDS, _damage(6)).map(lambda parts: _mutated(*parts)) | st.tuples(
    st.sampled_from([b"RIFF", b"RIFX", b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"FORM", b".snd", b"caff", b"riff", b"RF64"]),
    st.binary(max_size=200),
).map(b"".join)  # fmt: skip


def folder_of_odd_things(folder: Path) -> Path:
    """Where the files lie that the cases name."""
    import os

    (folder / "sub").mkdir(parents=True)
    for name in ("a.wav", "sub/b.wav"):
        (folder / name).write_bytes(sound("WAV", "PCM_16"))
    (folder / "link").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe")
    return folder


def refused(path: Path, error: CorpusError) -> Outcome:
    """What a reader said of a file; an assertion where it is not as it must be."""
    lines = str(error).split("\n")
    assert 1 <= len(lines) <= 21, lines
    for line in lines:
        assert line.isprintable(), ascii(line[:300])
        assert len(line) <= 2_000, line[:300]
        assert line.startswith((f"{path}:", "... and ")), line[:300]
    return lines[0].removeprefix(str(path))


def _read(path: Path, reader: Callable[[Path], Any]) -> Outcome:
    try:
        corpus = reader(path)
        rows = list(corpus)
        assert len(rows) == len(corpus) > 0
        assert len({row.id for row in rows}) == len(rows)
        assert [row.index for row in rows] == list(range(len(rows)))
        assert isinstance(corpus.language, str)
        assert len(corpus.shard(1, 2)) == (len(rows) + 1) // 2
        for row in rows:  # as predictions and pages write it
            json.dumps(
                [row.id, getattr(row, "metadata", {})], allow_nan=False, ensure_ascii=False
            ).encode()
        corpus.check_audio()
        assert len(corpus.content_hash) == 64
    except CorpusError as error:
        return refused(path, error)
    return ACCEPTED


def _manifest(folder: Path, content: bytes) -> Outcome:
    path = folder / "m.jsonl"
    path.write_bytes(content)
    return _read(path, read_manifest)


def _sentences(folder: Path, content: bytes) -> Outcome:
    path = folder / "s.jsonl"
    path.write_bytes(content)
    return _read(path, read_sentences)


def _json_dialogues(folder: Path, content: bytes) -> Outcome:
    path = folder / "d.jsonl"
    path.write_bytes(content)
    return _read(path, read_dialogues)


def _yaml_dialogues(folder: Path, content: bytes) -> Outcome:
    path = folder / "d.yaml"
    path.write_bytes(content)
    return _read(path, read_dialogues)


def _audio(folder: Path, content: bytes) -> Outcome:
    path = folder / "sound"
    path.write_bytes(content)
    try:
        samples = load_audio(path)
    except AudioError as error:
        said = str(error)
        assert said.isprintable()
        assert len(said) < 300
        return said
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert len(samples) > 0
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1
    return ACCEPTED


@dataclass(frozen=True)
class Reader:
    """Cases for a reader, and what it makes of one in a folder."""

    cases: st.SearchStrategy[bytes]
    outcome: Callable[[Path, bytes], Outcome]


READERS: Mapping[str, Reader] = {
    "manifest": Reader(_file_of(_rows(_ROW)), _manifest),
    "sentences": Reader(
        _file_of(_rows({k: v for k, v in _ROW.items() if k != "audio_filepath"})), _sentences
    ),
    "dialogues in JSON lines": Reader(_file_of(_DIALOGUE_ROWS), _json_dialogues),
    "dialogues in YAML": Reader(_ANY_YAML, _yaml_dialogues),
    "audio": Reader(_ANY_SOUND, _audio),
}
