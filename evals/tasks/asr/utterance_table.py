"""All that a recognizer's predictions on a corpus tell, read in one pass, kept as numbers.

Some 150 bytes an utterance, however long it is: a batch's texts are let go once it is scored,
so that a corpus may have any number of them.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from evals.measures.speed.timings import Timings
from evals.measures.text.alignment import Aligned
from evals.measures.text.casing_and_punctuation import Written, orthography
from evals.measures.text.confusions import Confusions
from evals.measures.text.entities import entities, numbers
from evals.measures.text.error_counts import Counted, Rows
from evals.measures.text.error_rate import ErrorRate, total, word_counts
from evals.measures.text.normalizers import NORMALIZERS, normalizer
from evals.measures.text.slices import Part, Parts
from evals.records.predictions import Prediction
from evals.tasks.hallucination.scores import loops


class Table(Counted):
    """The errors of each utterance, and what else there is to know of it.

    looping: how many hypotheses repeat themselves as their references do not.
    heard_twice: how many were heard in a batch and alone; changed: those with another text then.
    under: the sums of word errors under each other normalizer.
    """

    def __init__(self, predictions: Iterable[Prediction], normalizer_name: str) -> None:
        self.looping = 0
        self.heard_twice = 0
        self.changed = 0
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

    def _add(self, aligned: Aligned) -> None:
        super()._add(aligned)
        predictions = aligned.predictions
        self.looping += sum(map(loops, aligned.references, aligned.hypotheses))
        self.heard_twice += sum(p.alone is not None for p in predictions)
        self.changed += sum(p.alone not in (None, p.hypothesis) for p in predictions)
        self.timings.add(predictions)
        self.confusions.add(aligned)
        self.written.add(p.reference for p in predictions)
        self._parts.add(predictions)
        self._numbers.add(numbers(aligned))
        self._entities.add(entities(aligned))
        self._orthography.add(orthography(predictions))
        for name, sums in self.under.items():
            normalize = normalizer(name)
            references = [normalize(p.reference) for p in predictions]
            hypotheses = [normalize(p.hypothesis) for p in predictions]
            self.under[name] = sums + total(word_counts(references, hypotheses))

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
    """Read the predictions once, in order. Raises ValueError for an unknown normalizer."""
    return Table(predictions, normalizer_name)
