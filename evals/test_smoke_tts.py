"""Does the voice speak, can it be speech, and is it the same when asked again?"""

from __future__ import annotations

from dataclasses import asdict

import pytest

from evals.gate.evaluation import Evaluation
from evals.models.loaded import LoadedModel
from evals.records.measurement import Figure
from evals.run.case_store import Stored
from evals.tasks.smoke.attempts import Attempt, first_problem, same, speak
from evals.tasks.smoke.task import VOICE
from fixtures.builtin.synthesize import CLIP_TEXT


@pytest.mark.smoke
@pytest.mark.smoke_tts
def test_speaks(tts_model: LoadedModel | None, evaluation: Evaluation, stored: Stored) -> None:
    """One sentence twice from the same seed; what is drawn anew each time is said, and no fault."""
    if tts_model is not None:  # else an earlier session has asked it
        attempts = [speak(tts_model, CLIP_TEXT) for _ in range(2)]
        wrong = [attempt.problem for attempt in attempts if attempt.problem is not None]
        stored.keep(
            attempts=[asdict(attempt) for attempt in attempts],
            observed={
                "success_rate": Figure(1 - len(wrong) / len(attempts), len(attempts)),
                "same_twice": same(attempts),
                **tts_model.cold_figures(),
                **tts_model.memory_figures(),
            },
        )

    VOICE.record(evaluation, stored)
    problem = first_problem([Attempt(**row) for row in stored.facts["attempts"]])
    if problem is not None:
        pytest.fail(f"{stored.case.model}: {problem}", pytrace=False)
    evaluation.check()
