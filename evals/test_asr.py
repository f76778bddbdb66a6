"""Speech recognition over a corpus: accuracy, speed and memory against thresholds.yaml."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.interface import Audio
from evals.asr_scores import accuracy, speed
from evals.evaluation import Evaluation
from evals.measurement import Figure
from evals.models import LoadedModel
from evals.normalizers import normalizer_for
from evals.predictions import PredictionFile
from evals.transcription import transcribe_corpus
from fixtures.corpus import Corpus


@pytest.mark.asr
def test_corpus(
    transcriber: LoadedModel,
    corpus: Corpus,
    clip: Audio,
    evaluation: Evaluation,
    predictions_path: Path,
    progress: Callable[[int], Callable[[], None]],
) -> None:
    """Every utterance once; all figures are recorded before any limit is asserted."""
    transcriber.start_peak()
    with PredictionFile(predictions_path) as file:
        predictions = transcribe_corpus(
            transcriber,
            corpus,
            file,
            clip=clip,
            contended=evaluation.contended,
            advance=progress(len(corpus)),
        )

    normalizer = normalizer_for(corpus.language)
    evaluation.record(accuracy(predictions, normalizer), normalizer=normalizer)
    evaluation.record(speed(predictions))
    evaluation.record(
        {
            "load_time": Figure(transcriber.load_seconds, 1),
            "first_inference": Figure(transcriber.first_inference_seconds, 1),
            **transcriber.memory_figures(),
        }
    )
    evaluation.check()
