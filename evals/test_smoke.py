"""Does the model load, answer, and answer the same twice? A minute's worth of doubt removed."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.interface import Audio
from adapters.process import WorkerError
from evals.evaluation import Evaluation
from evals.measurement import Figure
from evals.models import LoadedModel


@pytest.mark.smoke
def test_answers(transcriber: LoadedModel, evaluation: Evaluation, clip: Audio) -> None:
    """Speech twice, silence and 0.1 s of it: each gets an answer, and the same speech the same."""
    second_of_silence = Audio(np.zeros(clip.sample_rate, np.float32), clip.sample_rate)
    snippet = Audio(clip.samples[: clip.sample_rate // 10], clip.sample_rate)

    answers: list[str | WorkerError] = []
    for audio in (clip, clip, second_of_silence, snippet):
        try:
            answers.append(transcriber.transcribe(audio).result.text)
        except WorkerError as error:
            answers.append(error)

    failures = [answer for answer in answers if isinstance(answer, WorkerError)]
    evaluation.record(
        {
            "success_rate": Figure(1 - len(failures) / len(answers), len(answers)),
            **transcriber.cold_figures(),
        }
    )
    evaluation.record(transcriber.memory_figures())
    assert not failures, f"{transcriber.name}: {failures[0]}"
    assert answers[0] == answers[1], f"{transcriber.name}: two runs of one clip gave two texts"
    evaluation.check()
