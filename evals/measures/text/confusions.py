"""The words that a model gets wrong most often, and as what."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace
from heapq import nsmallest

import numpy as np
from numpy.typing import NDArray

from evals.measures.text.alignment import Aligned
from evals.measures.text.scoring import unseen_difference

#: Edits kept one by one before they are counted. Both cost time the more often they are done.
_COUNTED_AT = 2**17


@dataclass(frozen=True, slots=True)
class Confusion:
    """reference None: an insertion; hypothesis None: a deletion.

    unseen: the code points in which the two differ, where a reader cannot see it.
    """

    reference: str | None
    hypothesis: str | None
    count: int
    unseen: str | None = None


class Confusions:
    """Counts word errors: a number for each word, two of them and a count for each confusion.

    As a dictionary of pairs, what a bad model confuses would take ten times the memory.
    """

    def __init__(self) -> None:
        self._numbers: dict[str | None, int] = {None: 0}
        self._edits = array("q")
        self._pairs: NDArray[np.int64] = np.zeros(0, np.int64)
        self._counts: NDArray[np.int64] = np.zeros(0, np.int64)

    def add(self, aligned: Aligned) -> None:
        """The errors of these predictions."""
        numbers = self._numbers
        for index, wrong in enumerate(aligned.words[:, 1:].any(axis=1).tolist()):
            if not wrong:
                continue
            for edit in aligned.edits(index):
                if not edit.is_hit:
                    said, heard = (
                        numbers.setdefault(word, len(numbers))
                        for word in (edit.reference, edit.hypothesis)
                    )
                    self._edits.append(said << 32 | heard)
        if len(self._edits) >= _COUNTED_AT:
            self._count()

    def most(self, most: int = 20) -> list[Confusion]:
        """The `most` frequent word errors, the commonest first, then by the words themselves."""
        self._count()
        words = list(self._numbers)
        counts = self._counts
        least = 0 if len(counts) <= most else np.partition(counts, -most)[-most]
        found = (
            Confusion(words[pair >> 32], words[pair & (2**32 - 1)], count)
            for pair, count in zip(
                self._pairs[counts >= least].tolist(), counts[counts >= least].tolist(), strict=True
            )
        )
        most_often = nsmallest(
            most, found, lambda c: (-c.count, c.reference or "", c.hypothesis or "")
        )
        return [
            replace(one, unseen=unseen_difference(one.reference, one.hypothesis))
            for one in most_often
        ]

    def _count(self) -> None:
        edits = np.array(self._edits, np.int64)
        self._edits = array("q")
        ones = np.ones(len(edits), np.int64)
        self._pairs, places = np.unique(np.concatenate([self._pairs, edits]), return_inverse=True)
        every = np.concatenate([self._counts, ones])
        self._counts = np.bincount(places, weights=every, minlength=len(self._pairs)).astype(
            np.int64
        )
