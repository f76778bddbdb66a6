"""Speech recognition: what it reports, and its figures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from evals.metrics import MACHINE, SPEED
from evals.records.predictions import Prediction
from evals.task import SCREENS, Column, Task

if TYPE_CHECKING:
    from evals.gate.evaluation import Evaluation
    from evals.run.case_store import Stored


def score(evaluation: Evaluation, stored: Stored) -> None:
    """From the predictions to figures."""
    from evals.gate.baseline import held_to_baseline
    from evals.tasks.asr.batched import note_batching
    from evals.tasks.asr.breakdown import explain
    from evals.tasks.asr.provided import NOUN
    from evals.tasks.asr.scores import accuracy_of, details, in_unknown_languages, speed_of
    from evals.tasks.asr.utterance_table import tabulate
    from evals.tasks.provided import note_missing

    table = tabulate(stored.read(Prediction), stored.normalizer)
    figures = dict(accuracy_of(table))
    if unknown := in_unknown_languages(table, stored.facts.get("languages")):
        wer = figures["wer"]
        figures["wer"] = replace(wer, reason="; ".join(filter(None, (wer.reason, unknown))))
    evaluation.record(figures, normalizer=stored.normalizer)
    evaluation.record(details(table), normalizer=stored.normalizer)
    evaluation.record(speed_of(table.timings))
    evaluation.record(stored.figures())
    explain(evaluation, table)
    note_batching(evaluation, table.batching)
    means = "all their words count as deleted"
    note_missing(evaluation, stored, stored.read(Prediction), NOUN, means)
    if stored.baseline is not None:
        held_to_baseline(
            evaluation,
            stored.baseline,
            stored.facts["content_hash"],
            table,
            has_sound=stored.facts.get("has_sound", True),
        )


TASK = Task(
    name="asr",
    title="Recognition",
    meaning="speech recognition over a corpus",
    corpus="speech",
    protocol="asr",
    lines=Prediction,
    own_metrics=(
        "wer",
        "cer",
        "mer",
        "wil",
        "sentence_error_rate",
        "worst_slice_wer",
        "number_error_rate",
        "entity_error_rate",
        "casing_error_rate",
        "punctuation_error_rate",
        "cpwer",
        "loops",
        "annotations",
        "other_references",
        "batch_change_rate",
        "length_ratio",
        "hits",
        "substitutions",
        "deletions",
        "insertions",
        "wer_change",
        "cer_change",
        "sentence_error_rate_change",
        "success_rate_change",
        "wer_by_normalizer",
        "success_rate",
        *SPEED,
        *MACHINE,
        "first_token_p50",
        "first_token_p95",
    ),
    score=score,
    essential="wer",
    columns=(
        Column("wer", interval=True),
        Column("cer"),
        Column("success_rate"),
        Column("rtf"),
        Column("latency_p95", on=SCREENS),
        Column("latency_p95", task="latency", on=SCREENS, heading="5 s clip p95", short="5 s clip"),
        Column("load_time", on=SCREENS),
        Column("peak_memory"),
    ),
    drawn=(
        Column("wer", heading="word error rate"),
        Column("rtfx"),
        Column("peak_memory"),
        Column("peak_device_memory", where_measured=True),
    ),
    front=("rtfx", "wer"),
    sliced=frozenset({"wer"}),
    compared=("wer", "cer", "sentence_error_rate", "success_rate"),
    wrong=True,
)
