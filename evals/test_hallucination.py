"""Silence, noise, tones and music: does the model hear words where nobody spoke?"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from evals.gate.evaluation import Evaluation
from evals.models.loaded import LoadedModel
from evals.models.transcribe import transcribe_corpus
from evals.records.predictions import Prediction
from evals.run.case_store import Stored
from evals.tasks.hallucination.task import TASK
from fixtures.corpora.corpus import Corpus


@pytest.mark.hallucination
def test_non_speech(
    transcriber: LoadedModel | None,
    non_speech: Corpus,
    scoring: str,
    evaluation: Evaluation,
    stored: Stored,
    progress: Callable[[int], Callable[[], None]],
) -> None:
    """Every sound once, then utterances of the corpus between such sounds."""
    if transcriber is not None:  # else an earlier session has heard it all
        mine = stored.share(non_speech)
        with stored.lines(Prediction) as file:
            transcribe_corpus(
                transcriber,
                mine,
                file,
                contended=stored.is_contended,
                advance=progress(len(mine)),
            )
        stored.keep(normalizer=scoring)

    if stored.is_whole:
        TASK.record(evaluation, stored)
        evaluation.check()
