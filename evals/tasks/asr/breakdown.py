"""What stands behind a WER: its parts, its normalizer, the words that went wrong, and where."""

from __future__ import annotations

from dataclasses import asdict

from evals.gate.evaluation import Evaluation
from evals.measures.text.slices import slices
from evals.records.measurement import WORST_SLICE, Figure
from evals.tasks.asr.dominant import name_dominant
from evals.tasks.asr.utterance_table import Table

#: The name under which word confusions travel in user_properties.
CONFUSIONS = "model_lab.confusions"


def explain(evaluation: Evaluation, table: Table) -> None:
    """Record the WER of each part and under each other normalizer, and attach the confusions.

    An utterance with most of the errors is named too.

    `worst_slice_wer` can be limited, and the WER of a part by its name ("wer/category=timer").
    """
    by_part = slices(table, table.parts)
    for name, figure in by_part.rates().items():
        evaluation.record({"wer": figure}, normalizer=table.normalizer, slice_name=name)
    worst = by_part.worst()
    if worst is not None:
        name, figure = worst
        evaluation.record({WORST_SLICE: figure}, normalizer=table.normalizer, slice_name=name)
    else:
        missing = Figure(None, 0, reason="the corpus has no parts of ten utterances or more")
        evaluation.record({WORST_SLICE: missing}, normalizer=table.normalizer)
    n = len(table.words)
    for name, edits in table.under.items():
        evaluation.record({"wer_by_normalizer": Figure(edits.rate, n)}, normalizer=name)
    evaluation.attach(CONFUSIONS, [asdict(c) for c in table.confusions.most()])
    name_dominant(evaluation, table)
