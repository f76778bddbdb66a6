"""A cascade's conversations: what is heard, what goes on, and when it speaks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from adapters.catalog.engine import EngineRef
from adapters.interface import Audio, LoadSpec, ModelError, Reply, ReplyPiece, Turn
from adapters.worker.client import ModelProcess
from adapters.worker.results import Timed
from evals.measures.text.normalizers import normalizer
from evals.tasks.chat.expectations import check_all, succeeded
from fixtures.audio.read import SAMPLE_RATE, to_mono_16k
from fixtures.builtin import embedded
from tests.adapters.engines.cascade.shared import dialogue_of, spec_of, text_of

pytestmark = pytest.mark.engine

HEARD_WELL = ("timer-asked", "timers-by-number", "front-door-declined")
MISHEARD = "timers-the-second-one"


@pytest.fixture(scope="module")
def processes() -> Iterator[Mapping[str, ModelProcess]]:
    """The same cascade with the micro Whisper, and with the text of the turns in its place."""
    heard = ModelProcess(
        EngineRef("cascade"), spec_of(asr="faster-whisper-micro", tts="espeak"), time_limit=60
    )
    perfect = ModelProcess(EngineRef("cascade"), spec_of(tts="espeak"), time_limit=60)
    try:
        heard.load()
        perfect.load()
        yield {"heard": heard, "perfect": perfect}
    finally:
        heard.close()
        perfect.close()


def _held(process: ModelProcess, name: str, *, text: bool) -> list[Timed[Reply]]:
    """The answers of a whole dialogue, each turn given the turns and answers before it."""
    dialogue, spoken = dialogue_of(name)
    turns = [Turn("system", dialogue.system)]
    answers = []
    for exchange, audio in zip(dialogue.exchanges, spoken, strict=True):
        turns.append(Turn("user", exchange.user.text if text else None, audio))
        answers.append(process.reply(turns))
        turns.append(Turn("assistant", answers[-1].result.text))
    return answers


@pytest.mark.parametrize("name", HEARD_WELL)
def test_what_is_heard_right_is_answered_like_text(
    processes: Mapping[str, ModelProcess], name: str
) -> None:
    dialogue, _ = dialogue_of(name)
    heard = _held(processes["heard"], name, text=False)
    perfect = _held(processes["perfect"], name, text=True)
    assert [x.result.text for x in heard] == [x.result.text for x in perfect]
    for answer, exchange in zip(heard, dialogue.exchanges, strict=True):
        assert succeeded(check_all(exchange.assistant.expect, answer.result.text))
        assert answer.first_token_seconds is not None
        assert answer.first_audio_seconds is not None
        assert 0 < answer.first_token_seconds < answer.first_audio_seconds <= answer.seconds


def test_mistakes_of_the_recogniser_go_on(processes: Mapping[str, ModelProcess]) -> None:
    """ "The second one" are words that the micro Whisper does not know."""
    dialogue, _ = dialogue_of(MISHEARD)
    outcomes = {
        name: [
            succeeded(check_all(x.assistant.expect, answer.result.text))
            for x, answer in zip(
                dialogue.exchanges,
                _held(process, MISHEARD, text=name == "perfect"),
                strict=True,
            )
        ]
        for name, process in processes.items()
    }
    assert outcomes == {"perfect": [True] * 4, "heard": [True, True, False, False]}


def test_speech_says_the_text(processes: Mapping[str, ModelProcess]) -> None:
    """Read back by the micro Whisper, which knows the words of this answer."""
    whisper = ModelProcess(
        EngineRef("faster_whisper"),
        LoadSpec(
            embedded.resolve("embedded:micro-whisper/ctranslate2"),
            options={"language": "en", "max_new_tokens": 60, "without_timestamps": True},
        ),
    )
    whisper.load()
    try:
        reply = processes["perfect"].reply([Turn("user", "set a timer for ten minutes")]).result
        assert reply.audio is not None
        samples = to_mono_16k(reply.audio.samples, reply.audio.sample_rate)
        quiet = np.zeros(SAMPLE_RATE // 5, np.float32)
        sound = Audio(np.concatenate([quiet, samples, quiet]), SAMPLE_RATE)
        back = whisper.transcribe(sound).result.text
    finally:
        whisper.close()
    same = normalizer("whisper-english")
    assert same(reply.text) == same("The timer is at ten minutes.")
    assert same(back) == same(reply.text)


class _Ear:
    """A recogniser that counts what it hears."""

    longest_audio = 2.0

    def __init__(self) -> None:
        self.heard = 0

    def transcribe(self, audio: Audio) -> Iterator[str]:
        self.heard += 1
        yield from ("set a timer ", "for ten minutes" if audio.samples[0] else "for two hours")


def _tone(value: float, rate: int = SAMPLE_RATE, seconds: float = 0.1) -> Audio:
    return Audio(np.full(round(rate * seconds), value, np.float32), rate)


def test_a_turn_is_heard_once_and_the_last_one_always(cascade: Any) -> None:
    ear = cascade._asr = _Ear()
    first, second = Turn("user", audio=_tone(0.0)), Turn("user", audio=_tone(0.5))
    assert text_of(cascade.reply([first])) == "The timer is at two hours."
    conversation = [first, Turn("assistant", "Yes."), second]
    pieces = list(cascade.reply(conversation))
    assert text_of(iter(pieces)) == "Timer two is at ten minutes."
    assert ear.heard == 2
    assert pieces[0] == ReplyPiece(heard="set a timer for ten minutes")
    assert not any(piece.heard for piece in pieces[1:])
    list(cascade.reply(conversation))
    assert ear.heard == 3


@pytest.mark.parametrize(
    ("audio", "says"), [(_tone(0.1, 8000), "8000 Hz"), (_tone(0.1, seconds=3), "takes 2 s")]
)
def test_audio_that_the_recogniser_cannot_take(cascade: Any, audio: Audio, says: str) -> None:
    cascade._asr = _Ear()
    with pytest.raises(ModelError, match=says):
        list(cascade.reply([Turn("user", audio=audio)]))


@pytest.mark.parametrize(
    ("turns", "says"),
    [
        ([], "must be the user's"),
        ([Turn("user", audio=_tone(0.1))], "asr is none"),
        ([Turn("user", "a"), Turn("assistant"), Turn("user", "b")], "turn 2, of the assistant"),
        ([Turn("tool", "a"), Turn("user", "b")], "turn 1, of the tool"),
    ],
)
def test_conversations_that_are_none(cascade: Any, turns: list[Turn], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        list(cascade.reply(turns))


class _Slow:
    """A responder that gives its answer in pieces, and a voice that notes what it is given."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.turns: list[Turn] = []

    def reply(self, turns: list[Turn]) -> Iterator[ReplyPiece]:
        self.turns = turns
        for piece in ("The light", " is on. The ", "door is", " open."):
            self.log.append(f"text {piece!r}")
            yield ReplyPiece(text=piece)

    def synthesize(self, text: str) -> Iterator[Audio]:
        self.log.append(f"speech {text!r}")
        yield _tone(0.1)
        yield _tone(0.0, seconds=0)


def test_speaks_each_sentence_as_soon_as_it_is_there(cascade: Any) -> None:
    both = cascade._responder = cascade._tts = _Slow()
    turns = [Turn("system", "Be brief."), Turn("user", "hello", _tone(0.1))]
    pieces = list(cascade.reply(turns))
    assert both.log == [
        "text 'The light'",
        "text ' is on. The '",
        "speech 'The light is on.'",
        "text 'door is'",
        "text ' open.'",
        "speech 'The door is open.'",
    ]
    assert [bool(piece.audio) for piece in pieces] == [False] * 3 + [True] + [False] * 2 + [True]
    assert both.turns == [Turn("system", "Be brief."), Turn("user", "hello")]
