"""The same speech through noise, rooms, lines and codecs: how much worse is it heard?"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from evals.gate.evaluation import Evaluation
from evals.models.loaded import LoadedModel
from evals.models.transcribe import transcribe_corpus
from evals.records.predictions import Prediction
from evals.run.case_store import Stored
from evals.tasks.robustness.scores import CLEAN
from evals.tasks.robustness.task import TASK
from fixtures.audio.read import Samples
from fixtures.builtin.conditions import (
    CONDITIONS,
    ConditionUnavailable,
    Context,
    perturb,
    talkers_of,
)
from fixtures.corpora.corpus import Corpus, Utterance


@pytest.mark.robustness
def test_conditions(
    transcriber: LoadedModel | None,
    corpus: Corpus,
    fewer: Corpus,
    scoring: str,
    evaluation: Evaluation,
    stored: Stored,
    progress: Callable[[int], Callable[[], None]],
) -> None:
    """Clean, then under each condition; the drift of each is recorded before any is asserted."""
    if transcriber is not None:  # else an earlier session has heard it all
        talkers = talkers_of(corpus)
        mine = stored.share(fewer)
        advance = progress(len(mine) * (1 + len(CONDITIONS)))
        unavailable: dict[str, str] = {}
        for condition in (CLEAN, *CONDITIONS):

            def sound(utterance: Utterance, condition: str = condition) -> Samples:
                samples = utterance.load()
                if condition == CLEAN:
                    return samples
                return perturb(condition, samples, Context(utterance.id, talkers))

            try:
                with stored.lines(Prediction, condition) as file:
                    transcribe_corpus(
                        transcriber,
                        mine,
                        file,
                        contended=stored.is_contended,
                        advance=advance,
                        sound=sound,
                    )
            except ConditionUnavailable as error:
                unavailable[condition] = str(error)
        stored.keep(normalizer=scoring, conditions=list(CONDITIONS), unavailable=unavailable)

    if stored.is_whole:
        TASK.record(evaluation, stored)
        evaluation.check()
