"""The errors of each utterance of a corpus as numbers: a few bytes each, and none of the texts."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from evals.measures.statistics.speaker_ids import Speakers
from evals.measures.text.alignment import Aligned, in_batches
from evals.measures.text.error_rate import Counts
from evals.measures.text.sessions import Joined
from evals.records.predictions import Prediction


class Scored(Protocol):
    """What `Counted` and `Aligned` have in common, one row per prediction.

    words, characters: shape (n, 4), see `error_rate`. answered: shape (n,). speakers: whose
    voice each is, or None where that is not known of all. is_mixed: whether characters are among
    the tokens.
    """

    @property
    def predictions(self) -> Iterable[Prediction]: ...
    @property
    def normalizer(self) -> str: ...
    @property
    def is_mixed(self) -> bool: ...
    @property
    def words(self) -> Counts: ...
    @property
    def characters(self) -> Counts: ...
    @property
    def answered(self) -> NDArray[np.bool_]: ...
    @property
    def speakers(self) -> Sequence[Hashable] | None: ...


class Rows:
    """Rows of whole numbers that come in batches and are read as one array, shape (n, width)."""

    def __init__(self, width: int) -> None:
        self._batches: list[NDArray[np.int32]] = [np.zeros((0, width), np.int32)]

    def add(self, rows: NDArray[np.integer[Any]]) -> None:
        """The next batch, shape (some, width)."""
        self._batches.append(rows.astype(np.int32))

    def all(self) -> NDArray[np.int32]:
        """Every row so far."""
        self._batches = [np.concatenate(self._batches)]
        return self._batches[0]


class Counted:
    """The word and character errors of predictions, from one pass over them.

    predictions: where their texts can be read again, if they can be iterated again; the segments
    of a session are one (`sessions.Joined`).
    Raises ValueError for a normalizer that does not exist.
    """

    def __init__(self, predictions: Iterable[Prediction], normalizer_name: str) -> None:
        self.predictions: Iterable[Prediction] = Joined(predictions)
        self.normalizer = normalizer_name
        self.is_mixed = False
        self._words = Rows(4)
        self._characters = Rows(4)
        self._answered = Rows(1)
        self._speakers = Speakers()
        for aligned in in_batches(Joined(self._seen(predictions)), normalizer_name):
            self._add(aligned)

    def _seen(self, predictions: Iterable[Prediction]) -> Iterable[Prediction]:
        """The predictions as they come, before segments are joined."""
        return predictions

    def _add(self, aligned: Aligned) -> None:
        self.is_mixed = self.is_mixed or aligned.is_mixed
        self._words.add(aligned.words)
        self._characters.add(aligned.characters)
        self._answered.add(aligned.answered[:, None].astype(np.int32))
        for prediction in aligned.predictions:
            self._speakers.add(prediction.speaker)

    @property
    def words(self) -> Counts:
        """Shape (n, 4): hits, substitutions, deletions, insertions of each utterance."""
        return self._words.all()

    @property
    def characters(self) -> Counts:
        """Shape (n, 4), over characters."""
        return self._characters.all()

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Shape (n,): whether there is an answer, however wrong."""
        return self._answered.all()[:, 0] > 0

    @cached_property
    def speakers(self) -> Sequence[int] | None:
        """A number for the speaker of each utterance where all are known, else None."""
        return self._speakers.all()
