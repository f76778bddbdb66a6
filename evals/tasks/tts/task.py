"""Speech synthesis: what it reports, and its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evals.metrics import MACHINE, SPEED, VOICE
from evals.records.measurement import ALL
from evals.records.spoken import Spoken
from evals.task import SCREENS, TERMINAL, Column, Task

if TYPE_CHECKING:
    from evals.gate.evaluation import Evaluation
    from evals.run.case_store import Stored


def score(evaluation: Evaluation, stored: Stored) -> None:
    """From what was said, and what recognizers heard of it, to figures."""
    from evals.tasks.asr.dominant import name_dominant
    from evals.tasks.provided import FACT, note_missing
    from evals.tasks.tts.clips import stored_clips
    from evals.tasks.tts.intelligibility import by_part, heard_by, intelligibility
    from evals.tasks.tts.provided import NOUN
    from evals.tasks.tts.scores import answers, signal, tts_speed

    lines = [*stored.read(Spoken)]
    evaluation.record(tts_speed(lines))
    evaluation.record(stored.figures())
    judges, second = stored.facts["judges"], stored.facts.get("second_voices")
    for number, judge in enumerate(judges):
        part = f"judge={judge}" if number else ALL
        figures = intelligibility(lines, judge, stored.normalizer, second)
        evaluation.record(figures, normalizer=stored.normalizer, slice_name=part)
        if figures["wer"].value is not None:
            name_dominant(evaluation, heard_by(lines, judge, stored.normalizer), part)
    for name, figure in by_part(lines, judges[0], stored.normalizer, second).items():
        evaluation.record({"wer": figure}, normalizer=stored.normalizer, slice_name=name)
    sounds = stored_clips(stored, lines)
    evaluation.record(answers(lines, sounds))
    evaluation.record(signal(sounds))
    evaluation.record(stored.figures("listened"))
    if FACT in stored.facts:
        worded = [line for line in lines if any(c.isalnum() for c in line.text)]
        note_missing(evaluation, stored, worded, NOUN, "nothing was heard of them")


TASK = Task(
    name="tts",
    title="Voices",
    meaning="speech synthesis of a list of sentences",
    corpus="sentences",
    protocol="tts",
    lines=Spoken,
    own_metrics=("wer", "cer", "success_rate", *SPEED, *MACHINE, *VOICE),
    score=score,
    essential="wer",
    columns=(
        Column("wer", interval=True),
        Column("judge_floor", on=SCREENS, where_measured=True, digits=1),
        Column("success_rate"),
        Column("usable_rate"),
        Column("dnsmos_overall"),
        Column("distill_mos", on=SCREENS, where_measured=True),
        Column("utmos", on=TERMINAL, where_measured=True),
        Column("rtf"),
        Column("latency_p95", on=SCREENS),
        Column("first_audio_p95", on=SCREENS),
        Column("loudness", on=TERMINAL),
        Column("speaking_rate", on=SCREENS, digits=1),
        Column("load_time", on=SCREENS),
        Column("peak_memory"),
    ),
    drawn=(
        Column("wer", heading="word error rate as a judge hears them"),
        Column("rtfx"),
        Column("peak_memory"),
        Column("peak_device_memory", where_measured=True),
    ),
    row_name="voice",
    sliced=frozenset({"wer"}),
    where_named=True,
    compared=("wer", "cer", "success_rate"),
    wrong=True,
)
