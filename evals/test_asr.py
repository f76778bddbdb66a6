"""Speech recognition over a corpus: accuracy, speed and memory against thresholds.yaml."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evals.alignment import align
from evals.asr_scores import accuracy_of, details, speed
from evals.baseline import Baseline, held_to_baseline
from evals.evaluation import Evaluation
from evals.explanation import explain
from evals.models import LoadedModel
from evals.predictions import PredictionFile
from evals.transcription import transcribe_corpus
from fixtures.corpus import Corpus


@pytest.mark.asr
def test_corpus(
    transcriber: LoadedModel,
    corpus: Corpus,
    scoring: str,
    evaluation: Evaluation,
    predictions_path: Path,
    baseline: Baseline | None,
    progress: Callable[[int], Callable[[], None]],
) -> None:
    """Every utterance once; all figures are recorded before any limit is asserted."""
    transcriber.start_peak()
    with PredictionFile(predictions_path) as file:
        predictions = transcribe_corpus(
            transcriber,
            corpus,
            file,
            contended=evaluation.contended,
            advance=progress(len(corpus)),
        )

    aligned = align(predictions, scoring)
    evaluation.record(accuracy_of(aligned), normalizer=scoring)
    evaluation.record(details(aligned), normalizer=scoring)
    evaluation.record(speed(predictions))
    evaluation.record({**transcriber.cold_figures(), **transcriber.memory_figures()})
    explain(evaluation, aligned)
    if baseline is not None:
        held_to_baseline(evaluation, baseline, corpus.content_hash, aligned)
    evaluation.check()
