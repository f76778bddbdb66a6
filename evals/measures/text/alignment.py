"""References and hypotheses normalized and aligned once; everything else reads from that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from evals.measures.text.error_rate import Chunks, Counts, character_counts, counts_of, word_chunks
from evals.measures.text.normalizers import normalizer
from evals.records.predictions import Prediction

#: Predictions whose texts are in memory at once where a corpus is scored.
BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Edit:
    """What became of one word; None stands for the word that is not there."""

    reference: str | None
    hypothesis: str | None

    @property
    def is_hit(self) -> bool:
        return self.reference == self.hypothesis


@dataclass(frozen=True)
class Aligned:
    """The predictions of one model on one corpus, aligned word by word under one normalizer.

    references, hypotheses: normalized text, one per prediction.
    """

    predictions: Sequence[Prediction]
    normalizer: str
    references: Sequence[str]
    hypotheses: Sequence[str]
    chunks: Chunks

    @cached_property
    def words(self) -> Counts:
        """Shape (n, 4): hits, substitutions, deletions, insertions of each utterance."""
        return counts_of(self.chunks)

    @cached_property
    def characters(self) -> Counts:
        """Shape (n, 4), over characters, spaces included."""
        return character_counts(self.references, self.hypotheses)

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Shape (n,): whether there is an answer, however wrong."""
        return np.array([p.error is None for p in self.predictions], bool)

    @property
    def speakers(self) -> list[str] | None:
        """The speaker of each utterance where all are known, else None."""
        return speakers_of(self.predictions)

    def edits(self, index: int) -> Iterator[Edit]:
        """The words of one utterance in order, each with what it became."""
        reference = self.references[index].split()
        hypothesis = self.hypotheses[index].split()
        for chunk in self.chunks[index]:
            said = reference[chunk.ref_start_idx : chunk.ref_end_idx]
            heard = hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]
            for place in range(max(len(said), len(heard))):
                yield Edit(
                    said[place] if place < len(said) else None,
                    heard[place] if place < len(heard) else None,
                )


def align(predictions: Iterable[Prediction], normalizer_name: str) -> Aligned:
    """Normalize with the normalizer of that name and align with jiwer; all of it in memory."""
    normalize = normalizer(normalizer_name)
    kept = tuple(predictions)
    references = [normalize(p.reference) for p in kept]
    hypotheses = [normalize(p.hypothesis) for p in kept]
    chunks = word_chunks(references, hypotheses)
    return Aligned(kept, normalizer_name, references, hypotheses, chunks)


def in_batches(predictions: Iterable[Prediction], normalizer_name: str) -> Iterator[Aligned]:
    """The predictions in order, BATCH of them aligned at a time, each seen once and let go."""
    left = iter(predictions)
    while some := tuple(islice(left, BATCH)):
        yield align(some, normalizer_name)


def speakers_of(predictions: Sequence[Prediction]) -> list[str] | None:
    """The speaker of each utterance where all are known, else None."""
    speakers = [p.speaker for p in predictions if p.speaker is not None]
    return speakers if len(speakers) == len(predictions) else None
