"""What goes to a worker and back: whole, between the two alone, and told where it cannot be."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.catalog.engine import EngineRef
from adapters.interface import Audio, LoadSpec, Turn
from adapters.worker.client import ModelProcess
from adapters.worker.connection import Wire, pair
from adapters.worker.messages import packed, unpacked
from adapters.worker.results import WorkerError
from tests.support.toy_engine import RATE

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


def test_nobody_else_can_call() -> None:
    """The two ends have no name or port that another process could connect to."""
    _, theirs = pair()
    with theirs:
        if theirs.family != getattr(socket, "AF_UNIX", None):
            pytest.skip("this system has no sockets without a port")
        assert theirs.getsockname() == theirs.getpeername() == ""


def test_nobody_answers() -> None:
    wire, theirs = pair()
    with theirs, pytest.raises(TimeoutError):
        wire.receive(0.01)
    with pytest.raises(EOFError):  # the other end is closed
        wire.receive(0.01)


def test_a_limit_of_years_can_be_waited_for() -> None:
    wire, theirs = pair()
    other = Wire(theirs)
    answered = threading.Thread(target=lambda: other.send({"text": other.receive()["op"]}))
    answered.start()
    assert wire.ask({"op": "transcribe"}, 1e12) == {"text": "transcribe"}
    answered.join()


def test_what_an_engine_starts_does_not_hold_the_wire(tmp_path: Path) -> None:
    """Or else a worker that is gone would not be missed before the time limit."""
    engine = tmp_path / "parent.py"
    engine.write_text(
        "import os, subprocess, sys\n"
        "from adapters.interface import Adapter, Transcript\n"
        "class Parent(Adapter):\n"
        "    def load(self, spec):\n"
        "        pass\n"
        "    def transcribe(self, audio):\n"
        "        child = [sys.executable, '-c', 'import time; time.sleep(20)']\n"
        "        subprocess.Popen(child, close_fds=False)\n"
        "        os._exit(3)\n"
        "ADAPTER = Parent\n"
    )
    process = ModelProcess(EngineRef("parent", str(engine)), LoadSpec("builtin"), time_limit=15.0)
    process.load()
    with pytest.raises(WorkerError, match="exit status 3 during 'transcribe'"):
        process.transcribe(Audio(np.zeros(100, np.float32), RATE))


def test_an_interpreter_that_does_not_start(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no such library; exit 4\n")
    python.chmod(0o755)
    log = tmp_path / "log"
    process = ModelProcess(
        EngineRef("espeak"), LoadSpec("builtin"), python=python, log=log, time_limit=30.0
    )
    with pytest.raises(WorkerError, match="exit status 4 during its start; its output is in"):
        process.load()
    assert "no such library" in log.read_text()


def test_conversations_arrive_whole(tmp_path: Path) -> None:
    """Turns with and without sound, each at its own rate."""
    engine = tmp_path / "echo.py"
    engine.write_text(
        "from adapters.interface import Adapter, Reply\n"
        "class Echo(Adapter):\n"
        "    def load(self, spec):\n"
        "        pass\n"
        "    def reply(self, turns):\n"
        "        sounds = [turn.audio for turn in turns]\n"
        "        told = [s and (s.sample_rate, s.samples.tolist()) for s in sounds]\n"
        "        return Reply(repr([(t.role, t.text) for t in turns] + told), sounds[-1])\n"
        "ADAPTER = Echo\n"
    )
    turns = [
        Turn("system", "be brief"),
        Turn("user", None, Audio(np.array([0.5, 0.25], np.float32), RATE)),
        Turn("assistant", "yes", Audio(np.array([-0.5], np.float32), 22_050)),
        Turn("user", None, Audio(np.zeros(0, np.float32), RATE)),
    ]
    process = ModelProcess(EngineRef("echo", str(engine)), LoadSpec("builtin"))
    process.load()
    reply = process.reply(turns).result
    words = process.reply(turns[:1]).result
    process.close()
    told = [None, (RATE, [0.5, 0.25]), (22_050, [-0.5]), (RATE, [])]
    assert reply.text == repr([(turn.role, turn.text) for turn in turns] + told)
    assert reply.audio is not None
    assert len(reply.audio.samples) == 0
    assert (words.text, words.audio) == (repr([("system", "be brief"), None]), None)


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
