"""Speech recognition over a corpus: accuracy, speed and memory against thresholds.yaml."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from evals.gate.evaluation import Evaluation
from evals.records.predictions import Prediction
from evals.run.case_store import Stored
from evals.tasks.asr.recognizer import Recognizer
from evals.tasks.asr.task import TASK
from fixtures.corpora.corpus import Corpus


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
            has_sound=corpus.has_sound,
            observed=recognizer.observed(),
            languages=recognizer.languages,
            **recognizer.facts,
        )

    if stored.is_whole:  # else other processes are at work on the rest
        TASK.record(evaluation, stored)
        evaluation.check()
