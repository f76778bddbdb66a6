"""The peak resident memory of this process."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


@dataclass(frozen=True, slots=True)
class PeakMemory:
    """Peak resident set in bytes, and how it was taken.

    method: "VmHWM" is the kernel's own high-water mark and exact; "sampled" is
    a thread that looks now and then, and misses what happens while the
    interpreter lock is held.
    """

    bytes: int
    method: str


class MemoryMeter:
    """Peak resident set since the last `reset`.

    Linux keeps a high-water mark per address space, so unlike `ru_maxrss` it is
    not inherited from the parent; writing 5 to clear_refs resets it (proc(5)).
    """

    def __init__(self, interval_seconds: float = 0.01) -> None:
        self._interval = interval_seconds
        self._sampled = 0
        self._exact = _status_bytes("VmHWM:") is not None
        if not self._exact:
            threading.Thread(target=self._sample, daemon=True).start()

    def reset(self) -> None:
        """Start a new peak at the present resident set, where the system allows it."""
        self._sampled = 0
        if self._exact:
            try:
                _CLEAR_REFS.write_text("5")
            except OSError:
                return  # the mark then covers the whole life of the process: higher, never lower

    def peak(self) -> PeakMemory:
        """The peak since the last reset."""
        mark = _status_bytes("VmHWM:")
        if mark is not None:
            return PeakMemory(mark, "VmHWM")
        return PeakMemory(max(self._sampled, _resident()), "sampled")

    def _sample(self) -> None:
        pause = threading.Event()
        while not pause.wait(self._interval):
            self._sampled = max(self._sampled, _resident())


def _status_bytes(key: str) -> int | None:
    try:
        for line in _STATUS.read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1]) * 1024
    except OSError:
        return None
    return None


def _resident() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)
