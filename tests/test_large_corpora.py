"""Corpora of any size: read as they are asked for, divided, looked at once, and kept in bounds."""

from __future__ import annotations

import hashlib
import json
import os
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures import plugin
from fixtures.audio import read as audio
from fixtures.corpora import audio_check
from fixtures.corpora.corpus import Corpus, CorpusError, Utterance, read_manifest
from fixtures.corpora.sentences import Sentences, read_sentences
from fixtures.dialogues import dialogues
from fixtures.dialogues.files import read_dialogues
from fixtures.source import named_source

TEXTS = ["open the door", "close it", "lights", "", "five", "stop"]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def tone(path: Path, seconds: float = 0.2, hertz: float = 300.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.1 * np.sin(2 * np.pi * hertz * np.arange(round(16_000 * seconds)) / 16_000)
    soundfile.write(path, samples.astype(np.float32), 16_000)
    return path


def corpus_of(folder: Path, count: int = len(TEXTS)) -> Path:
    rows = []
    for i in range(count):
        tone(folder / f"{i}.wav", 0.1 + 0.05 * i, 200 + 50 * i)
        rows.append({
            "id": f"u{i}", "audio_filepath": f"{i}.wav", "text": TEXTS[i], "speaker": f"s{i % 2}",
            "lang": "de" if i == 0 else "en", "more": {"i": i},
        })  # fmt: skip
    return write(folder / "manifest.jsonl", rows)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus_of(tmp_path_factory.mktemp("corpus"))


def test_a_row_is_kept_as_a_place_and_nothing_else(tmp_path: Path) -> None:
    tone(tmp_path / "a.wav")
    count = 2_000
    row = {"audio_filepath": "a.wav", "text": "a text of some length that is not to be kept"}
    path = write(tmp_path / "m.jsonl", [row] * count)
    read_manifest(path)  # what is loaded the first time is not its
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        corpus = read_manifest(path)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(corpus) == count
    assert after - before < 20 * count + 20_000
    assert peak - before < 100 * count + 200_000


def test_rows_are_a_sequence_like_any_other(manifest: Path) -> None:
    corpus = read_manifest(manifest)
    rows, plain = corpus.utterances, list(corpus)
    assert [u.text for u in plain] == TEXTS
    assert [u.index for u in plain] == list(range(6))
    assert [u.line for u in plain] == list(range(1, 7))
    assert plain[2] == Utterance(
        "u2", manifest.parent / "2.wav", "lights", lang="en", speaker="s0", line=3,
        metadata={"more": {"i": 2}}, index=2,
    )  # fmt: skip
    assert [rows[i] for i in range(-6, 6)] == plain + plain
    assert list(reversed(rows)) == plain[::-1]
    assert list(rows[::-1]) == plain[::-1]
    assert list(rows[1:5:2][1:]) == plain[3:4]
    assert rows[1:5][-1] == plain[4]
    assert plain[3] in rows
    assert rows.index(plain[3]) == 3
    assert list(rows[6:]) == []
    for wrong in (6, -7):
        with pytest.raises(IndexError):
            rows[wrong]


@settings(max_examples=40, deadline=None)
@given(data=st.data(), number=st.integers(1, 9), of=st.integers(1, 9))
def test_shards_are_the_whole(manifest: Path, data: st.DataObject, number: int, of: int) -> None:
    corpus = read_manifest(manifest)
    if number > of:
        with pytest.raises(ValueError, match="no shard"):
            corpus.shard(number, of)
        return
    shards = [corpus.shard(n, of) for n in range(1, of + 1)]
    together = sorted((u for shard in shards for u in shard), key=lambda u: u.index)
    assert together == list(corpus)
    assert max(map(len, shards)) - min(map(len, shards)) <= 1
    shard = shards[number - 1]
    assert [u.index for u in shard] == list(range(number - 1, 6, of))
    assert {s.content_hash for s in shards} == {corpus.content_hash}
    assert {(s.name, s.language) for s in shards} == {(corpus.name, "mixed")}
    # Of a shard, again: one more division of the same places.
    inner = data.draw(st.integers(1, 3))
    again = shard.shard(inner, 3)
    assert [u.index for u in again] == [u.index for u in shard][inner - 1 :: 3]
    assert again.content_hash == corpus.content_hash
    assert sum(s.audio_seconds for s in shards) == pytest.approx(corpus.audio_seconds)
    assert again.audio_seconds == pytest.approx(sum(len(u.load()) for u in again) / 16_000)


def test_a_corpus_of_given_utterances_is_divided_alike(manifest: Path) -> None:
    read = read_manifest(manifest)
    given_ = Corpus("g", manifest, tuple(read))
    assert given_.content_hash == read.content_hash
    assert list(given_.shard(2, 4)) == list(read.shard(2, 4))
    assert given_.shard(2, 4).content_hash == read.content_hash


def test_sentences_and_dialogues_are_divided_too(manifest: Path, tmp_path: Path) -> None:
    sentences: Sentences = read_sentences(manifest)
    shard = sentences.shard(2, 4)
    assert [(s.id, s.index, s.recording and s.recording.index) for s in shard] == [
        ("u1", 1, 1),
        ("u5", 5, 5),
    ]
    assert shard.content_hash == sentences.content_hash
    assert shard.language == sentences.language == "mixed"
    assert shard.audio_seconds == pytest.approx(0.15 + 0.35)

    def turns(n: int) -> list[dict[str, Any]]:
        pair: list[dict[str, Any]] = [
            {"role": "user", "text": "hello"},
            {"role": "assistant", "expect": [{"contains": "a"}]},
        ]
        return pair * n

    talk = write(tmp_path / "talk.jsonl", [
        {"id": "a", "turns": turns(2)}, {"id": "b", "turns": turns(3), "lang": "de"}, {"id": "c", "turns": turns(1)},
    ])  # fmt: skip
    whole = read_dialogues(talk)
    assert [(d.index, d.first_turn) for d in whole] == [(0, 0), (1, 2), (2, 5)]
    odd, even = whole.shard(1, 2), whole.shard(2, 2)
    assert [d.id for d in odd] == ["a", "c"]
    assert [(d.id, d.index, d.first_turn) for d in even] == [("b", 1, 2)]
    assert odd.content_hash == even.content_hash == whole.content_hash
    assert (odd.language, even.turns) == ("mixed", 3)


@pytest.mark.parametrize("how", ["longer", "same size", "another file", "gone"])
def test_a_manifest_that_changes_under_a_run_is_noticed(tmp_path: Path, how: str) -> None:
    path = corpus_of(tmp_path)
    corpus = read_manifest(path)
    text = path.read_text()
    iterator = iter(corpus)
    next(iterator)
    if how == "longer":
        path.write_text(text + "\n")
    elif how == "same size":
        path.write_text(text.replace("close it", "close me"))
        os.utime(path, ns=(1, 1))
    elif how == "another file":
        other = tmp_path / "other"
        other.write_text(text.replace("close it", "close me"))
        other.replace(path)
    else:
        path.unlink()
    says = "no such file" if how == "gone" else r"manifest\.jsonl:\d: the file has changed"
    with pytest.raises(CorpusError, match=says):
        list(corpus)
    with pytest.raises(CorpusError, match=says):
        corpus.utterances[3]
    # What was read before goes on with what it was.
    assert next(iterator).text == "close it"


def test_what_is_read_of_a_manifest_is_what_was_checked(tmp_path: Path) -> None:
    """It changes while it is gone through: some lines were read by then, and no other is given."""
    tone(tmp_path / "a.wav")
    rows = [{"audio_filepath": "a.wav", "text": f"close it {n:04}"} for n in range(2000)]
    path = write(tmp_path / "m.jsonl", rows)
    iterator = iter(read_manifest(path))
    given = [next(iterator).text for _ in range(500)]
    path.write_text(path.read_text().replace("close it", "close me"))
    os.utime(path, ns=(1, 1))
    with pytest.raises(CorpusError, match=r"m\.jsonl:\d+: the file has changed"):
        given.extend(utterance.text for utterance in iterator)
    assert 500 <= len(given) < 1000
    assert given == [row["text"] for row in rows[: len(given)]]


def test_mistakes_stand_in_the_order_of_lines(tmp_path: Path) -> None:
    tone(tmp_path / "a.wav")
    row = {"audio_filepath": "a.wav", "text": "a"}
    path = write(tmp_path / "m.jsonl", [
        {**row, "id": "x"}, {**row, "id": "line-4"}, {**row, "id": "x"}, row, {"id": "y"}, {**row, "id": "x"},
    ])  # fmt: skip
    with pytest.raises(CorpusError) as caught:
        read_manifest(path)
    assert str(caught.value).splitlines() == [
        f"{path}:3: id 'x' is that of line 1 too",
        f"{path}:4: id 'line-4' is that of line 2 too",
        f"{path}:5: no 'audio_filepath'",
        f"{path}:6: id 'x' is that of line 1 too",
    ]
    path = write(tmp_path / "m.jsonl", [{**row, "id": "x"}] * 40)
    with pytest.raises(CorpusError) as caught:
        read_manifest(path)
    told = str(caught.value).splitlines()
    assert told[0].startswith(f"{path}:2: ")
    assert (len(told), told[-1]) == (21, "... and 19 more")


def _hash_by_hand(rows: Iterator[Any], of_row: Callable[[Any], list[Any]]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(of_row(row), sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def openings(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each sound file is opened, however it is."""
    counted: Counter[str] = Counter()
    plain = audio.opened

    @contextmanager
    def counting(path: Path) -> Iterator[FileIO]:
        counted[path.name] += 1
        with plain(path) as file:
            yield file

    for module in (audio, audio_check, dialogues):
        monkeypatch.setattr(module, "opened", counting)
    return counted


def test_every_file_is_opened_once_for_all_there_is_to_know(
    manifest: Path, openings: Counter[str]
) -> None:
    corpus = read_manifest(manifest)
    corpus.check_audio()
    found = corpus.content_hash, corpus.audio_seconds
    assert openings == {f"{i}.wav": 1 for i in range(6)}
    by_hand = _hash_by_hand(iter(corpus), lambda u: [
        u.id, u.text, u.offset, u.duration, u.lang, u.speaker, u.category, _sha256(u.path), dict(u.metadata),
    ])  # fmt: skip
    assert found == (by_hand, sum(len(u.load()) for u in corpus) / 16_000)
    assert read_manifest(manifest).content_hash == by_hand  # without decoding
    sentences = read_sentences(manifest)
    assert sentences.content_hash == _hash_by_hand(iter(sentences), lambda s: [
        s.id, s.text, s.lang, s.category, [_sha256(s.recording.path), None, None], dict(s.metadata),
    ])  # fmt: skip
    assert sentences.audio_seconds == found[1]


def test_a_file_of_many_rows_is_hashed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tone(tmp_path / "a.wav", 1.0)
    rows = [
        {"audio_filepath": "a.wav", "text": "a", "offset": i / 10, "duration": 0.1}
        for i in range(10)
    ]
    hashed: list[FileIO] = []
    plain = audio.sha256_of
    monkeypatch.setattr(audio_check, "sha256_of", lambda file: hashed.append(file) or plain(file))  # type: ignore[func-returns-value]
    corpus = read_manifest(write(tmp_path / "m.jsonl", rows))
    assert corpus.audio_seconds == pytest.approx(1.0)
    assert len(hashed) == 1


def test_a_shard_decodes_its_own_files_and_no_others(tmp_path: Path) -> None:
    path = corpus_of(tmp_path)
    (tmp_path / "1.wav").write_bytes(b"no sound")
    corpus = read_manifest(path)
    corpus.shard(1, 2).check_audio()
    with pytest.raises(CorpusError, match=r"manifest\.jsonl:2: .*1\.wav"):
        corpus.shard(2, 2).check_audio()
    assert corpus.shard(2, 2).content_hash == corpus.content_hash
    one, other = read_manifest(path), read_manifest(path)
    (tmp_path / "1.wav").unlink()
    with pytest.raises(CorpusError, match=r"manifest\.jsonl:2: .*1\.wav cannot be read"):
        _ = one.content_hash
    with pytest.raises(CorpusError, match=r"manifest\.jsonl:2: .*1\.wav cannot be read"):
        other.shard(1, 2).check_audio()


OUTSIDE: dict[str, Callable[[Path], str]] = {
    "dots": lambda there: f"../{there.parent.name}/{there.name}",
    "dots inside": lambda there: f"sub/../../{there.parent.name}/{there.name}",
    "absolute": str,
    "link": lambda there: "link.wav",
    "link to a folder": lambda there: f"linked/{there.name}",
    "link to a link": lambda there: "twice.wav",
}


def _three_readers(path: Path, name: str) -> list[Callable[[Path | None], object]]:
    rows = [{"audio_filepath": name, "text": "a"}]
    manifest, sentences = write(path / "m.jsonl", rows), write(path / "s.jsonl", rows)
    turns = [
        {"role": "user", "text": "a", "audio_filepath": name},
        {"role": "assistant", "expect": [{"contains": "a"}]},
    ]
    talk = write(path / "talk.jsonl", [{"id": "a", "turns": turns}])
    return [
        lambda root: read_manifest(manifest, None, [root] if root else []).utterances[0].load(),
        lambda root: read_sentences(sentences, None, [root] if root else []).rows[0].recording,
        lambda root: read_dialogues(talk, allowed=[root] if root else []).check_audio(),
        lambda root: named_source(str(manifest), [root] if root else []).open(lambda: None),  # type: ignore[arg-type,return-value]
    ]


@pytest.mark.parametrize("how", OUTSIDE)
def test_a_manifest_cannot_name_what_lies_outside_its_folder(tmp_path: Path, how: str) -> None:
    there, here = tone(tmp_path / "elsewhere" / "a.wav"), tmp_path / "here"
    (here / "sub").mkdir(parents=True)
    (here / "link.wav").symlink_to(there)
    (here / "twice.wav").symlink_to("link.wav")
    (here / "linked").symlink_to(there.parent)
    for read in _three_readers(here, OUTSIDE[how](there)):
        with pytest.raises(CorpusError) as caught:
            read(None)
        (line,) = str(caught.value).splitlines()
        assert ":1: " in line
        assert (
            f"outside the folder of the manifest (allow it with --audio-root {there.parent})"
            in line
        )
        with pytest.raises(CorpusError, match="--audio-root"):
            read(tmp_path / "else")  # not a folder above it, though its name begins alike
        read(there.parent)
        read(tmp_path)
        read(Path("/"))


@pytest.mark.parametrize(
    "name", ["sub/a.wav", "sub/../sub/a.wav", "./sub//a.wav", "link.wav", "in/a.wav", "absolute"]
)
def test_what_lies_inside_may_be_named_in_any_way(tmp_path: Path, name: str) -> None:
    there = tone(tmp_path / "sub" / "a.wav")
    (tmp_path / "link.wav").symlink_to(there)
    (tmp_path / "in").symlink_to("sub")
    link = tmp_path.with_name(tmp_path.name + "-link")
    link.symlink_to(tmp_path)
    for folder in (tmp_path, link):  # the manifest may be reached through a link
        for read in _three_readers(folder, str(there) if name == "absolute" else name):
            read(None)


def test_messages_move_no_cursor(tmp_path: Path) -> None:
    folder = tmp_path / "a\x1b[2J\nb\u202ec"
    path = write(
        folder / "m.jsonl",
        [{"audio_filepath": "\x1b]0;x\x07.wav", "text": "a"}, {"id": "\x9b", "text": 3}],
    )
    with pytest.raises(CorpusError) as caught:
        read_manifest(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
    assert r"a\x1b[2J\nb\u202ec/m.jsonl:1: no such audio file: " in lines[0]
    with pytest.raises(CorpusError) as caught:
        named_source("no\x1b[31m such")
    assert str(caught.value).isprintable()


class _Config:
    """As much of pytest's as the option's plugin asks."""

    def __init__(self, **options: list[str]) -> None:
        self.options = options
        self.stash: dict[object, Any] = {}

    def getoption(self, name: str) -> list[str] | None:
        return self.options.get(name)


def test_the_option_allows_folders_and_refuses_what_is_none(tmp_path: Path) -> None:
    there = tone(tmp_path / "elsewhere" / "a.wav")
    manifest = write(
        tmp_path / "here" / "m.jsonl", [{"audio_filepath": str(there), "text": "a"}] * 2
    )
    with pytest.raises(pytest.UsageError) as caught:
        plugin.pytest_configure(_Config(corpus=[str(manifest)]))  # type: ignore[arg-type]
    first, *rows = str(caught.value).splitlines()
    assert first == f"--corpus {manifest}:"
    assert [row.startswith(f"{manifest}:{n}: ") for n, row in enumerate(rows, start=1)] == [
        True
    ] * 2
    assert all(f"--audio-root {there.parent}" in row for row in rows)
    config = _Config(corpus=[str(manifest)], audio_root=[str(tmp_path), str(there.parent)])
    plugin.pytest_configure(config)  # type: ignore[arg-type]
    (source,) = config.stash[plugin.CORPORA]
    assert len(source.open_sentences(lambda: None)) == 2  # reads the manifest once more
    with pytest.raises(pytest.UsageError, match=r"--audio-root .*no\\x1b: no such folder"):
        plugin.pytest_configure(_Config(audio_root=[str(tmp_path / "no\x1b")]))  # type: ignore[arg-type]
