"""Numbers, and what a manifest marks as mattering: names, dates, amounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.alignment import Aligned
from evals.normalizers import normalizer

#: The manifest's key: a list of the words of the text that matter, as they stand in it.
ENTITIES = "entities"


@dataclass(frozen=True, slots=True)
class Missed:
    """Per utterance, shape (n,): how many there are to hear, and how many were not heard."""

    missed: NDArray[np.float64]
    total: NDArray[np.float64]


def numbers(aligned: Aligned) -> Missed:
    """Words of the reference with a digit, and those that did not come out as they are.

    whisper-english writes numbers, amounts and ordinals in digits whichever way they
    were written; the other normalizers leave number words, which then do not count.
    """
    missed, total = [], []
    for index in range(len(aligned.predictions)):
        edits = [e for e in aligned.edits(index) if e.reference and _has_digit(e.reference)]
        total.append(len(edits))
        missed.append(sum(not edit.is_hit for edit in edits))
    return Missed(np.array(missed, float), np.array(total, float))


def entities(aligned: Aligned) -> Missed:
    """The entities that the manifest marks, and those not in the hypothesis word for word.

    Both are normalized like the text. One that is marked twice must be heard twice; a word
    counts for one entity only.
    """
    normalize = normalizer(aligned.normalizer)
    missed, total = [], []
    for prediction, hypothesis in zip(aligned.predictions, aligned.hypotheses, strict=True):
        wanted = [normalize(str(e)).split() for e in prediction.metadata.get(ENTITIES, ())]
        wanted = sorted((words for words in wanted if words), key=len, reverse=True)
        heard: list[str | None] = list(hypothesis.split())
        total.append(len(wanted))
        missed.append(sum(not _take(words, heard) for words in wanted))
    return Missed(np.array(missed, float), np.array(total, float))


def _has_digit(word: str) -> bool:
    return any(letter.isdigit() for letter in word)


def _take(words: Sequence[str], heard: list[str | None]) -> bool:
    """Whether the words stand in a row in what was heard, where they are crossed out."""
    for start in range(len(heard) - len(words) + 1):
        if heard[start : start + len(words)] == list(words):
            heard[start : start + len(words)] = [None] * len(words)
            return True
    return False
