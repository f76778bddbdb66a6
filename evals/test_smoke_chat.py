"""Does the assistant answer a turn, in text or sound?"""

from __future__ import annotations

from dataclasses import asdict

import pytest

from adapters.interface import Audio
from evals.gate.evaluation import Evaluation
from evals.models.loaded import LoadedModel
from evals.records.measurement import Figure
from evals.run.case_store import Stored
from evals.tasks.smoke.attempts import Attempt, answer, first_problem
from evals.tasks.smoke.task import ASSISTANT


@pytest.mark.smoke
@pytest.mark.smoke_chat
def test_replies(
    chat_model: LoadedModel | None, evaluation: Evaluation, stored: Stored, clip: Audio
) -> None:
    """One spoken turn gets an answer, which holds a word or a sound that can be speech."""
    if chat_model is not None:  # else an earlier session has asked it
        attempt = answer(chat_model, clip)
        stored.keep(
            attempts=[asdict(attempt)],
            observed={
                "success_rate": Figure(float(attempt.problem is None), 1),
                **chat_model.cold_figures(),
                **chat_model.memory_figures(),
            },
        )

    ASSISTANT.record(evaluation, stored)
    problem = first_problem([Attempt(**row) for row in stored.facts["attempts"]])
    if problem is not None:
        pytest.fail(f"{stored.case.model}: {problem}", pytrace=False)
    evaluation.check()
