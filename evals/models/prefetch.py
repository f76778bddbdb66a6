"""Making things ahead of their use in a thread, so that who uses them need not wait."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
#: How long a closed consumer waits for the item in the making, in seconds.
_PATIENCE = 1.0
#: One that takes long now and then, as a line does that is put on the disk, decides nothing.
_LAST = 16


def ahead(
    items: Iterable[T],
    *,
    most: int,
    size: Callable[[T], int],
    most_bytes: int,
    worth_seconds: float = 0.0,
) -> Generator[T, None, None]:
    """The items, in order, made in a thread while earlier ones are used.

    most, most_bytes: how many may wait, and how large they may be together, as `size` tells it
    in bytes; one item more may be in the making, and one that is larger waits alone. What the
    making raises is raised here, in its place. Closing the generator ends the thread as soon as
    the item in the making is made.

    worth_seconds: no thread is begun before making or using items takes so long each. Two threads
    that do next to nothing for each item take longer than one, since one of them runs at a time.
    """
    if most < 1:
        raise ValueError("at least one item has to wait somewhere")
    if worth_seconds > 0:
        iterator = iter(items)
        try:
            yield from _while_quick(iterator, worth_seconds)
        except GeneratorExit:
            if isinstance(iterator, Generator):
                iterator.close()
            raise
        items = iterator
    belt = _Belt(most, size, most_bytes)
    # A daemon: an item that never comes must not keep the program from ending.
    thread = threading.Thread(target=belt.fill, args=(items,), name="ahead", daemon=True)
    thread.start()
    try:
        yield from belt.taken()
    finally:
        belt.stop()
        thread.join(_PATIENCE)


def _while_quick(items: Iterator[T], limit_seconds: float) -> Iterator[T]:
    """The items for as long as they take less than this on average, of about the last sixteen."""
    seconds = 0.0
    while True:
        start = time.perf_counter()
        try:
            item = next(items)
        except StopIteration:
            return
        made = time.perf_counter()
        yield item
        seconds += (max(made - start, time.perf_counter() - made) - seconds) / _LAST
        if seconds > limit_seconds:
            return


class _Belt(Generic[T]):
    """What waits between the thread that makes and the one that uses."""

    def __init__(self, most: int, size: Callable[[T], int], most_bytes: int) -> None:
        self._most, self._size, self._most_bytes = most, size, most_bytes
        self._changed = threading.Condition()
        self._waiting: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._ended = False
        self._stopped = False
        self._failure: BaseException | None = None

    def fill(self, items: Iterable[T]) -> None:
        """Make the items, until they end or `stop` was called."""
        try:
            iterator = iter(items)
            try:
                while not self._stopped:
                    try:
                        item = next(iterator)
                    except StopIteration:
                        break
                    if not self._put(item, self._size(item)):
                        break
                    del item  # it is the user's now, and may be large
            finally:
                # Here and not by the collector: in its own thread, and at once.
                if isinstance(iterator, Generator):
                    iterator.close()
        except BaseException as failure:  # it belongs to the thread that waits for the item
            self._failure = failure
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def taken(self) -> Iterator[T]:
        """What was made, as it comes."""
        while True:
            with self._changed:
                while not self._waiting and not self._ended:
                    self._changed.wait()
                if not self._waiting:
                    break
                item, size = self._waiting.popleft()
                self._bytes -= size
                self._changed.notify_all()
            yield item
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Nothing more is wanted."""
        with self._changed:
            self._stopped = True
            self._waiting.clear()
            self._changed.notify_all()

    def _put(self, item: T, size: int) -> bool:
        """Let the item wait once there is room for it; False where it is wanted no more."""
        with self._changed:
            while not self._stopped and not self._has_room(size):
                self._changed.wait()
            if self._stopped:
                return False
            self._waiting.append((item, size))
            self._bytes += size
            self._changed.notify_all()
            return True

    def _has_room(self, size: int) -> bool:
        if not self._waiting:
            return True
        return len(self._waiting) < self._most and self._bytes + size <= self._most_bytes
