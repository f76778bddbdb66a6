"""The metrics that exist, one object each; a team's own come beside them: evals/tasks."""

from __future__ import annotations

import re
from typing import cast

from evals.records.metric import Metric, Unit

_FIRST_PIECE = "seconds from handing over the audio to having the first piece of its text"
_FIRST_AUDIO = "seconds from handing over the text to having the first audio to play"
_LATENCY = "seconds from handing over the audio to having its whole text"

_METRICS = (
    Metric("wer", "ratio", "max", "word errors / reference words, over the corpus"),
    Metric("cer", "ratio", "max", "character errors / reference characters"),
    Metric("mer", "ratio", "max", "word errors / (word errors + words heard right)"),
    Metric("wil", "ratio", "max", "word information lost"),
    Metric("sentence_error_rate", "ratio", "max", "utterances with any word error"),
    Metric("worst_slice_wer", "ratio", "max", "WER of the worst part of the corpus"),
    Metric("number_error_rate", "ratio", "max", "numbers wrong or added / reference numbers"),
    Metric("entity_error_rate", "ratio", "max", "entities of the manifest, not heard"),
    Metric("casing_error_rate", "ratio", "max", "right words with a wrong capital"),
    Metric(
        "punctuation_error_rate",
        "ratio",
        "max",
        "marks wrong, missed or added after right words / marks",
    ),
    Metric("loops", "count", "max", "utterances in which it repeats itself", heading="Loops"),
    Metric("cpwer", "ratio", "max", "word errors of sessions by speaker, labels matched at best"),
    Metric("annotations", "count", "max", "marks of non-speech in hypotheses, such as [noise]"),
    Metric("other_references", "count", "max", "rows scored by another right text than the first"),
    Metric(
        "batch_change_rate",
        "ratio",
        "max",
        "utterances with another text than the engine hears without batching",
    ),
    Metric("length_ratio", "ratio", "max", "words heard / reference words", digits=3, factor=1),
    Metric("hits", "count", "min", "words heard right"),
    Metric("substitutions", "count", "max", "words heard as another"),
    Metric("deletions", "count", "max", "words missed"),
    Metric("insertions", "count", "max", "words heard that nobody said"),
    Metric(
        "wer_change",
        "ratio",
        "max",
        "WER minus the baseline's, paired",
        is_difference=True,
        change_of="wer",
    ),
    Metric(
        "cer_change",
        "ratio",
        "max",
        "CER minus the baseline's, paired",
        is_difference=True,
        change_of="cer",
    ),
    Metric(
        "sentence_error_rate_change",
        "ratio",
        "max",
        "the same of utterances",
        is_difference=True,
        change_of="sentence_error_rate",
    ),
    Metric(
        "success_rate_change",
        "ratio",
        "min",
        "the same of answers",
        is_difference=True,
        change_of="success_rate",
    ),
    Metric(
        "wer_by_normalizer", "ratio", "max", "WER under another normalizer", may_be_limited=False
    ),
    Metric(
        "success_rate",
        "ratio",
        "min",
        "utterances answered without an error",
        heading="Answered",
        short="ok %",
        digits=1,
    ),
    Metric(
        "rtf",
        "ratio",
        "max",
        "processing seconds / audio seconds",
        is_speed=True,
        short="RTF",
        digits=3,
        factor=1,
    ),
    Metric(
        "rtfx",
        "ratio",
        "min",
        "audio seconds / processing seconds",
        is_speed=True,
        digits=1,
        factor=1,
        sign="\u00d7",
        inverse="rtf",
    ),
    Metric("processing_time", "s", "max", "seconds of processing, of all answers", is_speed=True),
    Metric(
        "energy", "Wh/h", "max", "watt-hours that the device drew per hour of audio", is_speed=True
    ),
    Metric("latency_p50", "s", "max", f"median of the {_LATENCY}", is_speed=True),
    Metric(
        "latency_p95",
        "s",
        "max",
        f"95th percentile of the {_LATENCY}",
        is_speed=True,
        heading="p95",
        short="p95 s",
    ),
    Metric("latency_p99", "s", "max", f"99th percentile of the {_LATENCY}", is_speed=True),
    Metric(
        "load_time",
        "s",
        "max",
        "seconds to load the model in a fresh process",
        is_speed=True,
        heading="Load",
        short="load s",
    ),
    Metric(
        "first_inference", "s", "max", "seconds of the first 5 s clip after loading", is_speed=True
    ),
    Metric(
        "peak_memory",
        "MB",
        "max",
        "peak resident memory of the model's process",
        heading="Memory",
        short="MB",
    ),
    Metric("peak_device_memory", "MB", "max", "peak memory taken on the accelerator"),
    Metric("first_token_p50", "s", "max", f"median of the {_FIRST_PIECE}", is_speed=True),
    Metric(
        "first_token_p95",
        "s",
        "max",
        f"95th percentile of the {_FIRST_PIECE}",
        is_speed=True,
        short="text s",
    ),
    Metric(
        "wer_drift",
        "ratio",
        "max",
        "WER under a condition minus the clean, paired",
        is_difference=True,
    ),
    Metric(
        "hallucinated_words_per_minute",
        "1/min",
        "max",
        "words heard per minute of non-speech",
        heading="Words",
        short="words/min",
        sign="per minute",
    ),
    Metric(
        "hallucination_rate",
        "ratio",
        "max",
        "clips of non-speech with any word heard",
        heading="Clips with words",
        short="clips %",
        digits=1,
    ),
    Metric(
        "phantom_phrases",
        "count",
        "max",
        "known phrases of subtitles nobody said",
        heading="Phantom phrases",
        short="phantoms",
    ),
    Metric(
        "leading_insertions",
        "count",
        "max",
        "words heard before speech begins",
        heading="Before speech",
        short="before",
    ),
    Metric(
        "trailing_insertions",
        "count",
        "max",
        "words heard after speech ends",
        heading="After speech",
        short="after",
    ),
    Metric("judge_wer", "ratio", "max", "the judge's WER on the recordings of people"),
    Metric(
        "wer_above_judge",
        "ratio",
        "max",
        "WER of the voice minus judge_wer, paired",
        is_difference=True,
    ),
    Metric(
        "judge_floor", "ratio", "max", "WER that a judge has in other voices too", short="judge %"
    ),
    Metric("wer_above_floor", "ratio", "max", "WER of the voice minus judge_floor"),
    Metric(
        "usable_rate",
        "ratio",
        "min",
        "sentences with audio that can be speech",
        heading="Usable",
        short="usable %",
        digits=1,
    ),
    Metric("clipped_rate", "ratio", "max", "clips with flat tops", digits=1),
    Metric(
        "dc_offset", "ratio", "max", "largest mean of a clip, of full scale", digits=4, factor=1
    ),
    Metric("leading_silence_p95", "s", "max", "silence before the speech"),
    Metric("trailing_silence_p95", "s", "max", "silence after the speech"),
    Metric("longest_pause_p95", "s", "max", "longest silence within the speech"),
    Metric("loudness", "LUFS", "min", "median over the clips (ITU-R BS.1770)", short="LUFS"),
    Metric(
        "speaking_rate",
        "1/s",
        "max",
        "written words per second without silences",
        heading="Words",
        short="words/s",
        sign="per second",
    ),
    Metric(
        "dnsmos_overall",
        "score",
        "min",
        "DNSMOS P.835, overall quality, 1 to 5",
        heading="MOS",
        short="MOS",
    ),
    Metric("dnsmos_speech", "score", "min", "DNSMOS P.835, quality of the speech"),
    Metric("dnsmos_background", "score", "min", "DNSMOS P.835, quality of what is behind"),
    Metric("dnsmos_p808", "score", "min", "DNSMOS P.808, overall quality"),
    Metric("distill_mos", "score", "min", "Distill-MOS, overall quality, 1 to 5", short="DMOS"),
    Metric("mcd", "dB", "max", "mel-cepstral distortion against recordings, aligned"),
    Metric("f0_rmse", "cents", "max", "pitch error against recordings, aligned"),
    Metric("voicing_error_rate", "ratio", "max", "aligned frames voiced in one of both"),
    Metric("stoi", "score", "min", "short-time intelligibility, 0 to 1"),
    Metric("pesq", "score", "min", "PESQ, wide band, 1.04 to 4.64"),
    Metric("f0_spread", "cents", "min", "how much the pitch varies within a clip, mean"),
    Metric("utmos", "score", "min", "UTMOS, naturalness, about 1 to 5", short="UTMOS"),
    Metric("speaker_similarity", "score", "min", "cosine of speaker embeddings against recordings"),
    Metric("first_audio_p50", "s", "max", f"median of the {_FIRST_AUDIO}", is_speed=True),
    Metric(
        "first_audio_p95",
        "s",
        "max",
        f"95th percentile of the {_FIRST_AUDIO}",
        is_speed=True,
        heading="First audio",
        short="first s",
    ),
    Metric(
        "turn_success_rate",
        "ratio",
        "min",
        "turns in which all expected holds",
        heading="Turns",
        short="turns %",
        digits=1,
    ),
    Metric(
        "dialogue_success_rate",
        "ratio",
        "min",
        "dialogues all of whose turns succeed",
        heading="Dialogues",
        short="dialogues %",
        digits=1,
    ),
    Metric("instruction_following", "ratio", "min", "expectations of form that hold", digits=1),
    Metric(
        "memory_rate",
        "ratio",
        "min",
        "expectations of earlier turns that hold",
        heading="Memory of turns",
        short="memory %",
        digits=1,
    ),
    Metric(
        "typed_success_rate",
        "ratio",
        "min",
        "turn_success_rate with text for sound",
        heading="Typed turns",
        short="typed %",
        digits=1,
    ),
    Metric(
        "hearing_loss",
        "ratio",
        "max",
        "typed minus spoken turn success, paired",
        is_difference=True,
    ),
    Metric("user_wer", "ratio", "max", "WER of what the assistant understood"),
    Metric(
        "speech_text_wer",
        "ratio",
        "max",
        "judge's WER of the spoken answer",
        heading="Spoken WER",
        short="said WER %",
    ),
    Metric("answer_words", "count", "max", "median length of an answer", short="words"),
    Metric(
        "llm_judged_rate",
        "ratio",
        "min",
        "turns that --llm-judge calls right",
        short="LLM %",
        only_beside="turn_success_rate",
    ),
    Metric("llm_agreement", "ratio", "min", "turns on which it and the expectations agree"),
    Metric(
        "llm_kappa",
        "score",
        "min",
        "Cohen's kappa of these two, -1 to 1; 0 is chance",
        short="kappa",
    ),
    Metric("llm_unparsable", "count", "max", "answers on which it gave no clear verdict"),
)
#: Every metric by its name, in the order in which reports list them.
METRICS: dict[str, Metric] = {metric.name: metric for metric in _METRICS}


def metric_of(name: str, unit: str | None = None) -> Metric:
    """The metric of that name; one that only another version knows is written by its unit.

    A use of a task names the metric of another one as TASK/METRIC.
    """
    own = name.rpartition("/")[2]
    if own in METRICS:
        return METRICS[own]
    safe = re.sub(r"\W|^(?=\d|$)", "_", own)  # it comes from a file
    if unit is None:
        return Metric(safe, "score", "max", "", digits=4)
    return Metric(safe, cast(Unit, unit), "max", "")


def rank(name: str) -> int:
    """The place of a metric in reports' order; those that another version knows come last."""
    return next((i for i, known in enumerate(METRICS) if known == name), len(METRICS))


#: Metrics that several tasks report.
LATENCIES = ("latency_p50", "latency_p95", "latency_p99")
SPEED = ("rtf", "rtfx", "processing_time", "energy", *LATENCIES)
MACHINE = ("load_time", "first_inference", "peak_memory", "peak_device_memory")
VOICE = (
    "judge_wer",
    "wer_above_judge",
    "judge_floor",
    "wer_above_floor",
    "usable_rate",
    "clipped_rate",
    "dc_offset",
    "leading_silence_p95",
    "trailing_silence_p95",
    "longest_pause_p95",
    "loudness",
    "speaking_rate",
    "dnsmos_overall",
    "dnsmos_speech",
    "dnsmos_background",
    "dnsmos_p808",
    "distill_mos",
    "mcd",
    "f0_rmse",
    "voicing_error_rate",
    "stoi",
    "pesq",
    "f0_spread",
    "utmos",
    "speaker_similarity",
    "first_audio_p50",
    "first_audio_p95",
)
