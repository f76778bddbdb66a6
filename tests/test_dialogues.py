"""Reading conversations, and every mistake in them told with its place."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from fixtures.audio.read import AudioError
from fixtures.builtin.voice_commands import speakers
from fixtures.dialogues import expectations
from fixtures.dialogues.dialogues import DialogueError, Dialogues
from fixtures.dialogues.files import builtin_dialogues, read_dialogues

YAML = """\
schema_version: 1
lang: en
system: Be brief.
voice: en-us+f3
dialogues:
  - id: one
    category: timers
    turns:
      - {role: user, text: set a timer for ten minutes}
      - role: assistant
        expect:
          - contains: [ten minutes, timer]
          - number: {value: 10, tolerance: 0.5, unit: minutes, pick: last}
      - role: user
        text: what is it
      - {role: assistant, expect: [{memory: {value: ten minutes, turn: 1}}, {words: {max: 9}}]}
  - id: two
    voice: {voice: en, rate: 150}
    turns:
      - {role: user, text: open the door}
      - {role: assistant, expect: [{refusal: true}]}
"""


def _read(tmp_path: Path, text: str, name: str = "talk.yaml") -> Dialogues:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return read_dialogues(tmp_path / name)


def test_yaml(tmp_path: Path) -> None:
    found = _read(tmp_path, YAML)
    one, two = found
    assert (found.name, len(found), found.turns, found.language) == ("talk", 2, 3, "en")
    assert (one.system, one.voice, two.voice) == (
        "Be brief.",
        {"voice": "en-us+f3"},
        {"voice": "en", "rate": 150},
    )
    assert one.exchanges[0].assistant.expect == (
        expectations.Contains(("ten minutes", "timer")),
        expectations.Number(10.0, 0.5, "minutes", "last"),
    )
    assert one.exchanges[1].assistant.expect == (
        expectations.Memory(("ten minutes",), 1),
        expectations.WordCount(None, 9),
    )
    assert (one.line, one.exchanges[1].user.line, one.turn_id(2)) == (6, 14, "one-2")


def _row(**changes: Any) -> dict[str, Any]:
    turns = [
        {"role": "user", "text": "set a timer for ten minutes"},
        {"role": "assistant", "expect": [{"contains": "ten"}]},
        {"role": "user", "text": "what is it"},
        {"role": "assistant", "expect": [{"memory": {"value": "ten minutes", "turn": 1}}]},
    ]
    return {"id": "one", "turns": turns, **changes}


def test_both_forms_are_the_same_corpus(tmp_path: Path) -> None:
    shared = {"lang": "en", "system": "Be brief."}
    lines = "\n".join(json.dumps({**_row(id=n), **shared}) for n in (1, 2))
    written = json.dumps({"schema_version": 1, **shared, "dialogues": [_row(id="1"), _row(id="2")]})
    a, b = _read(tmp_path, lines, "a.jsonl"), _read(tmp_path, written, "b.yaml")
    assert a.content_hash == b.content_hash
    assert [d.line for d in a] == [1, 2]


def test_recordings(tmp_path: Path) -> None:
    tone = 0.1 * np.sin(np.arange(8000) / 20)
    soundfile.write(tmp_path / "a.wav", tone, 16_000)
    row = _row()
    row["turns"][0]["audio_filepath"] = "a.wav"
    found = _read(tmp_path, json.dumps(row), "talk.jsonl")
    found.check_audio()
    first, second = (x.user for x in found.dialogues[0].exchanges)
    assert len(first.load()) == 8000
    with pytest.raises(AudioError, match="must be synthesized"):
        second.load()
    before = found.content_hash
    soundfile.write(tmp_path / "a.wav", tone / 2, 16_000)
    assert read_dialogues(tmp_path / "talk.jsonl").content_hash != before
    (tmp_path / "a.wav").write_bytes(b"no sound")
    with pytest.raises(DialogueError, match=r"talk.jsonl:1: .*a\.wav"):
        read_dialogues(tmp_path / "talk.jsonl").check_audio()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("id: two", "id: one", "17: id: 'one' is that of line 6 too"),
        ("id: two", "name: two", "17: dialogues.1.name: unknown key"),
        ("schema_version: 1", "schema_version: 2", "1: schema_version: 1 is expected"),
        ("lang: en", "language: en", "2: language: unknown key"),
        ("rate: 150", "rate: 1.5", "18: dialogues.1.voice.rate: text or a whole number is expected"),
        ("lang: en", "lang: [", "not valid YAML"),
        ("    category: timers", "    id: three", "7: dialogues.0.id: the key is there twice"),
        ("text: what is it", "text:", "15: dialogues.0.turns.2.text: text is expected"),
        ("text: what is it", "words: what is it", "15: dialogues.0.turns.2.words: unknown key"),
        ("role: user\n        text: what", "role: system\n        text: what", "14: dialogues.0.turns.2: a turn with role: user"),
        ("{role: user, text: open the door}", "{role: user, text: a, audio_filepath: b.wav}", "20: dialogues.1.turns.0.audio_filepath: no such audio file"),
        ("expect: [{refusal: true}]", "expect: []", "21: dialogues.1.turns.1.expect: a list of one or more"),
        ("refusal: true", "refusal: maybe", "expect.0.refusal: true or false"),
        ("refusal: true", "refuse: true", "expect.0.refuse: unknown; did you mean 'refusal'?"),
        ("{refusal: true}", "refusal", "expect.0: one kind with its value"),
        ("refusal: true", "contains: on", "contains: text is expected, not True: put it in quotes"),
        ("refusal: true", "contains: 6:30", "contains: text is expected, not 390: put it in quotes"),
        ("refusal: true", "contains: []", "contains: at least one text"),
        ("refusal: true", "not_contains: [a, '?']", "not_contains.1: text with letters"),
        ("refusal: true", "regex: '(a'", "regex: a '(' without its ')'"),
        ("refusal: true", "regex: 'a*'", "regex: the pattern fits any answer"),
        ("refusal: true", "number: ten", "number: a number is expected"),
        ("refusal: true", "number: {tolerance: 1}", "number.value: missing"),
        ("refusal: true", "number: {value: 1, tolerance: -1}", "number.tolerance: it must not be negative"),
        ("refusal: true", "number: {value: 1, pick: best}", "number.pick: one of only, first, last, any"),
        ("refusal: true", "choice: {answer: E, options: [A, B]}", "choice.answer: 'E' is none of the options"),
        ("refusal: true", "choice: {answer: A, options: [A, a]}", "choice.options: two or more different"),
        ("refusal: true", "words: {}", "words: min, max or both"),
        ("refusal: true", "words: {min: 5, max: 4}", "words.max: it is below min"),
        ("refusal: true", "sentences: {max: 0}", "sentences.max: a whole number from 1"),
        ("refusal: true", "language: no", "language: one of ar, de"),
        ("refusal: true", "memory: {value: door, turn: 1}", "memory.turn: an earlier user turn is expected"),
        ("turn: 1}", "turn: 2}", "memory.turn: an earlier user turn is expected, 1 to 1"),
        ("value: ten minutes, turn", "value: two hours, turn", "memory.value: user turn 1 does not say it"),
        ("text: what is it", "text: is it Ten minutes?", "memory.value: said again since"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in YAML
    with pytest.raises(DialogueError) as caught:
        _read(tmp_path, YAML.replace(old, new, 1))
    (line,) = str(caught.value).splitlines()
    assert line.startswith(str(tmp_path / "talk.yaml"))
    assert says in line


def test_every_mistake_is_told(tmp_path: Path) -> None:
    wrong = [_row(id=""), _row(id="b", turns=[]), _row(id="c", turns=_row()["turns"][:3])]
    with pytest.raises(DialogueError) as caught:
        _read(tmp_path, "\n".join(map(json.dumps, wrong)), "talk.jsonl")
    assert [line.split(":")[1] for line in str(caught.value).splitlines()] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no dialogues"),
        ("{\n{", "talk.jsonl:1: not JSON"),
        ("3", "a dialogue with id and turns"),
    ],
)
def test_no_dialogues(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(DialogueError, match=says):
        _read(tmp_path, text, "talk.jsonl")
    with pytest.raises(DialogueError, match="no such file"):
        read_dialogues(tmp_path / "nowhere.yaml")


def test_built_in() -> None:
    found = builtin_dialogues("assistant")
    turns = [len(d.exchanges) for d in found]
    assert len(found) >= 24
    assert 60 <= found.turns <= 80
    assert set(turns) <= {2, 3, 4, 5}
    kinds = Counter(x.kind for d in found for e in d.exchanges for x in e.assistant.expect)
    assert {"memory", "number", "choice", "refusal", "words", "not_contains"} <= set(kinds)
    known = {(voice, rate, pitch) for voice, rate, pitch in speakers()}
    assert all((d.voice["voice"], d.voice["rate"], d.voice["pitch"]) in known for d in found)
    assert len({d.speaker for d in found}) == len(found)
