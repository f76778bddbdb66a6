"""Does the model load, answer, and answer the same twice? A minute's worth of doubt removed."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.interface import Audio
from adapters.worker.results import WorkerError
from evals.gate.evaluation import Evaluation
from evals.models.loaded import LoadedModel
from evals.records.measurement import Figure
from evals.run.case_store import Stored
from evals.tasks.smoke.task import TASK


@pytest.mark.smoke
def test_answers(
    transcriber: LoadedModel | None, evaluation: Evaluation, stored: Stored, clip: Audio
) -> None:
    """Speech twice, silence and 0.1 s of it: each gets an answer, and the same speech the same."""
    if transcriber is not None:  # else an earlier session has asked it
        second_of_silence = Audio(np.zeros(clip.sample_rate, np.float32), clip.sample_rate)
        snippet = Audio(clip.samples[: clip.sample_rate // 10], clip.sample_rate)
        answers: list[str | None] = []
        failures: list[str] = []
        for audio in (clip, clip, second_of_silence, snippet):
            try:
                answers.append(transcriber.transcribe(audio).result.text)
            except WorkerError as error:
                answers.append(None)
                failures.append(str(error))
        stored.keep(
            answers=answers,
            failures=failures,
            observed={
                "success_rate": Figure(1 - len(failures) / len(answers), len(answers)),
                **transcriber.cold_figures(),
                **transcriber.memory_figures(),
            },
        )

    TASK.record(evaluation, stored)
    name, answers, failures = stored.case.model, stored.facts["answers"], stored.facts["failures"]
    assert not failures, f"{name}: {failures[0]}"
    assert answers[0] == answers[1], f"{name}: two runs of one clip gave two texts"
    evaluation.check()
