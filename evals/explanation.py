"""What stands behind a WER: its parts, its normalizer, and the words that went wrong."""

from __future__ import annotations

from dataclasses import asdict

from evals.alignment import Aligned
from evals.confusions import confusions
from evals.error_rate import total, word_counts
from evals.evaluation import Evaluation
from evals.measurement import WORST_SLICE, Figure
from evals.normalizers import NORMALIZERS, normalizer
from evals.slices import slices

#: The name under which word confusions travel in user_properties.
CONFUSIONS = "model_lab.confusions"


def explain(evaluation: Evaluation, aligned: Aligned) -> None:
    """Record the WER of each part and under each other normalizer, and attach the confusions.

    `worst_slice_wer` can be limited, and the WER of a part by its name ("wer/category=timer").
    """
    by_part = slices(aligned)
    for name, figure in by_part.rates().items():
        evaluation.record({"wer": figure}, normalizer=aligned.normalizer, slice_name=name)
    worst = by_part.worst()
    if worst is not None:
        name, figure = worst
        evaluation.record({WORST_SLICE: figure}, normalizer=aligned.normalizer, slice_name=name)
    else:
        missing = Figure(None, 0, reason="the corpus has no parts of ten utterances or more")
        evaluation.record({WORST_SLICE: missing}, normalizer=aligned.normalizer)
    for name in NORMALIZERS:
        if name != aligned.normalizer:
            evaluation.record({"wer_by_normalizer": _under(aligned, name)}, normalizer=name)
    evaluation.attach(CONFUSIONS, [asdict(c) for c in confusions(aligned)])


def _under(aligned: Aligned, name: str) -> Figure:
    normalize = normalizer(name)
    counts = word_counts(
        [normalize(p.reference) for p in aligned.predictions],
        [normalize(p.hypothesis) for p in aligned.predictions],
    )
    return Figure(total(counts).rate, len(counts))
