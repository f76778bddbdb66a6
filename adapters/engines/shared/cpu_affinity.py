"""Holding a library to the threads that it may use, where it does not let them be set."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_LOWEST = 19  # of setpriority(2)
_TASKS = Path("/proc/self/task")


def threads_of_process() -> frozenset[int]:
    """The kernel's ids of the process's threads; empty where the system does not tell them."""
    return frozenset(int(p.name) for p in _TASKS.iterdir()) if _TASKS.is_dir() else frozenset()


@contextmanager
def held_to(threads: int, others: Sequence[int]) -> Iterator[None]:
    """The calling thread and `others` run on so many CPUs, the caller's present one among them.

    Where that is one CPU, the others get the lowest priority there: the caller then does all
    of the work, in place of waiting for a share of it that has no CPU to run on. The caller gets
    its own CPUs back, the others keep theirs. The scheduler has put the caller where there is
    room, so that two processes do not meet on one CPU. Elsewhere than on Linux nothing is held.
    """
    if sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    if threads >= len(before):
        yield
        return
    here = ctypes.CDLL(None).sched_getcpu()
    own = sorted(before, key=lambda cpu: (cpu != here, cpu))[:threads]
    for thread in others:
        with suppress(ProcessLookupError):  # it has ended
            os.sched_setaffinity(thread, own)
            if threads == 1:
                os.setpriority(os.PRIO_PROCESS, thread, _LOWEST)
    os.sched_setaffinity(0, own)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
