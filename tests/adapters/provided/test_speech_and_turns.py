"""The speech of a voice and the answers of an assistant, as files that exist hold them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapters.provided.kind import kind_of
from adapters.provided.rows import ProvidedError
from adapters.provided.speech import read_speech
from adapters.provided.turns import GivenAnswer, read_transcript


def _write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_folder_of_sound_is_called_after_its_sentences(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("b/two.flac", "one.wav"):
        (tmp_path / name).write_bytes(b"sound")
    (tmp_path / "notes.txt").write_text("no sound")
    found = read_speech(tmp_path)
    assert {sound.id: sound.path.name for sound in found.sounds} == {
        "one": "one.wav",
        "two": "two.flac",
    }
    assert kind_of(tmp_path) == "tts"
    before = found.sha256
    (tmp_path / "one.wav").write_bytes(b"other sound")
    assert read_speech(tmp_path).sha256 != before


def test_an_index_says_which_sound_is_of_which_sentence(tmp_path: Path) -> None:
    (tmp_path / "1.wav").write_bytes(b"sound")
    (tmp_path / "index.csv").write_text("id,path,processing_seconds\ns-1,1.wav,0.5\n")
    for named in (tmp_path, tmp_path / "index.csv"):
        (sound,) = read_speech(named).sounds
        assert (sound.id, sound.path, sound.processing_seconds) == ("s-1", tmp_path / "1.wav", 0.5)
        assert kind_of(named) == "tts"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ((), "no sound in it"),
        (("a.wav", "a.flac"), "sentences with two sounds"),
    ],
)
def test_a_folder_that_says_too_little_or_too_much(
    files: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    for name in files:
        (tmp_path / name).write_bytes(b"sound")
    with pytest.raises(ProvidedError, match=said):
        read_speech(tmp_path)


def test_an_index_of_sounds_that_are_not_there(tmp_path: Path) -> None:
    index = _write(tmp_path / "index.jsonl", {"id": "1", "path": "1.wav"})
    with pytest.raises(ProvidedError, match=r"index\.jsonl:1: no such sound"):
        read_speech(index)


TURNS: dict[str, list[object]] = {
    "a turn a row": [
        {"dialogue": "d", "turn": 1, "answer": "one"},
        {"dialogue": "d", "turn": 2, "answer": "two"},
    ],
    "a dialogue a row": [{"dialogue_id": "d", "replies": ["one", {"text": "two"}]}],
    "turns with roles": [
        {
            "id": "d",
            "turns": [
                {"role": "user", "content": "hello"},
                {"role": "assistant", "content": "one"},
                {"role": "user", "content": "again"},
                {"role": "assistant", "content": "two"},
            ],
        }
    ],
}


@pytest.mark.parametrize("form", TURNS)
def test_each_form_of_a_transcript_says_the_same(form: str, tmp_path: Path) -> None:
    path = _write(tmp_path / "file", *TURNS[form])
    found = read_transcript(path).answers
    assert [(x.dialogue, x.turn, x.text, x.typed) for x in found] == [
        ("d", 1, "one", False),
        ("d", 2, "two", False),
    ]
    assert kind_of(path) == "chat"


def test_sound_and_what_was_typed_are_kept_apart(tmp_path: Path) -> None:
    (tmp_path / "1.wav").write_bytes(b"sound")
    row = {"dialogue": "d", "turn": 1, "answer": "one"}
    path = _write(tmp_path / "file", {**row, "audio": "1.wav"}, {**row, "typed": True})
    assert read_transcript(path).answers == [
        GivenAnswer(1, "d", 1, "one", audio=tmp_path / "1.wav"),
        GivenAnswer(2, "d", 1, "one", typed=True),
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"dialogue": "d", "turn": 0, "answer": "a"}, "number of a user's turn, from 1, not 0"),
        ({"dialogue": "d", "turn": 1}, "no answer"),
        ({"dialogue": "d", "turn": 1, "answer": 7}, "'answer' must be text, not 7"),
        ({"dialogue": "d", "replies": "a"}, "'replies' must be a list"),
        ({"dialogue": "d", "turn": 1, "answer": "a", "audio": "x.wav"}, "no such sound"),
    ],
)
def test_rows_that_are_no_answers(row: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(ProvidedError, match=f":1: .*{said}"):
        read_transcript(_write(tmp_path / "file", row))


def test_hypotheses_of_a_corpus_of_conversations_are_hypotheses(tmp_path: Path) -> None:
    row = {"id": "u1", "conversation": "c1", "pred_text": "hello"}
    assert kind_of(_write(tmp_path / "file", row)) == "asr"
