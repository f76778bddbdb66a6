"""Which utterances go to a model together: those of like length, without reading far ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def batches(
    items: Iterable[T],
    *,
    size: Callable[[], int],
    seconds: Callable[[T], float],
    look_ahead: int,
    most_seconds: float,
) -> Iterator[list[T]]:
    """Every item once, in batches of like length.

    size: how many make a batch, from 1; asked before each batch, since it may shrink meanwhile.
    seconds: how long an item lasts. look_ahead: items held at most, from 1; those of 8 batches
    leave little to pad. most_seconds: what is held lasts no longer than this together, but for
    one item, whose length is known when it has been read.

    A batch is the oldest item held and those that are closest to it in length, the longest
    first, so that no item waits for more than the batches that those before it make.
    """
    source = enumerate(items)
    held: list[tuple[float, int, T]] = []  # the oldest first
    spare: tuple[float, int, T] | None = None  # read, but for it there was no room
    ended = False
    while True:
        total = sum(length for length, _, _ in held)
        while not ended and len(held) < look_ahead:
            if spare is None:
                number_item = next(source, None)
                if number_item is None:
                    ended = True
                    break
                number, item = number_item
                spare = (seconds(item), number, item)
            if held and total + spare[0] > most_seconds:
                break
            held.append(spare)
            total += spare[0]
            spare = None
        if not held:
            return
        oldest = held[0]
        near = sorted(held, key=lambda row: (abs(row[0] - oldest[0]), row[1]))
        chosen = {number for _, number, _ in near[: max(1, size())]}
        batch = sorted((row for row in held if row[1] in chosen), key=lambda row: (-row[0], row[1]))
        held = [row for row in held if row[1] not in chosen]
        yield [item for _, _, item in batch]
