"""First contact with voices and assistants: what can be an answer, and what is the same twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adapters.interface import Audio, Reply
from adapters.worker.results import Timed, WorkerError
from evals.tasks.smoke.attempts import answer, first_problem, same, speak, wrong_with

RATE = 16_000
#: Two seconds of sound.
SOUND = np.full(2 * RATE, 0.1, np.float32)


@pytest.mark.parametrize(
    ("samples", "rate", "words", "says"),
    [
        (SOUND, RATE, 5, None),
        (SOUND, RATE, None, None),
        (SOUND[:0], RATE, 5, "empty"),
        (0 * SOUND, RATE, 5, "silent"),
        (0.005 * SOUND, RATE, 5, "silent"),
        (np.where(SOUND > 0, np.nan, 0), RATE, 5, "not finite"),
        (np.where(SOUND > 0, np.inf, 0), RATE, 5, "not finite"),
        (SOUND, 4_000, 5, "4000 Hz"),
        (SOUND, 1_000_000, 5, "1000000 Hz"),
        (SOUND, RATE, 40, "40 words in 2.00 s: 4.0 to 80 s are expected"),
        (np.tile(SOUND, 10), RATE, 5, "5 words in 20.00 s: 0.5 to 10 s are expected"),
    ],
)
def test_what_can_be_speech(samples: Any, rate: int, words: int | None, says: str | None) -> None:
    found = wrong_with(Audio(samples.astype(np.float32), rate), words)
    assert found is None if says is None else says in (found or "")


class Voice:
    """Speaks its sounds one after the other; None: it fails."""

    def __init__(self, *sounds: Any) -> None:
        self._sounds = iter(sounds)

    def synthesize(self, text: str) -> Any:
        sound = next(self._sounds)
        if sound is None:
            raise WorkerError("refused", "it has no voice today")
        speech: Any = type("Speech", (), {"audio": Audio(sound, RATE)})()
        return Timed(speech, 0.0)


def test_the_same_sound_twice_is_told_from_another() -> None:
    drawn: Any = Voice(SOUND, SOUND.copy(), 0.9 * SOUND, None)
    first, again, other, none = (speak(drawn, "one two three") for _ in range(4))
    assert same([first, again]).value == 1
    figure = same([first, other])
    assert figure.value == 0
    assert "not reproducible" in (figure.reason or "")
    assert "2.00 s and 2.00 s" in (figure.reason or "")
    assert same([first, none]).value is None
    assert first_problem([first, other]) is None
    assert first_problem([first, none]) == "it has no voice today"


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply("Hello."), None),
        (Reply("", Audio(SOUND, RATE)), None),
        (Reply(" ... "), "neither word nor sound"),
        (Reply("Hello.", Audio(0 * SOUND, RATE)), "silent"),
    ],
)
def test_an_answer_is_a_word_or_a_sound(reply: Reply, says: str | None) -> None:
    assistant: Any = type("Assistant", (), {"reply": lambda self, turns: Timed(reply, 0.0)})()
    found = answer(assistant, Audio(SOUND, RATE)).problem
    assert found is None if says is None else says in (found or "")
