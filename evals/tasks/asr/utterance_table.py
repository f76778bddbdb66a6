"""All that a recognizer's predictions on a corpus tell, read in one pass, kept as numbers.

Some 150 bytes an utterance, however long it is: a batch's texts are let go once it is scored,
so that a corpus may have any number of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from evals.measures.speed.timings import Timings
from evals.measures.text.alignment import Aligned, align
from evals.measures.text.casing_and_punctuation import Written, orthography
from evals.measures.text.confusions import Confusions
from evals.measures.text.entities import entities, numbers
from evals.measures.text.error_counts import Counted, Rows
from evals.measures.text.error_rate import ErrorRate, total
from evals.measures.text.normalizers import NORMALIZERS, scoring_of
from evals.measures.text.slices import Part, Parts
from evals.records.predictions import Prediction
from evals.tasks.asr.batched import Batching
from evals.tasks.asr.speakers import Sessions


class Table(Counted):
    """The errors of each utterance, and what else there is to know of it.

    looping: how many hypotheses repeat themselves as their references do not. annotations: marks
    of non-speech in hypotheses. used: how often each reference but the first was the one that
    counted, by its place; has_alternatives: whether any row has several.
    languages: rows by the code of their language. sessions: segments of longer recordings.
    batching: those heard with batching and without.
    under: the sums of word errors under each other normalizer.
    """

    def __init__(self, predictions: Iterable[Prediction], normalizer_name: str) -> None:
        self.looping = 0
        self.annotations = 0
        self.has_alternatives = False
        self.used: Counter[int] = Counter()
        self.languages: Counter[str] = Counter()
        self.sessions = Sessions()
        self.batching = Batching()
        self.timings = Timings()
        self.confusions = Confusions()
        self.written = Written()
        self.under = {
            name: ErrorRate(0, 0, 0, 0) for name in NORMALIZERS if name != normalizer_name
        }
        self._parts = Parts()
        self._numbers = Rows(2)
        self._entities = Rows(2)
        self._orthography = Rows(4)
        super().__init__(predictions, normalizer_name)

    def _seen(self, predictions: Iterable[Prediction]) -> Iterable[Prediction]:
        """The predictions as they come; what is of each segment of a session is counted here."""
        for prediction in predictions:
            self.timings.add((prediction,))
            self.sessions.add(prediction)
            self.languages[scoring_of(prediction.lang).code] += 1
            yield prediction

    def _add(self, aligned: Aligned) -> None:
        super()._add(aligned)
        predictions = aligned.predictions
        self.looping += aligned.loops
        self.annotations += aligned.annotations
        self.has_alternatives |= any(p.alternatives for p in predictions)
        self.used.update(place for place in aligned.used if place)
        self.confusions.add(aligned)
        self.written.add(p.reference for p in predictions)
        self.batching = self.batching.with_more(predictions, self.normalizer)
        self._parts.add(predictions)
        self._numbers.add(numbers(aligned))
        self._entities.add(entities(aligned))
        self._orthography.add(orthography(predictions))
        for name, sums in self.under.items():
            self.under[name] = sums + total(align(predictions, name).words)

    @property
    def parts(self) -> list[Part]:
        """What utterances have in common; see `slices`."""
        return self._parts.all()

    @property
    def numbers(self) -> NDArray[np.int32]:
        """Shape (n, 2), see `entities.numbers`."""
        return self._numbers.all()

    @property
    def entities(self) -> NDArray[np.int32]:
        """Shape (n, 2), see `entities.entities`."""
        return self._entities.all()

    @property
    def orthography(self) -> NDArray[np.int32]:
        """Shape (n, 4), see `orthography.orthography`."""
        return self._orthography.all()


def tabulate(predictions: Iterable[Prediction], normalizer_name: str) -> Table:
    """Read the predictions once, in order. Raises ValueError for an unknown name."""
    return Table(predictions, normalizer_name)
