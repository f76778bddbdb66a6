"""The wire between the harness and a worker: a socket that the two of them alone have.

It is read by the thread that waits for it. A message that passes another thread on its way takes
longer than a fast engine does for a short utterance.
"""

from __future__ import annotations

import os
import select
import socket
from multiprocessing.connection import Connection
from typing import Any

from adapters.worker.messages import Message, packed, unpacked

_LONGEST_WAIT = 2**31 - 1  # ms


class Wire:
    """Either end."""

    def __init__(self, end: socket.socket) -> None:
        self._connection: Connection[Any, Any] = Connection(end.detach())
        # Made once: the connection's own way makes one each time. Windows has none.
        self._poll = select.poll() if hasattr(select, "poll") else None
        if self._poll is not None:
            self._poll.register(self._connection.fileno(), select.POLLIN)

    def ask(self, request: Message, limit_seconds: float) -> Message:
        """The answer. Raises as `send` and `receive`."""
        self.send(request)
        return self.receive(limit_seconds)

    def send(self, message: Message) -> None:
        """Raises OSError where nobody is there any more, TypeError for what no message carries."""
        self._connection.send_bytes(packed(message))

    def receive(self, limit_seconds: float | None = None) -> Message:
        """What the other end has sent. Raises TimeoutError; EOFError or OSError when it is gone."""
        if limit_seconds is not None and not self._comes(limit_seconds):
            raise TimeoutError
        return unpacked(self._connection.recv_bytes())

    def _comes(self, limit_seconds: float) -> bool:
        if self._poll is None:
            return self._connection.poll(limit_seconds)
        return bool(self._poll.poll(min(limit_seconds * 1000, _LONGEST_WAIT)))

    def close(self) -> None:
        """Let go of this end."""
        self._connection.close()


def pair() -> tuple[Wire, socket.socket]:
    """The harness's end, and the one that a process gets which is started with `handed_over`."""
    ours, theirs = socket.socketpair()
    return Wire(ours), theirs


def handed_over(end: socket.socket) -> dict[str, Any]:
    """The arguments of Popen with which a process gets this end, of the same number."""
    if os.name == "posix":
        return {"pass_fds": (end.fileno(),)}
    end.set_inheritable(True)
    return {"close_fds": False}


def wire_of(number: int) -> Wire:
    """The end that this process was started with, which goes to no process that it starts."""
    end = socket.socket(fileno=number)
    end.set_inheritable(False)
    return Wire(end)
