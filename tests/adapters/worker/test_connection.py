"""What goes to a worker and back: whole, from nobody else, and told where it cannot be sent."""

from __future__ import annotations

import socket
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.catalog.engine import EngineRef
from adapters.interface import Audio, LoadSpec
from adapters.worker import connection
from adapters.worker.client import ModelProcess
from adapters.worker.messages import Message, packed, unpacked
from adapters.worker.results import WorkerError
from tests.support import toy_engine
from tests.support.toy_engine import RATE, samples_of

pytestmark = pytest.mark.slow

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda values: st.lists(values, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.text().filter(lambda key: key != "samples"), VALUES, max_size=5),
    st.none() | st.binary(max_size=100),
)
def test_messages_come_back(message: dict[str, Any], samples: bytes | None) -> None:
    if samples is not None:
        message["samples"] = samples
    assert unpacked(packed(message)) == message


def test_half_of_a_letter_comes_back() -> None:
    assert unpacked(packed({"text": "\ud83d"})) == {"text": "\ud83d"}


@pytest.fixture
def one_family_left(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The only way to a worker that this system has."""
    if request.param == "AF_INET":
        monkeypatch.setattr(connection, "_LONGEST_PATH", 0)
    elif not hasattr(socket, "AF_UNIX"):
        pytest.skip("this system has no sockets with a path")
    return str(request.param)


@pytest.mark.parametrize("one_family_left", ["AF_UNIX", "AF_INET"], indirect=True)
def test_both_ways_carry_utterances(one_family_left: str) -> None:
    with connection.listening() as listener:
        assert listener.told["family"] == one_family_left
    process = ModelProcess(
        EngineRef("toy_engine", toy_engine.__file__),
        LoadSpec("builtin", options=toy_engine.Toy.options),
    )
    process.load()
    for text in ("turn on the light", "off"):
        audio = Audio((samples_of(text) / 32768).astype(np.float32), RATE)
        assert process.transcribe(audio).result.text == text
    process.close()


def test_a_folder_whose_name_is_too_long(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with connection.listening() as listener:
        assert listener.told["family"] == "AF_INET"


def test_nobody_else_is_taken_for_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_LONGEST_PATH", 0)
    with connection.listening() as listener:
        somebody = threading.Thread(
            target=lambda: connection.connect({**listener.told, "token": b"guessed"}).close()
        )
        somebody.start()
        with pytest.raises(ConnectionRefusedError, match="somebody else"):
            listener.accept(10.0)
        somebody.join()


def test_nobody_comes() -> None:
    with connection.listening() as listener, pytest.raises(TimeoutError):
        listener.accept(0.01)


def test_a_limit_of_years_can_be_waited_for() -> None:
    def answer(told: Message) -> None:
        end = connection.connect(told)
        assert unpacked(end.receive()) == {"op": "transcribe"}
        end.send(packed({"text": "here"}))

    with connection.listening() as listener:
        answered = threading.Thread(target=answer, args=(listener.told,))
        answered.start()
        assert listener.accept(10.0).ask({"op": "transcribe"}, 1e12) == {"text": "here"}
        answered.join()


def test_an_answer_that_cannot_be_sent(tmp_path: Path) -> None:
    engine = tmp_path / "odd.py"
    engine.write_text(
        "from adapters.interface import Adapter, Transcript\n"
        "class Odd(Adapter):\n"
        "    def load(self, spec):\n"
        "        pass\n"
        "    def transcribe(self, audio):\n"
        "        return Transcript('yes', language={1, 2})\n"
        "ADAPTER = Odd\n"
    )
    process = ModelProcess(EngineRef("odd", str(engine)), LoadSpec("builtin"))
    process.load()
    with pytest.raises(WorkerError, match=r"(?s)the worker gave up: .*not JSON serializable"):
        process.transcribe(Audio(np.zeros(100, np.float32), RATE))
    assert not process.alive
    process.close()
