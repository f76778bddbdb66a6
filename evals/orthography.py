"""Capitals and punctuation, on the raw text: what normalizing takes away."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.predictions import Prediction

#: A word with its apostrophes and hyphens, and the marks that follow it.
_WORD = re.compile(r"([^\W_]+(?:['’\-][^\W_]+)*)([^\w\s]*)")  # noqa: RUF001 - the apostrophe that books use
_MARKS = frozenset(".,?!:;…。、？！،؟")  # noqa: RUF001 - full-width and Arabic marks are meant


@dataclass(frozen=True, slots=True)
class Orthography:
    """Per utterance, shape (n,): errors, and what they are a share of.

    casing: words heard right but for a capital, of all words heard right that have letters
    with two cases. punctuation: marks wrong, missed or added, of the reference's marks. Both
    look only at words that are right, so that a word error is not counted again here.
    """

    casing_errors: NDArray[np.float64]
    cased_words: NDArray[np.float64]
    punctuation_errors: NDArray[np.float64]
    marks: NDArray[np.float64]


def orthography(predictions: Sequence[Prediction]) -> Orthography:
    """Capitals and marks of the raw texts, aligned without them."""
    import jiwer

    rows = []
    for prediction in predictions:
        said, heard = _words(prediction.reference), _words(prediction.hypothesis)
        pairs: list[tuple[tuple[str, str], tuple[str, str]]] = []
        if said and heard:
            plain = [" ".join(word.casefold() for word, _ in side) for side in (said, heard)]
            (chunks,) = jiwer.process_words([plain[0]], [plain[1]]).alignments
            for chunk in chunks:
                if chunk.type == "equal":
                    ours = said[chunk.ref_start_idx : chunk.ref_end_idx]
                    pairs += zip(ours, heard[chunk.hyp_start_idx : chunk.hyp_end_idx], strict=True)
        cased = [(a, b) for (a, _), (b, _) in pairs if a.lower() != a.upper()]
        rows.append(
            (
                sum(a != b for a, b in cased),
                len(cased),
                sum(a != b for (_, a), (_, b) in pairs),
                sum(bool(a) for (_, a), _ in pairs),
            )
        )
    table = np.array(rows, float).reshape(-1, 4)
    return Orthography(*table.T)


def has_capitals(texts: Sequence[str]) -> bool:
    """Whether the references tell capitals from small letters."""
    joined = "".join(texts)
    return joined not in (joined.lower(), joined.upper())


def has_marks(texts: Sequence[str]) -> bool:
    """Whether the references are punctuated at all."""
    return any(mark in text for text in texts for mark in _MARKS)


def _words(text: str) -> list[tuple[str, str]]:
    return [
        (match[1], "".join(mark for mark in match[2] if mark in _MARKS))
        for match in _WORD.finditer(text)
    ]
