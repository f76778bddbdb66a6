"""References and hypotheses normalized and aligned once; everything else reads from that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from evals.error_rate import Counts, character_counts, counts_of
from evals.normalizers import normalizer
from evals.predictions import Prediction

if TYPE_CHECKING:
    from jiwer import AlignmentChunk


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
    chunks: Sequence[Sequence[AlignmentChunk]]

    @cached_property
    def words(self) -> Counts:
        """Shape (n, 4): hits, substitutions, deletions, insertions of each utterance."""
        return counts_of(self.chunks)

    @cached_property
    def characters(self) -> Counts:
        """Shape (n, 4), over characters, spaces included."""
        return character_counts(self.references, self.hypotheses)

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


def align(predictions: Sequence[Prediction], normalizer_name: str) -> Aligned:
    """Normalize with the normalizer of that name and align with jiwer."""
    normalize = normalizer(normalizer_name)
    references = [normalize(p.reference) for p in predictions]
    hypotheses = [normalize(p.hypothesis) for p in predictions]
    chunks: Sequence[Sequence[AlignmentChunk]] = ()
    if references:
        import jiwer

        chunks = jiwer.process_words(references, hypotheses).alignments
    return Aligned(predictions, normalizer_name, references, hypotheses, chunks)


def speakers_of(predictions: Sequence[Prediction]) -> list[str] | None:
    """The speaker of each utterance where all are known, else None."""
    speakers = [p.speaker for p in predictions if p.speaker is not None]
    return speakers if len(speakers) == len(predictions) else None
