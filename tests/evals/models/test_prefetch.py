"""Things made ahead in a thread: in order, bounded, with failures in their place, and no leaks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.models.prefetch import ahead

pytestmark = pytest.mark.slow

#: What a test waits for before it says that something hangs.
PATIENCE = 30.0
_LARGE = 10**9


def _eventually(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.002)
    return holds()


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ahead"]


class Made:
    """Counts what was made, and whether the making was closed, and in which thread."""

    def __init__(self, sizes: list[int], fails_at: int | None = None) -> None:
        self.sizes = sizes
        self.fails_at = fails_at
        self.count = 0
        self.closed_in: str | None = None

    def __iter__(self) -> Iterator[tuple[int, int]]:
        try:
            for number, size in enumerate(self.sizes):
                if number == self.fails_at:
                    raise LookupError(f"item {number}")
                self.count = number + 1
                yield number, size
        finally:
            self.closed_in = threading.current_thread().name


def _size(item: tuple[int, int]) -> int:
    return item[1]


@given(
    sizes=st.lists(st.integers(0, 50), max_size=30),
    fails_at=st.none() | st.integers(0, 30),
    stops_at=st.none() | st.integers(0, 30),
    most=st.integers(1, 5),
    most_bytes=st.integers(0, 100),
    worth_seconds=st.sampled_from([0.0, 1e-9, 1000.0]),
)
def test_order_bounds_failures_and_the_end(
    sizes: list[int],
    fails_at: int | None,
    stops_at: int | None,
    most: int,
    most_bytes: int,
    worth_seconds: float,
) -> None:
    made = Made(sizes, fails_at)
    items = ahead(made, most=most, size=_size, most_bytes=most_bytes, worth_seconds=worth_seconds)
    taken: list[int] = []
    failure: LookupError | None = None
    try:
        for number, size in items:
            assert size == sizes[number]
            taken.append(number)
            waiting = made.sizes[len(taken) : made.count]
            # What waits, and one more that was made and has no room yet.
            assert len(waiting) <= most + 1
            assert len(waiting) <= 2 or sum(waiting[:-1]) <= most_bytes
            if len(taken) == stops_at:
                break
    except LookupError as error:
        failure = error
    items.close()
    assert taken == list(range(len(taken)))
    if failure is not None:
        assert str(failure) == f"item {fails_at}"
        assert len(taken) == fails_at
    elif len(taken) != stops_at:
        assert len(taken) == len(sizes)
    assert _eventually(lambda: not _threads())
    assert made.closed_in in ("ahead", None) or worth_seconds


def test_it_is_made_while_the_last_one_is_used() -> None:
    made = Made([1] * 10)
    items = ahead(made, most=3, size=_size, most_bytes=_LARGE)
    assert next(items) == (0, 1)
    assert _eventually(lambda: made.count == 5)  # one used, three waiting, one in the hand
    time.sleep(0.05)
    assert made.count == 5
    items.close()
    assert made.closed_in == "ahead"


def test_a_thread_is_begun_once_items_take_long() -> None:
    made = Made([1] * 40)
    items = ahead(made, most=3, size=_size, most_bytes=_LARGE, worth_seconds=0.01)
    for number in range(10):
        assert next(items) == (number, 1)
    assert not _threads()
    assert made.count == 10
    time.sleep(0.02)  # one alone decides nothing
    next(items)
    assert not _threads()
    time.sleep(0.2)
    next(items)
    assert _eventually(lambda: made.count == 16)
    assert [number for number, _ in items] == list(range(12, 40))


def test_one_larger_than_all_room_waits_alone() -> None:
    items = ahead(Made([100, 100, 1]), most=9, size=_size, most_bytes=10)
    assert [size for _, size in items] == [100, 100, 1]


def test_closing_ends_the_thread_while_it_waits_for_room() -> None:
    made = Made([1] * 100)
    items = ahead(made, most=1, size=_size, most_bytes=_LARGE)
    next(items)
    assert _eventually(lambda: made.count == 3)
    items.close()
    assert not _threads()
    assert made.count == 3


def test_what_is_thrown_away_ends_its_thread_too() -> None:
    items = ahead(Made([1] * 100), most=1, size=_size, most_bytes=_LARGE)
    next(items)
    del items
    assert _eventually(lambda: not _threads())


def test_an_item_that_never_comes_does_not_keep_the_consumer() -> None:
    never = threading.Event()

    def stuck() -> Iterator[int]:
        yield 1
        never.wait(PATIENCE)
        yield 2

    items = ahead(stuck(), most=1, size=lambda _: 1, most_bytes=_LARGE)
    assert next(items) == 1
    closed = threading.Thread(target=items.close)
    closed.start()
    closed.join(PATIENCE / 2)
    assert not closed.is_alive()
    (thread,) = _threads()
    assert thread.daemon  # so that the program ends whatever it does
    never.set()
    assert _eventually(lambda: not _threads())


def test_failures_of_every_kind_come_in_their_place() -> None:
    class Stop(BaseException):
        pass

    def fails() -> Iterator[int]:
        yield 1
        raise Stop

    items = ahead(fails(), most=5, size=lambda _: 1, most_bytes=_LARGE)
    assert next(items) == 1
    with pytest.raises(Stop):
        next(items)
    with pytest.raises(ZeroDivisionError):  # of what tells the size
        list(ahead([0], most=1, size=lambda item: 1 // item, most_bytes=1))
    with pytest.raises(TypeError):  # of what is no iterable
        list(ahead(3, most=1, size=lambda item: 1, most_bytes=1))  # type: ignore[arg-type]


def test_nothing_is_begun_before_it_is_asked_for() -> None:
    made = Made([1])
    items = ahead(made, most=1, size=_size, most_bytes=1)
    assert made.count == 0
    assert not _threads()
    assert list(items) == [(0, 1)]
    with pytest.raises(ValueError, match="at least one"):
        next(ahead([1], most=0, size=lambda _: 1, most_bytes=1))
