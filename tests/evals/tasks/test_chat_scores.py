"""Figures of conversations, by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from evals.records.replied import Replied
from evals.tasks.chat.scores import answer_length, chat_speed, propagation, spoken_answers, success
from evals.tasks.tts.clips import clips
from fixtures.builtin.synthesize import STAMP
from fixtures.dialogues.dialogues import Dialogues
from fixtures.dialogues.files import read_dialogues
from fixtures.dialogues.user_audio import spoken_turns

DIALOGUES = {
    "schema_version": 1,
    "dialogues": [
        {
            "id": "one",
            "turns": [
                {"role": "user", "text": "set a timer for ten minutes"},
                {"role": "assistant", "expect": [{"number": 10}, {"words": {"max": 5}}]},
                {"role": "user", "text": "what is the timer"},
                {"role": "assistant", "expect": [{"memory": {"value": "ten minutes", "turn": 1}}]},
            ],
        },
        {
            "id": "two",
            "turns": [
                {"role": "user", "text": "open the window"},
                {"role": "assistant", "expect": [{"contains": ["open"]}]},
            ],
        },
    ],
}
TURNS = [("one", 1), ("one", 2), ("two", 1)]
USER = {("one", 1): "set a timer for ten minutes", ("one", 2): "what is the timer", ("two", 1): "open the window"}  # fmt: skip


@pytest.fixture
def dialogues(tmp_path: Path) -> Dialogues:
    path = tmp_path / "d.yaml"
    path.write_text(yaml.safe_dump(DIALOGUES), encoding="utf-8")
    return read_dialogues(path)


def replies(*answers: str | None, typed: bool = False) -> list[Replied]:
    """One line per turn; None is an error."""
    return [
        Replied(
            id=f"{dialogue}-{turn}",
            dialogue=dialogue,
            turn=turn,
            user=USER[dialogue, turn],
            typed=typed,
            answer=answer or "",
            processing_seconds=None if answer is None else 1.0,
            error="it broke" if answer is None else None,
        )
        for (dialogue, turn), answer in zip(TURNS, answers, strict=True)
    ]


def test_success_by_hand(dialogues: Dialogues) -> None:
    # Ten, but in eight words; remembered; and nothing at all, which is never right.
    lines = replies("the timer is set to ten minutes now", "ten minutes", None)
    figures = success(lines, dialogues)
    assert figures["turn_success_rate"].value == pytest.approx(1 / 3)
    assert figures["turn_success_rate"].n == 3
    assert figures["dialogue_success_rate"].value == 0
    assert figures["dialogue_success_rate"].n == 2
    assert figures["instruction_following"].value == 0
    assert figures["instruction_following"].n == 1
    assert figures["memory_rate"].value == 1
    assert figures["success_rate"].value == pytest.approx(2 / 3)
    good = success(replies("ten", "ten minutes", "it is open"), dialogues)
    assert good["turn_success_rate"].value == good["dialogue_success_rate"].value == 1


def test_what_mishearing_costs(dialogues: Dialogues) -> None:
    spoken = replies("two", "ten minutes", "it is open")
    spoken[0] = replace(spoken[0], understood="set a timer for two minutes")  # 1 of 6
    spoken[2] = replace(spoken[2], understood="open the window")  # 0 of 3
    typed = replies("ten", "ten minutes", "it is open", typed=True)
    figures = propagation(spoken, typed, dialogues, "whisper-english")
    assert figures["typed_success_rate"].value == 1
    assert figures["hearing_loss"].value == pytest.approx(1 / 3)
    assert figures["user_wer"].value == pytest.approx(1 / 9)
    assert figures["user_wer"].n == 2
    none = propagation(spoken, replies("ten", None, "x"), dialogues, "whisper-english")
    assert none["typed_success_rate"].value is None
    assert "1 of 3 turns were not answered as text: it broke" in (none["hearing_loss"].reason or "")
    deaf = propagation(replies("a", "b", "c"), typed, dialogues, "whisper-english")
    assert "user_wer" not in deaf


def test_speech_that_says_something_else(tmp_path: Path) -> None:
    t = np.arange(16_000) / 16_000
    harmonics = [np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 20)]
    tone = (0.1 * np.sum(harmonics, axis=0)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", tone, 16_000, subtype="FLOAT")
    lines = replies("ten minutes", "call mom", "it is open")
    lines = [
        replace(x, audio="a.wav", audio_seconds=1.0, sample_rate=16_000) for x in lines[:2]
    ] + lines[2:]
    lines[0] = replace(lines[0], heard={"judge": "ten minutes"})  # 0 of 2
    lines[1] = replace(lines[1], heard={"judge": "call tom"})  # 1 of 2
    sounds = clips([line.as_spoken() for line in lines], tmp_path)
    figures = spoken_answers(lines, sounds, "judge", "whisper-english")
    # The third has a text and no sound: 3 of 3.
    assert figures["speech_text_wer"].value == pytest.approx(4 / 7)
    assert figures["usable_rate"].value == pytest.approx(2 / 3)
    mute = spoken_answers(replies("a", "b", "c"), [], "judge", "whisper-english")
    assert {figure.value for figure in mute.values()} == {None}


def test_waiting_by_hand() -> None:
    lines = replies("a", "b", None)
    lines[0] = replace(lines[0], first_token_seconds=0.2, first_audio_seconds=0.4, audio="a.wav")
    lines[1] = replace(lines[1], audio="b.wav", processing_seconds=3.0)
    figures = chat_speed(lines)
    assert figures["latency_p50"].value == pytest.approx(2.0)
    assert figures["first_token_p50"].value == pytest.approx(0.2)
    assert figures["first_audio_p50"].value == pytest.approx((0.4 + 3.0) / 2)
    assert chat_speed(replies(None, None, None))["latency_p95"].value is None
    assert answer_length(replies("a b c", "a", None))["answer_words"].value == 2
    assert answer_length(replies(None, None, None))["answer_words"].value is None


def test_turns_are_spoken_once_and_again_when_damaged(
    dialogues: Dialogues, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_LAB_CACHE", str(tmp_path / "cache"))
    said: list[str] = []

    class Speaking:
        def __enter__(self) -> object:
            def speak(text: str, voice: object) -> tuple[np.ndarray, int]:
                said.append(text)
                return np.full(1600, 0.1, np.float32), 16_000

            return speak

        def __exit__(self, *about: object) -> None:
            pass

    first = spoken_turns(dialogues, Speaking)  # type: ignore[arg-type]  # as much of it as is used
    assert said == list(USER.values())
    assert set(first) == {"one-1", "one-2", "two-1"}
    again = spoken_turns(dialogues, Speaking)  # type: ignore[arg-type]
    assert again == first
    assert len(said) == 3
    first["one-2"].write_bytes(b"damaged")
    spoken_turns(dialogues, Speaking)  # type: ignore[arg-type]
    assert len(said) == 6
    assert (first["one-1"].parent / STAMP).is_file()
