"""Which errors are shown where there are too many: a fixed rule, the same for each rendering."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Sequence
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")
#: How many errors, and the place in its file as a negative number: the more shown, the greater.
_Rank: TypeAlias = tuple[int, int]


def shares(wanted: Sequence[int], most: int) -> list[int]:
    """How many of each group's may be shown, `most` in all.

    What a small group leaves is shared by the others, so that all groups are shown alike.
    """
    given = [0] * len(wanted)
    left = most
    waiting = sorted(range(len(wanted)), key=lambda i: wanted[i])
    for place, group in enumerate(waiting):
        given[group] = min(wanted[group], left // (len(waiting) - place))
        left -= given[group]
    return given


class Sample(Generic[T]):
    """The errors of a group that may be shown, `most` of them, out of any number.

    total: how many there were. All are kept where there are no more than `most`. Else the half
    with the most errors, and of the others those whose ids have the lowest SHA-256 under the
    seed: the same utterances for each model.
    """

    def __init__(self, most: int, *, seed: int = 0) -> None:
        self.total = 0
        self._seed = seed
        self._room = (most + 1) // 2, most // 2
        # Heaps, so that the one that gives way to a better one is at hand.
        self._worst: list[tuple[_Rank, str, T]] = []
        self._drawn: list[tuple[int, _Rank, T]] = []

    def offer(self, id: str, errors: int, make: Callable[[], T]) -> None:
        """The next one of the file; it is only made where it is kept."""
        rank = (errors, -self.total)
        self.total += 1
        if len(self._worst) < self._room[0]:
            heapq.heappush(self._worst, (rank, id, make()))
        elif self._worst and rank > self._worst[0][0]:
            least, other, made = heapq.heapreplace(self._worst, (rank, id, make()))
            self._draw(least, other, lambda: made)
        else:
            self._draw(rank, id, make)

    def best(self, most: int) -> list[T]:
        """The worst first; `most`: no more than the sample has room for."""
        kept = [(rank, self._lot(id), one) for rank, id, one in self._worst]
        kept += [(rank, lot, one) for lot, rank, one in self._drawn]
        kept.sort(key=lambda one: one[0], reverse=True)
        if self.total > most:
            half = (most + 1) // 2
            others = sorted(kept[half:], key=lambda one: one[1], reverse=True)
            kept = kept[:half] + others[: most - half]
            kept.sort(key=lambda one: one[0], reverse=True)
        return [one for _, _, one in kept]

    def _draw(self, rank: _Rank, id: str, make: Callable[[], T]) -> None:
        lot = self._lot(id)
        if len(self._drawn) < self._room[1]:
            heapq.heappush(self._drawn, (lot, rank, make()))
        elif self._drawn and (lot, rank) > self._drawn[0][:2]:
            heapq.heapreplace(self._drawn, (lot, rank, make()))

    def _lot(self, id: str) -> int:
        """The greater the likelier to be shown."""
        text = f"{self._seed}\0{id}".encode("utf-8", "surrogatepass")
        return -int.from_bytes(hashlib.sha256(text).digest())
