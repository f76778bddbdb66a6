"""Numbers, and what a manifest marks as mattering: names, dates, amounts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evals.measures.text.alignment import Aligned, AlignedReadings
from evals.measures.text.normalizers import SPOKEN, scoring_of, words_of
from evals.measures.text.scoring import missing_entities
from evals.records.predictions import Prediction
from fixtures.corpora.fields import ENTITIES


def numbers(aligned: Aligned) -> NDArray[np.int32]:
    """Shape (n, 2): wrong numbers, and all numbers of the reference.

    Under the default scoring a number is one however it is written, and one that the hypothesis
    adds is wrong too. Under a published normalizer it is a word with a digit in it:
    whisper-english writes numbers in digits, the others leave number words, which then do not
    count.
    """
    if isinstance(aligned, AlignedReadings):
        rows = [(s.numbers.errors, s.numbers.total) for s in aligned.scored]
        return np.array(rows, np.int32).reshape(-1, 2)
    rows = []
    for index in range(len(aligned.predictions)):
        # Most texts hold no digit, and which words they were heard as is not wanted then.
        edits = aligned.edits(index) if _has_digit(aligned.texts(index)[0]) else ()
        told = [e for e in edits if e.reference and _has_digit(e.reference)]
        rows.append((sum(not edit.is_hit for edit in told), len(told)))
    return np.array(rows, np.int32).reshape(-1, 2)


def entities(aligned: Aligned) -> NDArray[np.int32]:
    """Shape (n, 2): entities not in the hypothesis word for word, and all that are marked.

    Both are scored like the text, so that another writing of an entity is it too. One that is
    marked twice must be heard twice; a word counts for one entity only.
    """
    rows = [_missed(p, aligned.normalizer) for p in aligned.predictions]
    return np.array(rows, np.int32).reshape(-1, 2)


def _missed(prediction: Prediction, name: str) -> tuple[int, int]:
    marked = [str(e) for e in prediction.metadata.get(ENTITIES) or ()]
    if not marked:
        return 0, 0
    if name == SPOKEN:
        language = scoring_of(prediction.lang).language
        return len(missing_entities(prediction.hypothesis, marked, language)), len(marked)
    wanted = [words_of(e, name, prediction.lang) for e in marked]
    wanted = sorted((words for words in wanted if words), key=len, reverse=True)
    heard: list[str | None] = [*words_of(prediction.hypothesis, name, prediction.lang)]
    return sum(not _take(words, heard) for words in wanted), len(wanted)


def _has_digit(word: str) -> bool:
    return any(map(str.isdigit, word))


def _take(words: Sequence[str], heard: list[str | None]) -> bool:
    """Whether the words stand in a row in what was heard, where they are crossed out."""
    for start in range(len(heard) - len(words) + 1):
        if heard[start : start + len(words)] == list(words):
            heard[start : start + len(words)] = [None] * len(words)
            return True
    return False
