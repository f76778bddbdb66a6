"""Capitals and punctuation, on the raw text: what normalizing takes away."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from evals.measures.text.error_rate import word_chunks
from evals.records.predictions import Prediction

#: A word with its apostrophes and hyphens, and the marks that follow it.
_WORD = re.compile(r"([^\W_]+(?:['’\-][^\W_]+)*)([^\w\s]*)")  # noqa: RUF001 - the apostrophe that books use
_MARKS = frozenset(".,?!:;…。、？！،؟")  # noqa: RUF001 - full-width and Arabic marks are meant


def orthography(predictions: Sequence[Prediction]) -> NDArray[np.int32]:
    """Shape (n, 4), of the raw texts: errors, and what they are a share of.

    Casing errors, cased words: words heard right but for a capital, of all words heard right
    that have letters with two cases. Punctuation errors, marks: marks wrong, missed or added, of
    the reference's marks. All are of words that are right, so that a word error is not counted
    again here.
    """
    words = []
    for p in predictions:
        said = _words(p.reference)
        words.append((said, said if p.hypothesis == p.reference else _words(p.hypothesis)))
    plain = [tuple(" ".join(w.casefold() for w, _ in side) for side in both) for both in words]
    rows = []
    for (said, heard), chunks in zip(
        words, word_chunks([a for a, _ in plain], [b for _, b in plain]), strict=True
    ):
        pairs: list[tuple[tuple[str, str], tuple[str, str]]] = []
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
    return np.array(rows, np.int32).reshape(-1, 4)


class Written:
    """How references are written, so far: whether capitals and marks in them say anything."""

    def __init__(self) -> None:
        self._has_small = self._has_large = self.has_marks = False

    def add(self, texts: Iterable[str]) -> None:
        """The next references."""
        for text in texts:
            self._has_large = self._has_large or text != text.lower()
            self._has_small = self._has_small or text != text.upper()
            self.has_marks = self.has_marks or not _MARKS.isdisjoint(text)

    @property
    def has_capitals(self) -> bool:
        """Whether they tell capitals from small letters."""
        return self._has_large and self._has_small


def _words(text: str) -> list[tuple[str, str]]:
    return [
        (match[1], "".join(mark for mark in match[2] if mark in _MARKS))
        for match in _WORD.finditer(text)
    ]
