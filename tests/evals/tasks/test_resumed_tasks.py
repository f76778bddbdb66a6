"""Voices and conversations that are resumed: nothing asked twice, and told what was said."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from adapters.interface import Audio, Reply, Speech, Turn
from adapters.worker.results import Timed
from evals.records.jsonl_reader import read_lines
from evals.records.jsonl_writer import LineFile
from evals.records.replied import Replied
from evals.records.spoken import Spoken
from evals.tasks.chat.converse import converse
from evals.tasks.tts.synthesize import synthesize_corpus
from fixtures.corpora.sentences import read_sentences
from fixtures.dialogues.files import read_dialogues

DIALOGUES = """schema_version: 1
dialogues:
  - id: lights
    turns:
      - {role: user, text: turn on the light}
      - {role: assistant, expect: [{contains: done}]}
      - {role: user, text: and the other one}
      - {role: assistant, expect: [{contains: done}]}
      - {role: user, text: switch them off}
      - {role: assistant, expect: [{contains: done}]}
  - id: timer
    turns:
      - {role: user, text: set a timer}
      - {role: assistant, expect: [{contains: done}]}
"""


class Dies(BaseException):
    """What a session may die of; no error that anybody handles."""


class Model:
    """Says how much it was told, in words and in sound; dies after so many answers."""

    alive = True

    def __init__(self, answers: int = 1000) -> None:
        self.left = answers
        self.asked: list[list[tuple[Any, ...]]] = []

    def _once(self) -> None:
        if not self.left:
            raise Dies
        self.left -= 1

    def reply(self, turns: Sequence[Turn]) -> Timed[Reply]:
        self._once()
        told = [
            (t.role, t.text, None if t.audio is None else t.audio.samples.tobytes()) for t in turns
        ]
        self.asked.append(told)
        number = sum(map(len, str(told)))
        samples = np.random.default_rng(number).normal(0, 0.1, 800).astype(np.float32)
        return Timed(Reply(f"done {number}", Audio(samples, 22_050)), 0.1)

    def synthesize(self, text: str, voice: Any = None) -> Timed[Speech]:
        self._once()
        self.asked.append([("text", text, None)])
        return Timed(Speech(Audio(np.full(160, 0.1, np.float32), 16_000)), 0.1)


def held(run: Path, sounds: Mapping[str, Path], dialogues: Any, model: Model) -> list[Replied]:
    path = run / "m" / "chat" / "c.jsonl"
    with LineFile[Replied](path) as file:
        for typed in (False, True):
            converse(model, dialogues, sounds, (), file, run, typed=typed)  # type: ignore[arg-type]  # a toy
    return read_lines(path, Replied)


@pytest.mark.parametrize("answers", range(8))
def test_a_conversation_is_told_what_was_said(answers: int, tmp_path: Path) -> None:
    file = tmp_path / "d.yaml"
    file.write_text(DIALOGUES, encoding="utf-8")
    dialogues = read_dialogues(file)
    sounds: dict[str, Path] = {}
    for dialogue in dialogues:
        for number in range(1, len(dialogue.exchanges) + 1):
            name = dialogue.turn_id(number)
            sounds[name] = tmp_path / f"{len(sounds)}.wav"
            soundfile.write(sounds[name], np.full(1600, 0.05 * len(sounds)), 16_000)
    expected = held(tmp_path / "whole", sounds, dialogues, Model())
    first, second = Model(answers), Model()
    with pytest.raises(Dies):
        held(tmp_path / "pieces", sounds, dialogues, first)
    found = held(tmp_path / "pieces", sounds, dialogues, second)
    assert found == expected
    assert len(found) == 8
    # Of a typed dialogue that was cut off, what nobody kept the sound of is asked again.
    again = {5: 1, 6: 2}.get(answers, 0)
    assert len(first.asked) + len(second.asked) == 8 + again


@pytest.mark.parametrize("answers", range(4))
def test_a_list_of_sentences_is_spoken_once(answers: int, tmp_path: Path) -> None:
    manifest = tmp_path / "s.jsonl"
    manifest.write_text("".join(json.dumps({"text": f"sentence {n}"}) + "\n" for n in range(4)))
    sentences = read_sentences(manifest)

    def spoken(model: Model) -> list[Spoken]:
        path = tmp_path / "run" / "m" / "tts" / "s.jsonl"
        with LineFile[Spoken](path) as file:
            synthesize_corpus(model, sentences, (), file, tmp_path / "run")  # type: ignore[arg-type]  # a toy
        return read_lines(path, Spoken)

    first, second = Model(answers), Model()
    with pytest.raises(Dies):
        spoken(first)
    found = spoken(second)
    assert [line.text for line in found] == [f"sentence {n}" for n in range(4)]
    assert [line.index for line in found] == list(range(4))
    assert len(first.asked) + len(second.asked) == 4
    assert all((tmp_path / "run" / (line.audio or "")).is_file() for line in found)
