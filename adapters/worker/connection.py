"""A socket between the harness and a worker, for what is asked of a model utterance by utterance.

execnet's channel starts the worker and carries everything else. Each message passes two threads
of each process there, which for a fast engine takes longer than the engine. A socket is read by
the thread that waits for it.
"""

from __future__ import annotations

import secrets
import select
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from adapters.worker.messages import Message, packed, unpacked

#: What a worker gets to read where the request is on the channel.
ON_CHANNEL = b""
_LONGEST_WAIT = 2**31 - 1  # ms
#: A socket's path has 104 bytes on some systems.
_LONGEST_PATH = 100


class Wire:
    """Either end."""

    def __init__(self, end: socket.socket) -> None:
        self._connection: Connection[Any, Any] = Connection(end.detach())
        # Made once: the connection's own way makes one each time. Windows has none.
        self._poll = select.poll() if hasattr(select, "poll") else None
        if self._poll is not None:
            self._poll.register(self._connection.fileno(), select.POLLIN)

    def ask(self, request: Message, limit_seconds: float) -> Message:
        """The answer. Raises TimeoutError; EOFError or OSError where nobody is there any more."""
        self._connection.send_bytes(packed(request))
        if not self._comes(limit_seconds):
            raise TimeoutError
        return unpacked(self._connection.recv_bytes())

    def _comes(self, limit_seconds: float) -> bool:
        if self._poll is None:
            return self._connection.poll(limit_seconds)
        return bool(self._poll.poll(min(limit_seconds * 1000, _LONGEST_WAIT)))

    def point_at_channel(self) -> None:
        """Say that the request is on the channel. Raises OSError."""
        self._connection.send_bytes(ON_CHANNEL)

    def receive(self) -> bytes:
        """What the other end has sent. Raises EOFError or OSError when it is gone."""
        return self._connection.recv_bytes()

    def send(self, data: bytes) -> None:
        """Raises OSError."""
        self._connection.send_bytes(data)

    def close(self) -> None:
        """Let go of this end."""
        self._connection.close()


class Listener:
    """Waits for the one worker that was told where."""

    def __init__(self, server: socket.socket, family: str) -> None:
        self._server = server
        self._token = secrets.token_bytes(16)
        #: What the worker has to be told, in what a channel carries.
        self.told: Message = {
            "family": family,
            "address": server.getsockname(),
            "token": self._token,
        }

    def accept(self, limit_seconds: float) -> Wire:
        """The wire to it. Raises OSError, TimeoutError among them, and EOFError."""
        self._server.settimeout(limit_seconds)
        end, _ = self._server.accept()
        end.settimeout(None)
        wire = Wire(end)
        if wire.receive() != self._token:  # of a port of this machine anybody may know
            wire.close()
            raise ConnectionRefusedError("somebody else than the worker has answered")
        return wire


@contextmanager
def listening() -> Iterator[Listener]:
    """A place for a worker to call, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="model-lab-") as folder:
        path = str(Path(folder) / "worker")
        named = hasattr(socket, "AF_UNIX") and len(path.encode()) <= _LONGEST_PATH
        family = "AF_UNIX" if named else "AF_INET"
        with socket.socket(getattr(socket, family)) as server:
            server.bind(path if named else ("127.0.0.1", 0))
            server.listen(1)
            yield Listener(server, family)


def connect(told: Message) -> Wire:
    """The worker's end. told: what the listener has to tell. Raises OSError."""
    end = socket.socket(getattr(socket, told["family"]))
    address = told["address"]
    end.connect(address if isinstance(address, str) else tuple(address))
    wire = Wire(end)
    wire.send(told["token"])
    return wire
