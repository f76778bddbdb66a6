"""Whose voice each utterance of a corpus is, as a number."""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

#: Fewer speakers than this say too little of how speakers differ: a figure is then of these
#: people alone, and its interval is over utterances.
FEWEST_SPEAKERS = 5
_UNKNOWN = -1


class Speakers:
    """One number per utterance: speakers are numbered as they first appear."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._said = array("i")

    def add(self, speaker: str | None) -> None:
        """The speaker of the next utterance; None where nobody knows."""
        if speaker is None:
            self._said.append(_UNKNOWN)
        else:
            self._said.append(self._numbers.setdefault(speaker, len(self._numbers)))

    def all(self, of: NDArray[np.bool_] | None = None) -> list[int] | None:
        """The number of each utterance, or of those that `of` picks; None unless all are known."""
        numbers = np.array(self._said, np.int32)
        if of is not None:
            numbers = numbers[of]
        known: list[int] = numbers.tolist()
        return None if _UNKNOWN in known else known
