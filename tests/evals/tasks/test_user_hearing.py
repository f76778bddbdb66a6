"""Whose loss a misheard turn is, by hand."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.judges.asr_judge import Judge
from evals.records.replied import Replied
from evals.tasks.chat.user_hearing import (
    heard_right_so_far,
    loss_by_cause,
    user_voice_wer,
    why_not_apart,
)

SAID = "turn on the light"


def turn(dialogue: str, number: int, heard: Mapping[str, str]) -> Replied:
    return Replied(
        f"{dialogue}-{number}", dialogue, number, SAID, False, "yes", user_heard=heard, lang="en"
    )


def test_a_turn_counts_as_heard_where_those_before_it_were_too() -> None:
    lines = [
        turn("a", 1, {"j": "Turn on the LIGHT!"}),
        turn("a", 2, {"j": "turn on the flight"}),
        turn("a", 3, {"j": SAID}),
        turn("b", 1, {"j": "turn off the light", "k": SAID}),
        turn("c", 1, {}),
    ]
    assert heard_right_so_far(lines, ["j"], "spoken") == [True, False, False, False, False]
    assert heard_right_so_far(lines, ["j", "k"], "spoken") == [True, False, False, True, False]


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from([-1.0, 0.0, 1.0]), st.booleans()),
        min_size=1,
        max_size=12,
    )
)
def test_the_parts_are_the_whole(rows: list[tuple[str, float, bool]]) -> None:
    lines = [
        turn(dialogue, n, {"j": SAID if right else ""})
        for n, (dialogue, _, right) in enumerate(rows, start=1)
    ]
    change = [change for _, change, _ in rows]
    parts = loss_by_cause(lines, change, {"j": None}, "spoken")
    total = sum(figure.value or 0.0 for figure in parts.values())
    assert total == pytest.approx(float(np.mean(change)))


def test_without_a_judge_apart_the_reason_is_told() -> None:
    parts = loss_by_cause([turn("a", 1, {"j": SAID})], [1.0], {"j": "it is its own"}, "spoken")
    assert {f.value for f in parts.values()} == {None}
    assert {f.reason for f in parts.values()} == {"it is its own: add another with --judge"}


def test_turns_that_a_judge_failed_on_leave_no_figure() -> None:
    lines = [turn("a", 1, {"j": "turn on light"}), turn("b", 1, {})]
    assert user_voice_wer(lines, "j", "spoken").value is None
    assert user_voice_wer(lines[:1], "j", "spoken").value == pytest.approx(1 / 4)


def judge(sha256: str, *, vocabulary: str | None = None) -> Judge:
    entry = SimpleNamespace(engine=SimpleNamespace(name="e"), checkpoint="c")
    model: Any = SimpleNamespace(checkpoint_sha256=sha256, entry=entry)
    return Judge("j", model, vocabulary)


@pytest.mark.parametrize(
    ("listener", "says"),
    [
        (judge("1"), "the assistant's own recognizer"),
        (judge("2"), None),
        (judge("2", vocabulary="commands"), "knows nothing but the commands"),
        (Judge("j", None, missing="not installed"), "cannot be had: not installed"),
    ],
)
def test_a_judge_that_is_part_of_the_assistant_tells_nothing_apart(
    listener: Judge, says: str | None
) -> None:
    part = {"engine": "other", "checkpoint": "elsewhere", "checkpoint_sha256": "1"}
    assistant: Any = SimpleNamespace(parts={"asr": part})
    found = why_not_apart(listener, assistant)
    assert found is None if says is None else says in (found or "")
