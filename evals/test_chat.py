"""Conversation: does the assistant do what was asked, say what it writes, and answer in time?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from evals.gate.evaluation import Evaluation
from evals.judges.asr_judge import Judge
from evals.judges.llm_judge import LlmJudge, judge_answers
from evals.models.loaded import LoadedModel
from evals.records.replied import Replied
from evals.run.audio_files import hear_again
from evals.run.case_store import Stored
from evals.tasks.chat.converse import converse
from evals.tasks.chat.provided import ProvidedAssistant
from evals.tasks.chat.task import TASK, verdict_file
from evals.tasks.chat.user_hearing import UserHearing, why_not_apart
from evals.tasks.tts.clips import stored_clips
from evals.tasks.tts.scores import quality, ratings
from evals.tasks.tts.second_voices import SecondVoices
from fixtures.dialogues.dialogues import Dialogues


@pytest.mark.chat
def test_dialogues(
    chat_model: LoadedModel | ProvidedAssistant | None,
    dialogues: Dialogues,
    user_sounds: Mapping[str, Path],
    user_voice: Mapping[str, Any] | None,
    users_heard: dict[tuple[str, Path], str],
    dialogue_scoring: str,
    judges: Sequence[Judge],
    judges_again: Callable[[], Sequence[Judge]],
    second_voices: SecondVoices,
    llm_judge: LlmJudge | None,
    evaluation: Evaluation,
    stored: Stored,
    rated_clips: int,
    progress: Callable[[int], Callable[[], None]],
) -> None:
    """Every dialogue spoken, then typed; all figures are recorded before any limit is asserted."""
    with stored.lines(Replied) as file:
        hear_again(file, Replied, judges_again, stored.run)
    if chat_model is not None:  # else an earlier session has held them all
        advance = progress((3 if llm_judge else 2) * dialogues.turns)
        chat_model.start_peak()
        with stored.lines(Replied) as file:
            hold = partial(
                converse,
                chat_model,
                dialogues,
                user_sounds,
                judges,
                file,
                stored.run,
                second=second_voices,
                scoring=dialogue_scoring,
                contended=stored.is_contended,
                hearing=UserHearing(judges, users_heard),
                advance=advance,
            )
            hold(typed=False)
            observed = {**chat_model.cold_figures(), **chat_model.memory_figures()}
            hold(typed=True)
        spoken = [line for line in stored.read(Replied) if not line.typed]
        if llm_judge is not None:
            with stored.line_file(verdict_file(stored)) as verdicts:
                judge_answers(llm_judge, spoken, dialogues, verdicts, advance=advance)
        expected = stored.path().with_suffix(f".dialogues{dialogues.path.suffix}")
        expected.write_bytes(dialogues.path.read_bytes())
        sounds = stored_clips(stored, [line.as_spoken() for line in spoken])
        stored.keep(
            normalizer=dialogue_scoring,
            content_hash=dialogues.content_hash,
            dialogues=expected.name,
            judges=[judge.name for judge in judges],
            second_voices=second_voices.names,
            user_voice=user_voice,
            **(
                chat_model.facts
                if isinstance(chat_model, ProvidedAssistant)
                else {"apart": {judge.name: why_not_apart(judge, chat_model) for judge in judges}}
            ),
            observed=observed,
            # They take libraries, and long.
            listened={**ratings(sounds, rated_clips), **quality(sounds, rated_clips)},
        )

    TASK.record(evaluation, stored)
    evaluation.check()
