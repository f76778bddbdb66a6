"""The rule-based assistant: whole dialogues, and every sentence of the commands' grammar."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.engines.cascade.rule_assistant import respond
from evals.tasks.chat.expectations import check_all, succeeded
from fixtures.builtin.voice_commands import PATTERNS, sentence, sentences, words
from fixtures.dialogues.dialogues import Dialogue
from fixtures.dialogues.files import builtin_dialogues

pytestmark = pytest.mark.slow

NOT_UNDERSTOOD = "Sorry, I did not understand."


def _answers(*said: str) -> list[str]:
    return [respond(said[: n + 1]) for n in range(len(said))]


@pytest.mark.parametrize("category", PATTERNS)
def test_understands_every_command(category: str) -> None:
    found = list(sentences(category))
    for text in random.Random(1).sample(found, min(len(found), 300)):
        assert NOT_UNDERSTOOD not in respond([text]), text


def test_understands_two_commands_and_digits() -> None:
    rng = random.Random(2)
    for category in ("combined", "digits"):
        for _ in range(200):
            text = sentence(category, rng)
            assert NOT_UNDERSTOOD not in respond([text]), text


@pytest.mark.parametrize("dialogue", list(builtin_dialogues("assistant")), ids=lambda d: d.id)
def test_holds_the_built_in_dialogues(dialogue: Dialogue) -> None:
    answers = _answers(*(x.user.text for x in dialogue.exchanges))
    for exchange, answer in zip(dialogue.exchanges, answers, strict=True):
        outcomes = check_all(exchange.assistant.expect, answer)
        assert succeeded(outcomes), (exchange.user.text, answer, outcomes)


def test_timers_are_numbered_as_they_stand() -> None:
    assert _answers(
        "set a timer for ten minutes",
        "set a timer for 5 minutes in the kitchen",
        "what is the second timer",
        "cancel the first one",
        "what is the timer",
        "No, make it fifteen minutes!",
        "cancel it",
        "what is the timer",
        "cancel the second one",
    ) == [
        "The timer is at ten minutes.",
        "Kitchen timer two is at five minutes.",
        "Kitchen timer two is at five minutes.",
        "The ten minute timer is off.",
        "The kitchen timer is at five minutes.",
        "The kitchen timer is at fifteen minutes.",
        "The fifteen minute timer is off.",
        "There is no timer.",
        "There is no timer.",
    ]


def test_asks_which_timer_is_meant() -> None:
    assert _answers(
        "set a timer for one hour",
        "set a timer for twenty five seconds",
        "cancel the timer",
        "make the first one two hours",
        "cancel timer three",
        "cancel the twenty minute timer",
        "what are the timers",
    )[2:] == [
        "Which one? Timer one is at one hour and timer two is at twenty five seconds.",
        "Timer one is at two hours.",
        "There is no timer three.",
        "There is no twenty minute timer.",
        "Timer one is at two hours and timer two is at twenty five seconds.",
    ]


def test_it_is_what_was_spoken_of_last() -> None:
    assert _answers(
        "dim the kitchen lights to forty percent",
        "make it red",
        "turn it off",
        "open the office window",
        "is it open",
        "close it",
        "what is it",
        "set an alarm for six thirty",
        "make it seven in the morning",
        "cancel it",
        "play five jazz songs",
        "play it in the garden",
        "what is it",
        "is it red",
    ) == [
        "The kitchen light is at forty percent.",
        "The kitchen light is red at forty percent.",
        "The kitchen light is off.",
        "The office window is open.",
        "The office window is open.",
        "The office window is closed.",
        "The office window is closed.",
        "The alarm is at six thirty.",
        "The alarm is at seven in the morning.",
        "The alarm at seven in the morning is off.",
        "Five jazz songs are on.",
        "Five jazz songs are on in the garden.",
        "Five jazz songs are on in the garden.",
        NOT_UNDERSTOOD,
    ]


def test_declines_and_goes_on() -> None:
    assert _answers(
        "open the front door",
        "open it",
        "lock it",
        "open the front window",
        "call mom at ten tonight",
        "send Anna a message at nine in the morning",
        "will it rain in Paris today",
        "good morning",
        "",
        "turn it up",
        "set the volume to 200 percent",
    ) == [
        "Sorry, I am not allowed to open the front door.",
        "Sorry, I am not allowed to open the front door.",
        "The front door is locked.",
        "The front window is open.",
        "Sorry, I cannot call Mom.",
        "Sorry, I cannot send a message to Anna.",
        "Sorry, I cannot tell the weather.",
        NOT_UNDERSTOOD,
        NOT_UNDERSTOOD,
        "The volume is forty percent.",
        "The volume is one hundred percent.",
    ]


def test_what_is_asked_for_later_is_not_done_now() -> None:
    assert _answers(
        "turn on the kitchen lights at six in the evening",
        "is the kitchen light on",
        "open the kitchen window at nine tonight",
        "is the kitchen window open",
    ) == [
        "The kitchen light will turn on at six in the evening.",
        "The kitchen light is off.",
        "The kitchen window will open at nine tonight.",
        "The kitchen window is closed.",
    ]


VOCABULARY = [*words(), "second", "first", "no", "10", "999", "'", "?"]


@given(
    st.lists(
        st.lists(st.sampled_from(VOCABULARY), max_size=9).map(" ".join), min_size=1, max_size=5
    )
)
def test_answers_anything(said: list[str]) -> None:
    """In sentences without digits, and the same again."""
    answer = respond(said)
    assert answer == respond(list(said))
    assert answer.endswith(".")
    assert not any(c.isdigit() for c in answer.replace("999", ""))
