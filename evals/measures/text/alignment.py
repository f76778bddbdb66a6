"""References and hypotheses tokenized and aligned once; everything else reads from that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evals.measures.text.error_rate import Chunks, Counts, character_counts, counts_of, word_chunks
from evals.measures.text.normalizers import SPOKEN, normalizer, scoring_of
from evals.measures.text.scoring import Scored, is_unspaced, loops, without_annotations
from evals.records.predictions import Prediction

if TYPE_CHECKING:
    from jiwer import AlignmentChunk

#: Predictions whose texts are in memory at once where a corpus is scored.
BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Edit:
    """What became of one token; None stands for the token that is not there."""

    reference: str | None
    hypothesis: str | None

    @property
    def is_hit(self) -> bool:
        return self.reference == self.hypothesis


@dataclass(frozen=True)
class Aligned(ABC):
    """The predictions of one model on one corpus, aligned token by token.

    normalizer: the name of how they were scored. used: for each prediction which of its
    references it was scored against, 0 for the first.
    """

    predictions: Sequence[Prediction]
    normalizer: str
    used: Sequence[int]

    @property
    @abstractmethod
    def words(self) -> Counts:
        """Shape (n, 4): hits, substitutions, deletions, insertions of each utterance.

        Of words; under the default scoring of characters where a script has no spaces.
        """

    @property
    @abstractmethod
    def characters(self) -> Counts:
        """Shape (n, 4), over characters; under a published normalizer spaces count too."""

    @abstractmethod
    def edits(self, index: int) -> Iterator[Edit]:
        """The tokens of one utterance in order, each with what it became."""

    @abstractmethod
    def texts(self, index: int) -> tuple[str, str]:
        """The tokens of the reference and of the hypothesis as compared, a space between two."""

    @property
    def loops(self) -> int:
        """How many hypotheses repeat themselves as their references do not."""
        return sum(
            loops(p.reference, p.hypothesis, scoring_of(p.lang).code) for p in self.predictions
        )

    @property
    def annotations(self) -> int:
        """Marks of non-speech in the hypotheses, such as [noise]."""
        return sum(without_annotations(p.hypothesis)[1] for p in self.predictions)

    @property
    def is_mixed(self) -> bool:
        """Whether characters are among the tokens, since a script has no spaces."""
        return self.normalizer == SPOKEN and any(is_unspaced(p.reference) for p in self.predictions)

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Shape (n,): whether there is an answer, however wrong."""
        return np.array([p.error is None for p in self.predictions], bool)

    @property
    def speakers(self) -> list[str] | None:
        """The speaker of each utterance where all are known, else None."""
        return speakers_of(self.predictions)


@dataclass(frozen=True)
class AlignedTexts(Aligned):
    """Aligned by jiwer under a published normalizer.

    references, hypotheses: normalized text, one per prediction.
    """

    references: Sequence[str]
    hypotheses: Sequence[str]
    chunks: Chunks

    @cached_property
    def words(self) -> Counts:
        return counts_of(self.chunks)

    @cached_property
    def characters(self) -> Counts:
        return character_counts(self.references, self.hypotheses)

    def texts(self, index: int) -> tuple[str, str]:
        return self.references[index], self.hypotheses[index]

    def edits(self, index: int) -> Iterator[Edit]:
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


@dataclass(frozen=True)
class AlignedReadings(Aligned):
    """Aligned under the default scoring, over all readings of both texts."""

    scored: Sequence[Scored]

    @property
    def loops(self) -> int:
        return sum(s.loops for s in self.scored)

    @property
    def annotations(self) -> int:
        return sum(s.annotations for s in self.scored)

    @cached_property
    def words(self) -> Counts:
        rows = [(s.hits, s.substitutions, s.deletions, s.insertions) for s in self.scored]
        return np.array(rows, np.int64).reshape(-1, 4)

    @cached_property
    def characters(self) -> Counts:
        return np.array([s.characters for s in self.scored], np.int64).reshape(-1, 4)

    def texts(self, index: int) -> tuple[str, str]:
        scored = self.scored[index]
        return " ".join(scored.reference), " ".join(scored.hypothesis)

    def edits(self, index: int) -> Iterator[Edit]:
        for pair in self.scored[index].pairs:
            yield Edit(pair.reference, pair.hypothesis)


def align(predictions: Iterable[Prediction], normalizer_name: str) -> Aligned:
    """Align under the scoring of that name, all in memory. Raises ValueError for none.

    Of several references that of the fewest errors counts, the first of equals.
    """
    kept = tuple(predictions)
    if normalizer_name == SPOKEN:
        scored = [scoring_of(p.lang).score(references_of(p), p.hypothesis) for p in kept]
        return AlignedReadings(kept, normalizer_name, [s.used for s in scored], scored)
    normalize = normalizer(normalizer_name)
    references = [normalize(p.reference) for p in kept]
    hypotheses = [normalize(p.hypothesis) for p in kept]
    chunks = [*word_chunks(references, hypotheses)]
    used = [0] * len(kept)
    _take_alternatives(kept, normalizer_name, references, hypotheses, chunks, used)
    return AlignedTexts(kept, normalizer_name, used, references, hypotheses, chunks)


def references_of(prediction: Prediction) -> list[str]:
    """All references of a prediction, the first before its alternatives."""
    return [prediction.reference, *prediction.alternatives]


def _take_alternatives(
    predictions: Sequence[Prediction],
    name: str,
    references: list[str],
    hypotheses: Sequence[str],
    chunks: list[Sequence[AlignmentChunk]],
    used: list[int],
) -> None:
    """Put an alternative in the place of a reference where it has fewer errors."""
    normalize = normalizer(name)
    for index, prediction in enumerate(predictions):
        for place, alternative in enumerate(prediction.alternatives, start=1):
            text = normalize(alternative)
            [found] = word_chunks([text], [hypotheses[index]])
            old, new = counts_of([chunks[index], found])[:, 1:].sum(axis=1)
            if new < old:
                references[index], chunks[index], used[index] = text, found, place


def in_batches(predictions: Iterable[Prediction], normalizer_name: str) -> Iterator[Aligned]:
    """The predictions in order, BATCH of them aligned at a time, each seen once and let go."""
    left = iter(predictions)
    while some := tuple(islice(left, BATCH)):
        yield align(some, normalizer_name)


def speakers_of(predictions: Sequence[Prediction]) -> list[str] | None:
    """The speaker of each utterance where all are known, else None."""
    speakers = [p.speaker for p in predictions if p.speaker is not None]
    return speakers if len(speakers) == len(predictions) else None
