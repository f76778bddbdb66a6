"""Silence, noise, tones and music: does the model hear words where nobody spoke?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evals.evaluation import Evaluation
from evals.hallucination import hallucination
from evals.models import LoadedModel
from evals.predictions import PredictionFile
from evals.transcription import transcribe_corpus
from fixtures.corpus import Corpus


@pytest.mark.hallucination
def test_non_speech(
    transcriber: LoadedModel,
    non_speech: Corpus,
    scoring: str,
    evaluation: Evaluation,
    predictions_path: Path,
    progress: Callable[[int], Callable[[], None]],
) -> None:
    """Every sound once, then utterances of the corpus between such sounds."""
    with PredictionFile(predictions_path) as file:
        predictions = transcribe_corpus(
            transcriber,
            non_speech,
            file,
            contended=evaluation.contended,
            advance=progress(len(non_speech)),
        )

    evaluation.record(hallucination(predictions, scoring), normalizer=scoring)
    evaluation.check()
