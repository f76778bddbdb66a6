"""Sentences to speak: their file, what --corpus makes of it, and how mistakes are told."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evals.measures.text.normalizers import normalizer_of
from fixtures.builtin.synthesize import Speaker
from fixtures.builtin.voice_commands import plan
from fixtures.corpora.corpus import Corpus
from fixtures.corpora.jsonl import CorpusError
from fixtures.corpora.sentences import Sentences, builtin_sentences, read_sentences
from fixtures.source import default_source, known_names, named_source
from tests.toy_engine import toy_corpus


def nobody() -> Any:
    raise AssertionError("nothing is to be synthesized")


NOBODY: Speaker = nobody


def write(path: Path, *rows: object) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_built_in_sentences_have_every_kind_of_hard_case() -> None:
    found = builtin_sentences()
    kinds = Counter(row.category for row in found)
    assert kinds == {
        "commands": 40, "numbers": 4, "dates": 4, "currency": 4, "abbreviations": 4, "names": 4,
        "homographs": 4, "long": 2, "questions": 3, "punctuation": 4, "other-scripts": 4,
        "one-letter": 2, "empty": 1,
    }  # fmt: skip
    assert len({row.text for row in found}) == len(found)
    assert found.language == "en"
    assert normalizer_of(found) == "whisper-english"
    # What the micro Whisper is to judge is what it was made for, and was not trained on.
    spoken = {row.text for row in plan(200)}
    for row in found:
        marked = row.metadata.get("vocabulary") == "commands"
        assert marked == (row.category == "commands")
        if marked:
            plain = row.text.rstrip(".?")
            assert plain[0].lower() + plain[1:] in spoken or plain in spoken


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (['{"text": "a"}', "{"], ":2: not JSON"),
        ([{"id": "x"}], ":1: no 'text'"),
        ([{"text": 3}], ":1: 'text' must be text, not 3"),
        ([{"text": "a", "id": "x"}, {"text": "b", "id": "x"}], ":2: id 'x' is that of line 1"),
        ([{"text": "a", "audio_filepath": "no.wav"}], ":1: no such audio file"),
        (["[]"], ":1: a JSON object is expected"),
        ([""], ": no utterances in it"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, rows: list[Any], says: str) -> None:
    file = write(tmp_path / "s.jsonl", *rows)
    with pytest.raises(CorpusError) as caught:
        read_sentences(file)
    assert f"{file}{says}" in str(caught.value)


def test_a_file_without_audio_is_to_be_spoken_and_not_to_be_heard(tmp_path: Path) -> None:
    source = named_source(str(write(tmp_path / "mine.jsonl", {"text": "hello"})))
    assert source.name == "mine"
    (row,) = source.open_sentences(NOBODY)
    assert (row.id, row.text, row.recording) == ("line-1", "hello", None)
    with pytest.raises(CorpusError, match=r"mine\.jsonl: no row has 'audio_filepath'"):
        source.open(NOBODY)


def test_a_manifest_of_speech_is_both(tmp_path: Path) -> None:
    source = named_source(str(toy_corpus(tmp_path / "toy", ["turn on", "call mom"])))
    heard, spoken = source.open(NOBODY), source.open_sentences(NOBODY)
    assert isinstance(heard, Corpus)
    assert [row.text for row in spoken] == [row.text for row in heard]
    assert [row.recording.path for row in spoken if row.recording] == [row.path for row in heard]
    assert spoken.audio_seconds == heard.audio_seconds


def test_a_row_that_lost_its_audio_is_a_mistake_among_others_that_have_it(tmp_path: Path) -> None:
    manifest = toy_corpus(tmp_path / "toy", ["turn on", "call mom"])
    with manifest.open("a", encoding="utf-8") as file:
        file.write('{"text": "lost"}\n')
    with pytest.raises(CorpusError, match=":3: no 'audio_filepath'"):
        named_source(str(manifest))


def test_defaults_and_names() -> None:
    assert default_source("asr").name == "voice-commands"
    assert default_source("tts").name == "sentences"
    assert default_source("chat").name == "assistant"
    assert known_names() == ["voice-commands", "sentences", "assistant"]
    assert len(named_source("sentences").open_sentences(NOBODY)) == 80


def test_the_hash_is_that_of_what_is_said_and_how(tmp_path: Path) -> None:
    def hashed(**row: object) -> str:
        return read_sentences(write(tmp_path / "s.jsonl", {"id": "x", **row})).content_hash

    plain = hashed(text="a")
    assert plain == hashed(text="a")
    assert plain != hashed(text="b")
    assert plain != hashed(text="a", category="c")
    assert plain != hashed(text="a", vocabulary="commands")
    toy_corpus(tmp_path / "one", ["a"])
    toy_corpus(tmp_path / "two", ["b"])
    recorded = hashed(text="a", audio_filepath="one/0.wav")
    assert plain != recorded
    assert recorded != hashed(text="a", audio_filepath="two/0.wav")


def test_a_recording_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    file = write(tmp_path / "s.jsonl", {"text": "a", "audio_filepath": "bad.wav"})
    sentences: Sentences = read_sentences(file)
    with pytest.raises(CorpusError, match=r"s\.jsonl:1: .*bad\.wav"):
        sentences.check_audio()
