"""What batching changes in the texts of an engine, in words and in the WER."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evals.gate.evaluation import NOTE, Evaluation
from evals.measures.text.alignment import align
from evals.measures.text.error_rate import ErrorRate, total
from evals.records.predictions import Prediction

#: Of the words heard without batching, the share that batching may change unsaid: half of what
#: production may have wrong.
MUCH = 0.05
_NONE = ErrorRate(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Batching:
    """Sums over the utterances that were heard with batching and without.

    changed: those with another text. moved: the edits from the text without batching to the one
    with it. together, alone: the edits from the reference to each.
    """

    utterances: int = 0
    changed: int = 0
    moved: ErrorRate = _NONE
    together: ErrorRate = _NONE
    alone: ErrorRate = _NONE

    def with_more(self, predictions: Sequence[Prediction], normalizer: str) -> Batching:
        """With the predictions that were heard both ways; the others count nowhere."""
        twice = [p for p in predictions if p.alone is not None]
        if not twice:
            return self

        def edits(made: Sequence[Prediction]) -> ErrorRate:
            return total(align(made, normalizer).words)

        moves = [replace(p, reference=p.alone or "", alternatives=[]) for p in twice]
        return Batching(
            self.utterances + len(twice),
            self.changed + sum(p.alone != p.hypothesis for p in twice),
            self.moved + edits(moves),
            self.together + edits(twice),
            self.alone + edits([replace(p, hypothesis=p.alone or "") for p in twice]),
        )

    def warning(self) -> str | None:
        """In words what batching changes; None where that is little."""
        share = self.moved.errors / max(1, self.moved.length)
        if share <= MUCH or self.together.rate is None or self.alone.rate is None:
            return None
        return (
            f"batching changes {share:.0%} of the words: WER {self.together.rate:.1%} in batches "
            f"and {self.alone.rate:.1%} without, on {self.utterances} "
            f"utterance{'s' * (self.utterances != 1)} heard both ways. The figures are those of "
            "batches; batch_size 1 shows what the model hears without"
        )


def note_batching(evaluation: Evaluation, batching: Batching) -> None:
    """Say so where batching changes what is heard by more than a little."""
    warning = batching.warning()
    if warning is not None:
        case = evaluation.case
        evaluation.attach(NOTE, [f"{case.model} on {case.corpus}: {warning}"])
