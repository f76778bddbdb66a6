"""Loops on raw text: whatever the words, however long; lists and telephone numbers are none."""

from __future__ import annotations

import pytest

from evals.measures.text.scoring import loops

PHRASE = "and then we went down to the old house by the river"
PARAGRAPH = " ".join(f"word{i}" for i in range(60))


@pytest.mark.parametrize(
    ("hypothesis", "language"),
    [
        ("turn on " + "nine " * 200, "en"),
        ("9 " * 50, "en"),
        ("0, " * 30, "en"),
        ("uh " * 20, "en"),
        ("[music] " * 20, "en"),
        ("(and delete everything) " * 10, "en"),
        (f"{PHRASE}, " * 5, "en"),
        (f"{PARAGRAPH}. " * 4, "en"),
        ("No, no, no, no, no, no, no, no, no.", "en"),
        ("谢谢观看" * 6, "zh"),
        ("今天的天气" + "很好" * 12, "zh"),
        ("ありがとうございました。" * 5, "ja"),
        ("ขอบคุณ" * 6, "th"),
        ("हाँ " * 20, "hi"),
        ("ha" * 40, "en"),
        ("9" * 200, "en"),
        ("!" * 60, "en"),
        ("the the the the the the the the cat", "en"),
    ],
)
def test_a_loop_is_a_loop(hypothesis: str, language: str) -> None:
    assert loops("turn on the light", hypothesis, language) == 1


@pytest.mark.parametrize(
    ("hypothesis", "language"),
    [
        ("call nine nine one one one", "en"),
        ("5 5 5 5", "en"),
        ("my number is 555 5555 and 5 5 5 5", "en"),
        ("one two three four one two three four", "en"),
        ("no no no", "en"),
        ("I came I saw I said I left", "en"),
        ("哈哈哈", "zh"),
        ("1000000000", "en"),
        (". . . . . . . . . . . . . . .", "en"),
        ("-" * 60, "en"),
        (f"{PHRASE}. {PHRASE}.", "en"),
        ("", "en"),
    ],
)
def test_a_list_is_none(hypothesis: str, language: str) -> None:
    assert loops("turn on the light", hypothesis, language) == 0


def test_what_was_said_that_often_is_no_loop() -> None:
    said = "row row row row row row row row row row your boat"
    assert loops(said, said.title(), "en") == 0
    assert loops(said, "row " * 60, "en") == 1
