"""How long a call waited for a CPU that others held: told by the kernel, by nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest

from adapters.catalog.engine import EngineRef
from adapters.interface import Audio, LoadSpec
from adapters.meters import cpu_wait
from adapters.meters.cpu_wait import CpuWait
from adapters.worker import server
from adapters.worker.client import ModelProcess
from tests.support import slow_start_engine

ENGINE = EngineRef("slow_start_engine", slow_start_engine.__file__)
CLIP = Audio(np.zeros(8_000, np.float32), 16_000)
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


class Kernel:
    """Files as Linux shows them, with figures that the test sets; the caller has a thread too."""

    def __init__(self, folder: Path) -> None:
        self.tasks = folder / "task"
        self.uptime = folder / "uptime"
        self.caller = threading.get_native_id()
        self.set_thread(self.caller, waited=0.0)
        self.set_idle(1000.0)

    def set_thread(self, thread: int, *, waited: float, given: int = 1) -> None:
        folder = self.tasks / str(thread)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "schedstat").write_text(f"{given}000000 {waited * 1e9:.0f} {given}\n")

    def set_idle(self, seconds: float) -> None:
        self.uptime.write_text(f"5000.00 {seconds:.2f}\n")


class Clock:
    """CPU time of this process, as the test sets it."""

    def __init__(self) -> None:
        self.cpu = 0.0

    def process_time(self) -> float:
        return self.cpu


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Of a machine with two CPUs."""
    clock = Clock()
    monkeypatch.setattr(cpu_wait, "time", clock)
    monkeypatch.setattr(cpu_wait, "_usable_cpus", lambda: 2)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    return clock


@pytest.fixture
def wait(kernel: Kernel) -> Iterator[CpuWait]:
    wait = CpuWait(kernel.tasks, kernel.uptime)
    yield wait
    wait.close()


def test_the_thread_that_waited_most_counts(kernel: Kernel, wait: CpuWait) -> None:
    kernel.set_thread(kernel.caller, waited=5.0)
    kernel.set_thread(1, waited=7.0)
    wait.start()
    kernel.set_thread(kernel.caller, waited=5.1, given=2)
    kernel.set_thread(1, waited=7.4, given=2)
    assert wait.within(1.0) == pytest.approx(0.4)


def test_threads_that_begin_and_end_within_the_call(kernel: Kernel, wait: CpuWait) -> None:
    kernel.set_thread(1, waited=7.0)
    wait.start()
    (kernel.tasks / "1" / "schedstat").write_text("")  # as an open file of an ended thread reads
    (kernel.tasks / "1" / "schedstat").unlink()
    (kernel.tasks / "1").rmdir()
    kernel.set_thread(2, waited=0.3)
    assert wait.within(1.0) == pytest.approx(0.3)
    wait.start()
    assert wait.within(1.0) == 0


def test_never_longer_than_the_call(kernel: Kernel, wait: CpuWait) -> None:
    wait.start()
    kernel.set_thread(1, waited=3.0)
    assert wait.within(1.0) == 1.0


def _four_threads(kernel: Kernel, *, waited: float, given: int) -> None:
    for thread in range(1, 5):
        kernel.set_thread(thread, waited=waited, given=given)


@pytest.mark.parametrize(
    ("own", "idle", "waited"),
    [
        (2.0, 0.0, 0.0),  # both CPUs were its own throughout: its threads waited for each other
        (1.5, 0.5, 0.0),  # and so they did where it had phases of one thread
        (1.6, 0.0, 0.2),  # others had a fifth of both CPUs
        (0.8, 0.0, 0.5),  # they had more than its threads waited
    ],
)
def test_threads_that_wait_for_each_other(
    kernel: Kernel, clock: Clock, wait: CpuWait, own: float, idle: float, waited: float
) -> None:
    """Four threads on two CPUs, each waiting for half of a second."""
    _four_threads(kernel, waited=10.0, given=1)
    wait.start()
    clock.cpu = own
    _four_threads(kernel, waited=10.5, given=2)
    kernel.set_idle(1000.0 + idle)
    assert wait.within(1.0) == pytest.approx(waited)


def test_coarse_ticks_of_the_idle_clock_even_out(
    kernel: Kernel, clock: Clock, wait: CpuWait
) -> None:
    """Idle for 5 ms of every call, which the kernel shows as 10 ms in every other one."""
    total = 0.0
    for call in range(1, 11):
        _four_threads(kernel, waited=call * 0.01, given=call)
        wait.start()
        clock.cpu += 0.035
        _four_threads(kernel, waited=call * 0.01 + 0.01, given=call + 1)
        kernel.set_idle(1000.0 + (call // 2) * 0.01)
        waited = wait.within(0.02)
        assert waited is not None
        total += waited
    assert total <= 0.005


def test_unknown_where_the_system_does_not_tell(tmp_path: Path) -> None:
    wait = CpuWait(tmp_path / "task", tmp_path / "uptime")
    wait.start()
    assert wait.within(1.0) is None


def test_unknown_where_the_kernel_does_not_count(kernel: Kernel, wait: CpuWait) -> None:
    kernel.set_thread(kernel.caller, waited=0.0, given=0)
    wait.start()
    assert wait.within(1.0) is None


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@linux
def test_keeps_no_files_of_threads_that_are_over() -> None:
    with ExitStack() as stack:
        wait = CpuWait()
        stack.callback(wait.close)
        for _ in range(3):
            over = threading.Event()
            threads = [threading.Thread(target=over.wait) for _ in range(100)]
            for thread in threads:
                thread.start()
            wait.start()
            at_most = _open_files()
            over.set()
            for thread in threads:
                thread.join()
            assert wait.within(1.0) is not None
        assert _open_files() <= at_most
        assert len(wait._files) <= cpu_wait._MOST_KEPT


@linux
def test_a_thread_in_the_place_of_one_that_ended_is_asked() -> None:
    """There are as many as before, which is all that is looked at while nothing has changed."""
    with ExitStack() as stack:
        wait = CpuWait()
        stack.callback(wait.close)
        ends, over = threading.Event(), threading.Event()
        first, second = (threading.Thread(target=event.wait) for event in (ends, over))
        first.start()
        wait.start()
        assert str(first.native_id) in wait._before
        ends.set()
        first.join()
        while Path(f"/proc/self/task/{first.native_id}").exists():
            time.sleep(0.001)
        second.start()
        stack.callback(second.join)
        stack.callback(over.set)
        wait.start()
        assert str(second.native_id) in wait._before
        assert str(first.native_id) not in wait._before


@contextmanager
def _burning(cpu: int, count: int) -> Iterator[None]:
    """That many processes that never leave the CPU."""
    loop = ["sh", "-c", "echo; while :; do :; done"]
    with ExitStack() as stack:
        burners = [
            stack.enter_context(subprocess.Popen(loop, stdout=subprocess.PIPE))
            for _ in range(count)
        ]
        for burner in burners:
            stack.callback(burner.kill)
            os.sched_setaffinity(burner.pid, {cpu})
        for burner in burners:
            assert burner.stdout is not None
            burner.stdout.readline()
        yield


@pytest.mark.slow
@linux
def test_a_worker_beside_three_others_on_one_cpu() -> None:
    """It gets about a quarter of the CPU, and says that it waited for the rest."""
    cpu = min(os.sched_getaffinity(0))
    options = {**slow_start_engine.SlowStart.options, "work": 0.06, "cpu": cpu}
    process = ModelProcess(ENGINE, LoadSpec("builtin", options=options))
    process.load()
    assert process.load_waited_seconds is not None
    assert 0 <= process.load_waited_seconds <= process.load_seconds
    shares = []
    for burners in (0, 3):
        with _burning(cpu, burners):
            timed = process.transcribe(CLIP)
        assert timed.waited_seconds is not None
        assert timed.seconds >= 0.06
        shares.append(timed.waited_seconds / timed.seconds)
    process.close()
    alone, crowded = shares
    assert crowded > 0.3
    assert crowded > alone


def test_the_kernel_is_read_outside_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []

    class Recorded:
        def perf_counter(self) -> float:
            events.append("clock")
            return time.perf_counter()

    def start(self: CpuWait) -> None:
        events.append("start")

    def within(self: CpuWait, seconds: float) -> float:
        events.append("within")
        return seconds / 2

    monkeypatch.setattr(server, "time", Recorded())
    monkeypatch.setattr(CpuWait, "start", start)
    monkeypatch.setattr(CpuWait, "within", within)
    spec = LoadSpec("builtin", options=slow_start_engine.SlowStart.options)
    process = ModelProcess(ENGINE, spec, isolated=False)
    process.load()
    assert process.load_waited_seconds == process.load_seconds / 2
    timed = process.transcribe(CLIP)
    assert timed.waited_seconds == timed.seconds / 2
    assert events == 2 * ["start", "clock", "clock", "within"]
    process.close()
