"""Speech recognition over a corpus: accuracy, speed and memory against thresholds.yaml."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from evals.alignment import align
from evals.asr_scores import accuracy_of, details, speed
from evals.baseline import held_to_baseline
from evals.evaluation import Evaluation
from evals.explanation import explain
from evals.models import LoadedModel
from evals.predictions import Prediction
from evals.stored import Stored
from evals.transcription import transcribe_corpus
from fixtures.corpus import Corpus


@pytest.mark.asr
def test_corpus(
    transcriber: LoadedModel,
    corpus: Corpus,
    scoring: str,
    evaluation: Evaluation,
    stored: Stored,
    progress: Callable[[int], Callable[[], None]],
) -> None:
    """Every utterance once; all figures are recorded before any limit is asserted."""
    transcriber.start_peak()
    with stored.lines(Prediction) as file:
        transcribe_corpus(
            transcriber,
            corpus,
            file,
            contended=evaluation.contended,
            advance=progress(len(corpus)),
        )
    stored.keep(
        normalizer=scoring,
        content_hash=corpus.content_hash,
        observed={**transcriber.cold_figures(), **transcriber.memory_figures()},
    )

    score(evaluation, stored)
    evaluation.check()


def score(evaluation: Evaluation, stored: Stored) -> None:
    """From the predictions to figures."""
    predictions = stored.read(Prediction)
    aligned = align(predictions, stored.normalizer)
    evaluation.record(accuracy_of(aligned), normalizer=stored.normalizer)
    evaluation.record(details(aligned), normalizer=stored.normalizer)
    evaluation.record(speed(predictions))
    evaluation.record(stored.figures())
    explain(evaluation, aligned)
    if stored.baseline is not None:
        held_to_baseline(evaluation, stored.baseline, stored.facts["content_hash"], aligned)
