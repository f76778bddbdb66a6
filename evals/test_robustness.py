"""The same speech through noise, rooms, lines and codecs: how much worse is it heard?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from evals.asr_scores import accuracy
from evals.evaluation import Evaluation
from evals.models import LoadedModel
from evals.predictions import Prediction, PredictionFile
from evals.robustness import CLEAN, drifts
from evals.transcription import transcribe_corpus
from fixtures.audio import Samples
from fixtures.augmentation import CONDITIONS, ConditionUnavailable, Context, perturb, talkers_of
from fixtures.corpus import Corpus, Utterance


@pytest.mark.robustness
def test_conditions(
    transcriber: LoadedModel,
    corpus: Corpus,
    fewer: Corpus,
    scoring: str,
    evaluation: Evaluation,
    condition_path: Callable[[str], Path],
    progress: Callable[[int], Callable[[], None]],
) -> None:
    """Clean, then under each condition; the drift of each is recorded before any is asserted."""
    talkers = talkers_of(corpus)
    advance = progress(len(fewer) * (1 + len(CONDITIONS)))

    def heard(condition: str) -> Sequence[Prediction]:
        def sound(utterance: Utterance) -> Samples:
            samples = utterance.load()
            if condition == CLEAN:
                return samples
            return perturb(condition, samples, Context(utterance.id, talkers))

        with PredictionFile(condition_path(condition)) as file:
            return transcribe_corpus(
                transcriber,
                fewer,
                file,
                contended=evaluation.contended,
                advance=advance,
                sound=sound,
            )

    clean = heard(CLEAN)
    perturbed: dict[str, Sequence[Prediction]] = {}
    for condition in CONDITIONS:
        try:
            perturbed[condition] = heard(condition)
        except ConditionUnavailable as error:
            evaluation.record_missing(
                ["wer_drift"], "not_measured", str(error), gated=True, slice_name=condition
            )

    base = accuracy(clean, scoring)["wer"]
    evaluation.record({"wer": base}, normalizer=scoring, slice_name=CLEAN)
    for condition, figures in drifts(clean, perturbed, scoring).items():
        evaluation.record(figures, normalizer=scoring, slice_name=condition)
    evaluation.check()
