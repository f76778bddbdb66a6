"""Word and character errors: counts are carried, rates derived from their sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from jiwer import AlignmentChunk

#: One row per utterance: hits, substitutions, deletions, insertions.
Counts: TypeAlias = NDArray[np.integer[Any]]

#: One row per utterance: what became of which words or characters.
Chunks: TypeAlias = "Sequence[Sequence[AlignmentChunk]]"

_COLUMN = {"equal": 0, "substitute": 1, "delete": 2, "insert": 3}


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """Edits of minimum-distance alignments, summed over a corpus."""

    hits: int
    substitutions: int
    deletions: int
    insertions: int

    def __add__(self, other: ErrorRate) -> ErrorRate:
        return ErrorRate(
            self.hits + other.hits,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )

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
    return counts_of(word_chunks(references, hypotheses))


def character_counts(references: Sequence[str], hypotheses: Sequence[str]) -> Counts:
    """Shape (n, 4): as `word_counts`, over characters, spaces included."""

    def align(said: list[str], heard: list[str]) -> Chunks:
        import jiwer

        return jiwer.process_characters(said, heard).alignments

    return counts_of(_aligned(references, hypotheses, lambda text: len(text.strip()), align))


def word_chunks(references: Sequence[str], hypotheses: Sequence[str]) -> Chunks:
    """The alignment of each utterance's words, as jiwer's chunks."""

    def align(said: list[str], heard: list[str]) -> Chunks:
        import jiwer

        return jiwer.process_words(said, heard).alignments

    return _aligned(references, hypotheses, lambda text: len(text.split()), align)


def _aligned(
    references: Sequence[str],
    hypotheses: Sequence[str],
    length: Callable[[str], int],
    align: Callable[[list[str], list[str]], Chunks],
) -> Chunks:
    """Equal texts, and those that are not there, have one alignment: most need no more.

    length: how many words or characters a text has. align: texts with anything to compare.
    """
    from jiwer import AlignmentChunk

    pairs = list(zip(references, hypotheses, strict=True))
    unlike = [pair for pair in pairs if pair[0] != pair[1] and all(pair)]
    others = iter(align([a for a, _ in unlike], [b for _, b in unlike]) if unlike else ())
    found: list[Sequence[AlignmentChunk]] = []
    for said, heard in pairs:
        if said == heard:
            n = length(said)
            found.append([AlignmentChunk("equal", 0, n, 0, n)] if n else [])
        elif not heard:
            found.append([AlignmentChunk("delete", 0, length(said), 0, 0)])
        elif not said:
            found.append([AlignmentChunk("insert", 0, 0, 0, length(heard))])
        else:
            found.append(next(others))
    return found


def total(counts: Counts) -> ErrorRate:
    """The corpus's sums."""
    hits, substitutions, deletions, insertions = (int(n) for n in counts.sum(axis=0))
    return ErrorRate(hits, substitutions, deletions, insertions)


def counts_of(alignments: Chunks) -> Counts:
    """Shape (n, 4): the counts in jiwer's alignments."""
    rows = []
    for chunks in alignments:
        row = [0, 0, 0, 0]
        for chunk in chunks:
            # An insertion has no reference words, every other edit as many as it has hypotheses'.
            row[_COLUMN[chunk.type]] += max(
                chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx
            )
        rows.append(row)
    return np.array(rows, np.int64).reshape(-1, 4)
