"""A long recording is allowed longer than a short one, in every call that hears or speaks."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.catalog.engine import EngineRef
from adapters.interface import Audio, LoadSpec, Turn
from adapters.worker.client import ModelProcess
from adapters.worker.results import WorkerError
from adapters.worker.time_limits import MINUTE, allowed, spoken_seconds
from evals.cluster.executor import _longest_silence
from evals.cluster.replica import row_of, seconds_of
from evals.models.loaded import Settings
from fixtures.corpora.corpus import Utterance
from tests.support import toy_engine

RATE = 100


def audio(seconds: float) -> Audio:
    return Audio(np.zeros(round(seconds * RATE), np.float32), RATE)


CALLS: dict[str, Callable[[ModelProcess, float], Any]] = {
    "transcribe": lambda model, seconds: model.transcribe(audio(seconds)),
    "transcribe_batch": lambda model, seconds: model.transcribe_batch([audio(seconds / 4)] * 4),
    "synthesize": lambda model, seconds: model.synthesize("a" * round(seconds * 10)),
    "reply": lambda model, seconds: model.reply([Turn("user", "", audio(seconds))]),
}


class _Asked(Exception):
    """What a model was asked, and for how long."""


class _Silent:
    alive = True

    def ask(self, request: dict[str, Any], limit_seconds: float) -> dict[str, Any]:
        raise _Asked(request["op"], limit_seconds)

    def stop(self) -> None:
        self.alive = False


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("seconds", "minutes"), [(2, 1), (60, 1), (90, 1.5), (3600, 60)])
def test_the_limit_grows_with_the_audio(call: str, seconds: float, minutes: float) -> None:
    process = ModelProcess(EngineRef("espeak"), LoadSpec("builtin"), time_limit=120.0)
    process._transport = _Silent()
    with pytest.raises(_Asked) as caught:
        CALLS[call](process, seconds)
    assert caught.value.args == (call, pytest.approx(120.0 * minutes))


@pytest.mark.slow
def test_one_that_takes_longer_than_the_limit_for_a_minute_is_heard_out(tmp_path: Path) -> None:
    options = {**toy_engine.Toy.options, "sleep": 1.5}
    process = ModelProcess(
        EngineRef("toy_engine", toy_engine.__file__),
        LoadSpec("builtin", options=options),
        time_limit=0.5,
        load_time_limit=120.0,
    )
    process.load()
    assert process.transcribe(audio(600)).result.text == ""
    with pytest.raises(WorkerError, match=r"0.5 s.*--time-limit.*for a minute of audio or less"):
        process.transcribe(audio(2))


@given(st.floats(0.1, 1e4), st.lists(st.floats(0, 1e5), min_size=2, max_size=5))
def test_more_audio_is_never_allowed_less(limit: float, seconds: list[float]) -> None:
    limits = [allowed(limit, one) for one in sorted(seconds)]
    assert all(a <= b for a, b in itertools.pairwise(limits))
    assert all(one >= limit for one in limits)
    assert allowed(limit, MINUTE) == limit


def test_a_text_is_as_long_as_a_slow_reader_takes() -> None:
    assert spoken_seconds("a" * 600) == MINUTE
    assert spoken_seconds("") == 0.0


def test_a_cluster_waits_for_its_longest_utterance(tmp_path: Path) -> None:
    settings = Settings(device="cpu", time_limit=100.0, load_time_limit=10.0)
    assert _longest_silence(settings, 4, 5.0) == 2 * (10 + 100 + 4 * 100)
    assert _longest_silence(settings, 4, 3600.0) == 2 * (10 + 100 + 4 * 6000)
    sound = tmp_path / "a.wav"
    sound.write_bytes(bytes(80_000))
    assert seconds_of(row_of(Utterance("u", sound, "text"))) == 10.0
    assert seconds_of(row_of(Utterance("u", sound, "text", duration=7.5))) == 7.5
    assert seconds_of(row_of(Utterance("u", tmp_path / "away.wav", "text"))) == 0.0
