"""Conversation: what it reports, and its figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from evals.metrics import LATENCIES, MACHINE
from evals.records.metric import Metric
from evals.records.replied import Replied
from evals.task import SCREENS, TERMINAL, Column, Task

if TYPE_CHECKING:
    from evals.gate.evaluation import Evaluation
    from evals.run.case_store import Stored


#: What a judge that hears the user tells.
_OF_USER = (
    Metric("user_voice_wer", "ratio", "max", "judge's WER of what the user says"),
    Metric(
        "user_voice_loss",
        "ratio",
        "max",
        "of hearing_loss, what comes after a turn of the user that no judge heard right",
        is_difference=True,
    ),
    Metric(
        "own_hearing_loss",
        "ratio",
        "max",
        "of hearing_loss, what comes after turns that a judge heard right",
        is_difference=True,
    ),
)


def score(evaluation: Evaluation, stored: Stored) -> None:
    """From the answers and what was expected of them to figures."""
    from evals.judges.llm_judge import Judged
    from evals.records.jsonl_reader import read_lines
    from evals.tasks.chat.provided import NOUN
    from evals.tasks.chat.scores import (
        answer_length,
        chat_speed,
        llm_judged,
        propagation,
        spoken_answers,
        success,
    )
    from evals.tasks.chat.user_hearing import user_voice_wer
    from evals.tasks.provided import FACT, note_missing
    from evals.tasks.tts.clips import stored_clips
    from fixtures.dialogues.files import read_dialogues

    replies = [*stored.read(Replied)]
    lines = [line for line in replies if not line.typed]
    typed = [line for line in replies if line.typed]
    dialogues = read_dialogues(stored.path().with_name(stored.facts["dialogues"]), recordings=False)
    evaluation.record(stored.figures())
    evaluation.record(chat_speed(lines))
    evaluation.record(success(lines, dialogues))
    evaluation.record(
        propagation(lines, typed, dialogues, stored.normalizer, stored.facts.get("apart")),
        normalizer=stored.normalizer,
    )
    evaluation.record(answer_length(lines))
    sounds = stored_clips(stored, [line.as_spoken() for line in lines])
    second = stored.facts.get("second_voices")
    for number, judge in enumerate(stored.facts["judges"]):
        agreement = spoken_answers(
            lines, sounds, judge, stored.normalizer, second, provided=FACT in stored.facts
        )
        if number:
            agreement = {"speech_text_wer": agreement["speech_text_wer"]}
        if "apart" in stored.facts:
            agreement = {
                **agreement, "user_voice_wer": user_voice_wer(lines, judge, stored.normalizer),
            }  # fmt: skip
        evaluation.record(
            agreement,
            normalizer=stored.normalizer,
            **({"slice_name": f"judge={judge}"} if number else {}),
        )
    evaluation.record(stored.figures("listened"))
    note_missing(evaluation, stored, lines, NOUN, "they fail all that is expected of them")
    if verdict_file(stored).exists():
        judged = read_lines(verdict_file(stored), Judged)
        evaluation.record(llm_judged(lines, dialogues, judged))


def verdict_file(stored: Stored) -> Path:
    """The file with what `--llm-judge` said of each answer."""
    return stored.path().with_suffix(".llm-judge.jsonl")


TASK = Task(
    name="chat",
    title="Conversation",
    meaning="spoken conversations with an assistant",
    corpus="dialogues",
    protocol="chat",
    lines=Replied,
    own_metrics=(
        "turn_success_rate",
        "dialogue_success_rate",
        "instruction_following",
        "memory_rate",
        "typed_success_rate",
        "hearing_loss",
        "user_wer",
        *_OF_USER,
        "speech_text_wer",
        "judge_floor",
        "answer_words",
        "llm_judged_rate",
        "llm_agreement",
        "llm_kappa",
        "llm_unparsable",
        "success_rate",
        *LATENCIES,
        *MACHINE,
        "usable_rate",
        "speaking_rate",
        "loudness",
        "clipped_rate",
        "dnsmos_overall",
        "dnsmos_speech",
        "dnsmos_background",
        "dnsmos_p808",
        "distill_mos",
        "first_token_p50",
        "first_token_p95",
        "first_audio_p50",
        "first_audio_p95",
    ),
    score=score,
    essential="turn_success_rate",
    columns=(
        Column("turn_success_rate", interval=True),
        Column("dialogue_success_rate"),
        Column("typed_success_rate", on=SCREENS),
        Column("memory_rate", on=SCREENS),
        Column("llm_judged_rate", on=TERMINAL, digits=1),
        Column("llm_kappa", on=TERMINAL),
        Column("speech_text_wer", digits=1),
        Column("dnsmos_overall", on=SCREENS),
        Column("distill_mos", on=TERMINAL, where_measured=True),
        Column("first_token_p95", on=TERMINAL),
        Column("first_audio_p95", heading="First audio p95", short="audio s"),
        Column("latency_p95", on=SCREENS, heading="Answer p95", short="whole s"),
        Column("answer_words", on=TERMINAL),
        Column("load_time", on=TERMINAL),
        Column("peak_memory", on=SCREENS),
    ),
    drawn=(
        Column("turn_success_rate", heading="turns that succeed"),
        Column("first_audio_p95"),
        Column("peak_memory"),
        Column("peak_device_memory", where_measured=True),
    ),
    row_name="assistant",
    where_named=True,
    compared=("success_rate", "turn_success_rate", "typed_success_rate", "user_wer"),
    wrong=True,
)
