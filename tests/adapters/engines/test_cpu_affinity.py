"""Threads that a library starts are held to the CPUs that the session allows."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator

import pytest

from adapters.engines.shared.cpu_affinity import held_to, threads_of_process

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2,
    reason="holds threads on Linux, of more than one CPU",
)


@pytest.fixture
def pool() -> Iterator[int]:
    """A thread beside the test's own."""
    done = threading.Event()
    before = threads_of_process()
    thread = threading.Thread(target=done.wait)
    thread.start()
    (other,) = threads_of_process() - before
    yield other
    done.set()
    thread.join()


def test_one_thread_is_one_cpu_on_which_the_caller_comes_first(pool: int) -> None:
    before = os.sched_getaffinity(0)
    with held_to(1, [pool]):
        own = os.sched_getaffinity(0)
        assert len(own) == 1
        assert os.sched_getaffinity(pool) == own
        here = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        assert os.getpriority(os.PRIO_PROCESS, pool) > here
    assert os.sched_getaffinity(0) == before
    assert os.sched_getaffinity(pool) == own


def test_as_many_threads_as_cpus_are_left_alone(pool: int) -> None:
    before = os.sched_getaffinity(0)
    with held_to(len(before), [pool]):
        assert os.sched_getaffinity(0) == before
    assert os.sched_getaffinity(pool) == before


def test_caller_gets_its_cpus_back_after_an_error(pool: int) -> None:
    before = os.sched_getaffinity(0)
    with pytest.raises(ValueError, match="wrong"), held_to(1, [pool]):
        raise ValueError("wrong")
    assert os.sched_getaffinity(0) == before


def test_thread_that_ended_is_no_error() -> None:
    thread = threading.Thread(target=lambda: None)
    thread.start()
    ended = thread.native_id
    thread.join()
    assert ended is not None
    with held_to(1, [ended]):
        pass
