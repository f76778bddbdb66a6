"""Conversation: does the assistant do what was asked, say what it writes, and answer in time?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from evals.chat_scores import answer_length, chat_speed, propagation, spoken_answers, success
from evals.conversation import converse
from evals.evaluation import Evaluation
from evals.judging import Judge
from evals.models import LoadedModel
from evals.predictions import LineFile
from evals.replied import Replied
from evals.tts_scores import clips, ratings
from fixtures.dialogues import Dialogues


@pytest.mark.chat
def test_dialogues(
    chat_model: LoadedModel,
    dialogues: Dialogues,
    user_sounds: Mapping[str, Path],
    dialogue_scoring: str,
    judges: Sequence[Judge],
    evaluation: Evaluation,
    predictions_path: Path,
    run_folder: Path,
    rated_clips: int,
    progress: Callable[[int], Callable[[], None]],
) -> None:
    """Every dialogue spoken, then typed; all figures are recorded before any limit is asserted."""
    advance = progress(2 * dialogues.turns)
    chat_model.start_peak()
    with LineFile[Replied](predictions_path) as file:

        def held(*, typed: bool) -> Sequence[Replied]:
            return converse(
                chat_model,
                dialogues,
                user_sounds,
                judges,
                file,
                run_folder,
                typed=typed,
                contended=evaluation.contended,
                advance=advance,
            )

        lines = held(typed=False)
        evaluation.record({**chat_model.cold_figures(), **chat_model.memory_figures()})
        typed = held(typed=True)

    evaluation.record(chat_speed(lines))
    evaluation.record(success(lines, dialogues))
    evaluation.record(
        propagation(lines, typed, dialogues, dialogue_scoring), normalizer=dialogue_scoring
    )
    evaluation.record(answer_length(lines))
    sounds = clips([line.as_spoken() for line in lines], run_folder)
    for number, judge in enumerate(judges):
        agreement = spoken_answers(lines, sounds, judge.name, dialogue_scoring)
        if number:
            agreement = {"speech_text_wer": agreement["speech_text_wer"]}
        evaluation.record(
            agreement,
            normalizer=dialogue_scoring,
            **({"slice_name": f"judge={judge.name}"} if number else {}),
        )
    evaluation.record(ratings(sounds, rated_clips))
    evaluation.check()
