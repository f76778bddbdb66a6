"""Answers in pieces: put together right, and the first piece timed when it could be used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from adapters.catalog.engine import EngineRef
from adapters.interface import Audio, LoadSpec, Turn
from adapters.worker.client import ModelProcess
from adapters.worker.results import WorkerError
from tests.support import streaming_engine
from tests.support.streaming_engine import RATE

ENGINE = EngineRef("streaming_engine", streaming_engine.__file__)
PAUSE = 0.05
Start = Callable[..., ModelProcess]


@pytest.fixture
def start() -> Iterator[Start]:
    begun: list[ModelProcess] = []

    def start(*, isolated: bool = False, **options: Any) -> ModelProcess:
        spec = LoadSpec("builtin", options={**streaming_engine.Streaming.options, **options})
        process = ModelProcess(ENGINE, spec, isolated=isolated)
        process.load()
        begun.append(process)
        return process

    yield start
    for process in begun:
        process.close()


def _second() -> Audio:
    return Audio(np.zeros(16_000, np.float32), 16_000)


def test_transcript(start: Start) -> None:
    timed = start(isolated=True).transcribe(_second())
    assert timed.result.text == "16000 samples"
    assert timed.first_token_seconds is not None
    # An empty piece is not the first token, and the last comes two pauses after it.
    assert PAUSE <= timed.first_token_seconds <= timed.seconds - 2 * PAUSE


def test_speech(start: Start) -> None:
    timed = start(isolated=True).synthesize("one two three")
    assert timed.result.audio.sample_rate == RATE
    assert len(timed.result.audio.samples) == 11
    assert timed.first_audio_seconds is not None
    assert PAUSE <= timed.first_audio_seconds <= timed.seconds - 2 * PAUSE


def test_conversation(start: Start) -> None:
    turns = [Turn("system", "Be short."), Turn("user", audio=_second())]
    timed = start(isolated=True).reply(turns)
    assert timed.result.text == "system said Be short., nothing. user said None, 1.0 s."
    assert timed.result.audio is not None
    assert timed.result.audio.sample_rate == RATE
    assert len(timed.result.audio.samples) == 480
    assert timed.first_token_seconds is not None
    assert timed.first_audio_seconds is not None
    assert timed.first_token_seconds >= PAUSE  # what was heard is no token of the answer
    assert timed.result.heard == "second thought"
    assert timed.first_token_seconds + PAUSE <= timed.first_audio_seconds
    assert timed.first_audio_seconds + 2 * PAUSE <= timed.seconds


def test_whole_answer_has_no_first_token(start: Start) -> None:
    timed = start(mode="whole").reply([Turn("user", "hello")])
    assert timed.result.text == "all at once"
    assert timed.result.heard == "hello"
    assert timed.result.audio is None
    assert timed.first_token_seconds is None
    assert timed.first_audio_seconds is None


@pytest.mark.parametrize(
    ("mode", "call", "says"),
    [
        ("wrong", lambda p: p.transcribe(_second()), "yielded a int, not text"),
        ("wrong", lambda p: p.reply([Turn("user", "a")]), "yielded a str, not a ReplyPiece"),
        ("misheard", lambda p: p.reply([Turn("user", "a")]), "heard a int; text is expected"),
        ("rates", lambda p: p.synthesize("one two"), "pieces of .24000, 24001. Hz"),
    ],
)
def test_wrong_pieces(start: Start, mode: str, call: Callable[[Any], Any], says: str) -> None:
    with pytest.raises(WorkerError, match=says) as caught:
        call(start(mode=mode, pause=0.0))
    assert caught.value.kind == "wrong_type"


def test_nothing_to_hear_is_refused(start: Start) -> None:
    with pytest.raises(WorkerError, match="no audio at all") as caught:
        start(pause=0.0).synthesize("")
    assert caught.value.kind == "refused"


def test_longer_audio_than_declared_is_refused(start: Start) -> None:
    process = start(pause=0.0)
    process.transcribe(Audio(np.zeros(48_000, np.float32), 16_000))
    with pytest.raises(WorkerError, match=r"lasts 3\.1 s and Streaming takes at most 3 s"):
        process.transcribe(Audio(np.zeros(49_000, np.float32), 16_000))
