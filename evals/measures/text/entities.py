"""Numbers, and what a manifest marks as mattering: names, dates, amounts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evals.measures.text.alignment import Aligned
from evals.measures.text.normalizers import normalizer
from fixtures.corpora.fields import ENTITIES


def numbers(aligned: Aligned) -> NDArray[np.int32]:
    """Shape (n, 2): words with a digit that did not come out as they are, and all such words.

    Both are of the reference. whisper-english writes numbers, amounts and ordinals in digits
    whichever way they were written; the other normalizers leave number words, which then do not
    count.
    """
    rows = []
    for index, reference in enumerate(aligned.references):
        # Most texts hold no digit, and which words they were heard as is not wanted then.
        edits = aligned.edits(index) if _has_digit(reference) else ()
        told = [e for e in edits if e.reference and _has_digit(e.reference)]
        rows.append((sum(not edit.is_hit for edit in told), len(told)))
    return np.array(rows, np.int32).reshape(-1, 2)


def entities(aligned: Aligned) -> NDArray[np.int32]:
    """Shape (n, 2): entities not in the hypothesis word for word, and all that are marked.

    Both are normalized like the text. One that is marked twice must be heard twice; a word
    counts for one entity only.
    """
    normalize = normalizer(aligned.normalizer)
    rows = []
    for prediction, hypothesis in zip(aligned.predictions, aligned.hypotheses, strict=True):
        wanted = [normalize(str(e)).split() for e in prediction.metadata.get(ENTITIES) or ()]
        wanted = sorted((words for words in wanted if words), key=len, reverse=True)
        heard: list[str | None] = list(hypothesis.split())
        rows.append((sum(not _take(words, heard) for words in wanted), len(wanted)))
    return np.array(rows, np.int32).reshape(-1, 2)


def _has_digit(word: str) -> bool:
    return any(map(str.isdigit, word))


def _take(words: Sequence[str], heard: list[str | None]) -> bool:
    """Whether the words stand in a row in what was heard, where they are crossed out."""
    for start in range(len(heard) - len(words) + 1):
        if heard[start : start + len(words)] == list(words):
            heard[start : start + len(words)] = [None] * len(words)
            return True
    return False
