"""How long an engine's call waited for a CPU that other processes held."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

#: Of more threads than this no file is kept open: the engine may need its descriptors.
_MOST_KEPT = 64


class CpuWait:
    """Seconds that this process's threads could have run and had no CPU, call by call.

    Linux counts them for every thread: the second field of /proc/PID/task/TID/schedstat,
    in nanoseconds (kernel documentation, scheduler/sched-stats). A call has waited as long
    as the one thread that waited most; those that end within it are lost, and so are
    processes that the engine starts. What a limit on the container's CPU takes away counts
    as waiting in kernels that say so. Other systems do not tell.

    Threads that outnumber the CPUs wait for each other too, which is the engine's own
    doing. Only then the wait is held against what others can have taken: the CPU time
    that was neither idle (/proc/uptime, whose clock ticks every 10 ms) nor this process's,
    divided by the CPUs that the engine could have kept busy.

    tasks, uptime: the kernel's files, for tests.
    """

    def __init__(
        self, tasks: Path = Path("/proc/self/task"), uptime: Path = Path("/proc/uptime")
    ) -> None:
        self._tasks = str(tasks)
        self._uptime = str(uptime)
        self._files: dict[str, int] = {}
        self._listed: tuple[int, Sequence[str]] = (0, ())
        self._before: Mapping[str, bytes] = {}
        self._idle: float | None = None
        self._own = 0.0
        self._ahead = 0.0

    def start(self) -> None:
        """The call begins now."""
        self._idle = self._idle_seconds()
        self._before = self._read()
        self._own = time.process_time()

    def within(self, seconds: float) -> float | None:
        """What the call that ended now has waited of its seconds; None where nobody tells."""
        own = time.process_time() - self._own
        after = self._read()
        idle = self._idle_seconds()
        caller = str(threading.get_native_id())
        # A kernel that does not count says that not even this thread was ever given a CPU.
        if _field(after.get(caller), 2) == 0:
            return None
        # Those whose line is as it was neither ran nor waited, but for the one that asks.
        waits = {caller: 0.0} | {
            thread: max(0, _field(line, 1) - _field(self._before.get(thread), 1)) / 1e9
            for thread, line in after.items()
            if line != self._before.get(thread)
        }
        waited = min(max(waits.values()), seconds)
        cpus = _usable_cpus()
        if not waited or len(waits) <= cpus or self._idle is None or idle is None:
            return waited
        others = (os.cpu_count() or 1) * seconds - (idle - self._idle) - own
        # Where the ticks made a call's idle time too long, the next one's is too short.
        others += self._ahead
        self._ahead = min(0.0, others)
        at_once = min(max((own + sum(waits.values())) / seconds, 1.0), cpus)
        return min(waited, max(0.0, others) / at_once)

    def close(self) -> None:
        """Let go of the kernel's files."""
        for file in self._files.values():
            os.close(file)
        self._files.clear()

    def _read(self) -> Mapping[str, bytes]:
        """Thread to its line: CPU nanoseconds, waiting nanoseconds, times it was given a CPU."""
        try:
            # Linux counts the threads as links, which is much sooner asked than their names.
            links = os.stat(self._tasks).st_nlink  # noqa: PTH116  # a Path costs as much again
            if links == self._listed[0]:
                lines = self._lines()
                if len(lines) == len(self._listed[1]):  # else some ended, and others began
                    return lines
            threads = os.listdir(self._tasks)  # noqa: PTH208
        except OSError:
            return {}
        self._listed = (links if links == len(threads) + 2 else -1, threads)
        for gone in self._files.keys() - set(map(self._path, threads)) - {self._uptime}:
            os.close(self._files.pop(gone))
        return self._lines()

    def _lines(self) -> Mapping[str, bytes]:
        threads = self._listed[1]
        return {thread: line for thread in threads if (line := self._text(self._path(thread)))}

    def _path(self, thread: str) -> str:
        return f"{self._tasks}/{thread}/schedstat"

    def _idle_seconds(self) -> float | None:
        """Of all CPUs together since the system started."""
        fields = self._text(self._uptime).split()
        return float(fields[1]) if len(fields) > 1 else None

    def _text(self, path: str) -> bytes:
        """A file's first line; nothing where there is no such file, or its thread is over."""
        try:
            if path in self._files:
                try:
                    return os.pread(self._files[path], 128, 0)
                except OSError:  # the thread ended, and a new one may have its number
                    os.close(self._files.pop(path))
            file = os.open(path, os.O_RDONLY)
        except OSError:
            return b""
        try:
            return os.pread(file, 128, 0)
        except OSError:
            return b""
        finally:
            # Opening costs more than reading.
            if len(self._files) < _MOST_KEPT:
                self._files[path] = file
            else:
                os.close(file)


def _field(line: bytes | None, index: int) -> int:
    """Of a line of schedstat; 0 for a thread that is not there."""
    fields = (line or b"").split()
    return int(fields[index]) if len(fields) > index else 0


def _usable_cpus() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1
