"""Speech recognition over a corpus: accuracy, speed and memory against thresholds.yaml."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from evals.asr_scores import accuracy_of, details, speed_of
from evals.baseline import held_to_baseline
from evals.evaluation import Evaluation
from evals.explanation import explain
from evals.predictions import Prediction
from evals.recognizing import Recognizer
from evals.stored import Stored
from evals.table import tabulate
from fixtures.corpus import Corpus


@pytest.mark.asr
def test_corpus(
    recognizer: Recognizer | None,
    corpus: Corpus,
    scoring: str,
    evaluation: Evaluation,
    stored: Stored,
    progress: Callable[[int], Callable[[], None]],
) -> None:
    """Every utterance once; all figures are recorded before any limit is asserted."""
    if recognizer is not None:  # else an earlier session has heard it all
        mine = stored.share(corpus)
        with stored.lines(Prediction) as file:
            recognizer.predict(
                mine, file, advance=progress(len(mine)), contended=stored.is_contended
            )
        stored.keep(
            normalizer=scoring,
            content_hash=corpus.content_hash,
            observed=recognizer.observed(),
        )

    if stored.is_whole:  # else other processes are at work on the rest
        score(evaluation, stored)
        evaluation.check()


def score(evaluation: Evaluation, stored: Stored) -> None:
    """From the predictions to figures."""
    table = tabulate(stored.read(Prediction), stored.normalizer)
    evaluation.record(accuracy_of(table), normalizer=stored.normalizer)
    evaluation.record(details(table), normalizer=stored.normalizer)
    evaluation.record(speed_of(table.timings))
    evaluation.record(stored.figures())
    explain(evaluation, table)
    if stored.baseline is not None:
        held_to_baseline(evaluation, stored.baseline, stored.facts["content_hash"], table)
