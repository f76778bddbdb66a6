"""How a worker's life hangs on the harness's: it outlasts Ctrl-C, and never the harness.

A worker whose harness is gone ends when it next waits for a request. An engine may be in a call
of hours then, so on Linux the kernel is asked to end it, which also helps where the engine holds
the interpreter's lock; elsewhere a thread looks.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_PR_SET_PDEATHSIG = 1
_LOOK_SECONDS = 1.0


@contextmanager
def deaf_children() -> Iterator[None]:
    """Processes that this thread starts in the block never get SIGINT, from their first moment.

    Ctrl-C goes to every process of the terminal. A child inherits the thread's blocked
    signals; what comes for this thread meanwhile is delivered when the block ends.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def tie_to(parent: int, *, by_kernel: bool) -> None:
    """End this process, whatever it is doing, when the process `parent` that started it is gone.

    by_kernel: whether the parent's thread that started this one lives as long as the parent. The
    kernel's signal comes when that thread ends, so that otherwise it would come too soon.
    """
    if os.name != "posix":
        return  # it ends with the call that it is in
    if by_kernel and sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) == 0:
            # It may have gone before the kernel was asked, and then no signal comes.
            if os.getppid() != parent:
                os._exit(1)
            return
    threading.Thread(target=_watch, args=(parent,), name="lifeline", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)
