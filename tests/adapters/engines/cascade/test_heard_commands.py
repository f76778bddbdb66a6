"""What the rule assistant forgives, and what it does not: how it was written, not what was heard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.engines.cascade.heard_commands import commands, without_extra, words_of
from adapters.engines.cascade.rule_assistant import respond

NOT_UNDERSTOOD = "Sorry, I did not understand."
TIMER = "set a timer for five minutes"
ALARM = "set an alarm for seven"

#: What recognisers write for what people say, by what was said; each after a timer and an alarm.
FORGIVEN = (
    ("make it fifteen minutes", "You make it fifteen minutes."),
    ("make it fifteen minutes", "Make it 15 minutes, please!"),
    ("make it fifteen minutes", "make it 15 minutes buddy"),
    ("make it fifteen minutes", "So, make it fifteen minutes. Thank you."),
    ("set a timer for ten minutes", "Set your timer for 10 minutes."),
    ("set a timer for ten minutes", "Could you set a timer for 10 minutes?"),
    ("set a timer for ten minutes", "SET A TIMER FOR TEN MINUTES"),
    ("set a timer for twenty five seconds", "Set a timer for twenty-five seconds."),
    ("cancel the second one", "Cancel the 2nd one."),
    ("set an alarm for six thirty", "Set an alarm for 6.30."),
    ("set an alarm for six thirty", "Set an alarm for 6:30."),
    ("set an alarm for six thirty", "Set an alarm for 630"),
    ("set an alarm for ten fifteen", "Set an alarm for 10:15"),
    ("wake me up at seven in the morning", "Wake me up at 7 a.m."),
    ("wake me up at seven in the morning", "Wake me up at 7:00 in the morning."),
    ("open the garage door at nine tonight", "Open the garage door at 9 to-night."),
    ("set the office light to twenty percent", "Set the office light at 20%."),
    ("set the office light to twenty percent", "Set the office light to 20 per cent."),
    ("what is the weather in London today", "What's the weather in London today?"),
    ("is the garden light on", "Is the garden light on there?"),
    ("five five three nine", "5, 5, 3, 9"),
    ("five five three nine", "5539."),
    ("seven zero two", "7.02"),
    ("seven zero two", "7-0-2"),
)
#: What recognisers heard in place of a command, and what turns one round.
REFUSED = (
    "Santa, time, or fourteen minutes.",
    "Santa timer for five minutes.",
    "Set a time of fourteen minutes.",
    "Share your timer for 40 seconds.",
    "So, to time, report for the second.",
    "Set a timer for ten minutes in vacation.",
    "Console timer 2",
    "Council the second one.",
    "What is the Tyler?",
    "What is the time of?",
    "Make the man room light blue.",
    "Turn on the kitchen lives.",
    "win the office light for the present.",
    "Bing the office lights to forty per cent.",
    "Wake me up at the camera in the morning.",
    "Play some just music in the kitchen",
    "turn the volume counter 10",
    "a lot in the front door.",
    "We lock on the front door.",
    "Isn't the front door open?",
    "Open the garage door at high into the height.",
    "Don't turn on the kitchen lights.",
    "Never open the kitchen window.",
    "Turn on the kitchen lights later.",
    "Turn on the kitchen lights off.",
    "Stop make it ten minutes.",
    "Make it ten minutes 20.",
    "Please kindly just quickly make it ten minutes.",
)


@pytest.mark.parametrize(("said", "written"), FORGIVEN)
def test_forgives_how_it_is_written_and_a_word_before_or_after(said: str, written: str) -> None:
    before = [TIMER, "set a timer for two hours", ALARM]
    expected = respond([*before, TIMER, said])
    assert expected != NOT_UNDERSTOOD
    assert respond([*before, TIMER, written]) == expected


@pytest.mark.parametrize("heard", REFUSED)
def test_does_not_guess_at_what_was_misheard(heard: str) -> None:
    assert respond([TIMER, heard]) == NOT_UNDERSTOOD
    # And nothing was done about it.
    assert respond([TIMER, heard, "what is the timer"]) == "The timer is at five minutes."


def test_a_number_that_was_misheard_is_obeyed_as_it_was_heard() -> None:
    assert respond([TIMER, "Make it 50 minutes."]) == "The timer is at fifty minutes."


@given(
    st.sampled_from([TIMER, ALARM, "turn on the kitchen lights", "five five three nine"]),
    st.text("!?.,; ", max_size=3),
    st.sampled_from(["", "computer", "listen", "friend"]),
    st.sampled_from(["", "computer", "friend"]),
    st.booleans(),
)
def test_punctuation_capitals_and_a_word_at_an_end_change_nothing(
    said: str, marks: str, before: str, after: str, loud: bool
) -> None:
    written = f"{before}{marks} {marks.join(said.partition(' '))} {after}{marks}"
    assert respond([written.upper() if loud else written]) == respond([said])


def test_commands_are_words_without_idle_ones() -> None:
    assert commands("Please turn on the LIGHTS, and what's the timer?") == [
        "turn on lights",
        "what is timer",
    ]
    assert commands("?!") == commands("") == []


def test_only_an_unknown_word_at_an_end_is_left_out() -> None:
    known = words_of(["make it <n> minutes?", "(?P<which>first)"])
    assert known == {"make", "it", "minutes", "minute", "first"}
    assert list(without_extra("you make it", known)) == ["you make it", "make it"]
    assert list(without_extra("you make it dear", known)) == [
        "you make it dear",
        "make it dear",
        "you make it",
        "make it",
    ]
    assert list(without_extra("first make it 10", known)) == ["first make it 10"]
    assert list(without_extra("you", known)) == ["you"]
