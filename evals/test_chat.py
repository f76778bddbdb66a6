"""Conversation: does the assistant do what was asked, say what it writes, and answer in time?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest

from evals.chat_scores import (
    answer_length,
    chat_speed,
    llm_judged,
    propagation,
    spoken_answers,
    success,
)
from evals.conversation import converse
from evals.evaluation import Evaluation
from evals.judging import Judge
from evals.kept_audio import hear_again
from evals.lines import read_lines
from evals.llm_judge import Judged, LlmJudge, judge_answers
from evals.models import LoadedModel
from evals.replied import Replied
from evals.stored import Stored
from evals.tts_scores import clips, ratings
from fixtures.dialogues import Dialogues, read_dialogues


@pytest.mark.chat
def test_dialogues(
    chat_model: LoadedModel | None,
    dialogues: Dialogues,
    user_sounds: Mapping[str, Path],
    dialogue_scoring: str,
    judges: Sequence[Judge],
    judges_again: Callable[[], Sequence[Judge]],
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
                contended=stored.is_contended,
                advance=advance,
            )
            hold(typed=False)
            observed = {**chat_model.cold_figures(), **chat_model.memory_figures()}
            hold(typed=True)
        spoken = [line for line in stored.read(Replied) if not line.typed]
        if llm_judge is not None:
            with stored.line_file(_verdicts(stored)) as verdicts:
                judge_answers(llm_judge, spoken, dialogues, verdicts, advance=advance)
        expected = stored.path().with_suffix(f".dialogues{dialogues.path.suffix}")
        expected.write_bytes(dialogues.path.read_bytes())
        sounds = clips([line.as_spoken() for line in spoken], stored.run)
        stored.keep(
            normalizer=dialogue_scoring,
            content_hash=dialogues.content_hash,
            dialogues=expected.name,
            judges=[judge.name for judge in judges],
            observed=observed,
            listened=ratings(sounds, rated_clips),  # takes a library, and long
        )

    score(evaluation, stored)
    evaluation.check()


def score(evaluation: Evaluation, stored: Stored) -> None:
    """From the answers and what was expected of them to figures."""
    replies = [*stored.read(Replied)]
    lines = [line for line in replies if not line.typed]
    typed = [line for line in replies if line.typed]
    dialogues = read_dialogues(stored.path().with_name(stored.facts["dialogues"]), recordings=False)
    evaluation.record(stored.figures())
    evaluation.record(chat_speed(lines))
    evaluation.record(success(lines, dialogues))
    evaluation.record(
        propagation(lines, typed, dialogues, stored.normalizer), normalizer=stored.normalizer
    )
    evaluation.record(answer_length(lines))
    sounds = clips([line.as_spoken() for line in lines], stored.run)
    for number, judge in enumerate(stored.facts["judges"]):
        agreement = spoken_answers(lines, sounds, judge, stored.normalizer)
        if number:
            agreement = {"speech_text_wer": agreement["speech_text_wer"]}
        evaluation.record(
            agreement,
            normalizer=stored.normalizer,
            **({"slice_name": f"judge={judge}"} if number else {}),
        )
    evaluation.record(stored.figures("listened"))
    if _verdicts(stored).exists():
        judged = read_lines(_verdicts(stored), Judged)
        evaluation.record(llm_judged(lines, dialogues, judged))


def _verdicts(stored: Stored) -> Path:
    return stored.path().with_suffix(".llm-judge.jsonl")
