"""Word and character errors: counts are carried, rates derived from their sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from jiwer import AlignmentChunk

#: One row per utterance: hits, substitutions, deletions, insertions.
Counts: TypeAlias = NDArray[np.int64]

_COLUMN = {"equal": 0, "substitute": 1, "delete": 2, "insert": 3}


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """Edits of minimum-distance alignments, summed over a corpus."""

    hits: int
    substitutions: int
    deletions: int
    insertions: int

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def length(self) -> int:
        """Words or characters of the references."""
        return self.hits + self.substitutions + self.deletions

    @property
    def rate(self) -> float | None:
        """(S + D + I) / (H + S + D); None where the references hold nothing."""
        return self.errors / self.length if self.length else None

    @property
    def match_error_rate(self) -> float | None:
        """MER: (S + D + I) / (H + S + D + I), at most 1 (Morris et al. 2004)."""
        return self.errors / (self.hits + self.errors) if self.hits + self.errors else None

    @property
    def information_lost(self) -> float | None:
        """WIL: 1 - H/N1 * H/N2 for N1 words of the references, N2 of the hypotheses (ibid.)."""
        heard = self.hits + self.substitutions + self.insertions
        if not self.length:
            return None
        return 1 - (self.hits / self.length) * (self.hits / heard if heard else 0.0)


def word_counts(references: Sequence[str], hypotheses: Sequence[str]) -> Counts:
    """Shape (n, 4): the word edits of each utterance, aligned by jiwer.

    Words are what whitespace separates in text that is normalized already. An
    empty hypothesis is all deletions, an empty reference all insertions.
    """
    if not references:
        return np.zeros((0, 4), dtype=np.int64)
    import jiwer

    return counts_of(jiwer.process_words(list(references), list(hypotheses)).alignments)


def character_counts(references: Sequence[str], hypotheses: Sequence[str]) -> Counts:
    """Shape (n, 4): as `word_counts`, over characters, spaces included."""
    if not references:
        return np.zeros((0, 4), dtype=np.int64)
    import jiwer

    return counts_of(jiwer.process_characters(list(references), list(hypotheses)).alignments)


def total(counts: Counts) -> ErrorRate:
    """The corpus's sums."""
    hits, substitutions, deletions, insertions = (int(n) for n in counts.sum(axis=0))
    return ErrorRate(hits, substitutions, deletions, insertions)


def counts_of(alignments: Sequence[Sequence[AlignmentChunk]]) -> Counts:
    """Shape (n, 4): the counts in jiwer's alignments."""
    counts = np.zeros((len(alignments), 4), dtype=np.int64)
    for row, chunks in zip(counts, alignments, strict=True):
        for chunk in chunks:
            # An insertion has no reference words, every other edit as many as it has hypotheses'.
            row[_COLUMN[chunk.type]] += max(
                chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx
            )
    return counts
