"""The metrics that exist: their units, and which way is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from evals.measurement import Bound

Unit = Literal["ratio", "count", "s", "MB", "1/min", "1/s", "LUFS", "dB", "cents", "score", "Wh/h"]


@dataclass(frozen=True, slots=True)
class Metric:
    """unit of the value, the side on which a limit lies, and whether it measures time."""

    unit: Unit
    bound: Bound
    is_speed: bool = False
    meaning: str = ""


_FIRST_PIECE = "seconds from handing over the audio to having the first piece of its text"
_FIRST_AUDIO = "seconds from handing over the text to having the first audio to play"
_LATENCY = "seconds from handing over the audio to having its whole text"

METRICS: Mapping[str, Metric] = {
    "wer": Metric("ratio", "max", meaning="word errors / reference words, over the corpus"),
    "cer": Metric("ratio", "max", meaning="character errors / reference characters"),
    "mer": Metric("ratio", "max", meaning="word errors / (word errors + words heard right)"),
    "wil": Metric("ratio", "max", meaning="word information lost"),
    "sentence_error_rate": Metric("ratio", "max", meaning="utterances with any word error"),
    "worst_slice_wer": Metric("ratio", "max", meaning="WER of the worst part of the corpus"),
    "number_error_rate": Metric("ratio", "max", meaning="reference words with digits, not heard"),
    "entity_error_rate": Metric("ratio", "max", meaning="entities of the manifest, not heard"),
    "casing_error_rate": Metric("ratio", "max", meaning="right words with a wrong capital"),
    "punctuation_error_rate": Metric(
        "ratio", "max", meaning="marks wrong, missed or added after right words / marks"
    ),
    "loops": Metric("count", "max", meaning="utterances in which the model repeats itself"),
    "batch_change_rate": Metric(
        "ratio", "max", meaning="utterances of batches with another text than when heard alone"
    ),
    "length_ratio": Metric("ratio", "max", meaning="words heard / reference words"),
    "hits": Metric("count", "min", meaning="words heard right"),
    "substitutions": Metric("count", "max", meaning="words heard as another"),
    "deletions": Metric("count", "max", meaning="words missed"),
    "insertions": Metric("count", "max", meaning="words heard that nobody said"),
    "wer_change": Metric("ratio", "max", meaning="WER minus the baseline's, paired"),
    "cer_change": Metric("ratio", "max", meaning="CER minus the baseline's, paired"),
    "sentence_error_rate_change": Metric("ratio", "max", meaning="the same of utterances"),
    "success_rate_change": Metric("ratio", "min", meaning="the same of answers"),
    "wer_by_normalizer": Metric("ratio", "max", meaning="WER under another normalizer"),
    "success_rate": Metric("ratio", "min", meaning="utterances answered without an error"),
    "rtf": Metric("ratio", "max", True, "processing seconds / audio seconds"),
    "rtfx": Metric("ratio", "min", True, "audio seconds / processing seconds"),
    "processing_time": Metric("s", "max", True, "seconds of processing, of all answers together"),
    "energy": Metric("Wh/h", "max", True, "watt-hours that the device drew per hour of audio"),
    "latency_p50": Metric("s", "max", True, f"median of the {_LATENCY}"),
    "latency_p95": Metric("s", "max", True, f"95th percentile of the {_LATENCY}"),
    "latency_p99": Metric("s", "max", True, f"99th percentile of the {_LATENCY}"),
    "load_time": Metric("s", "max", True, "seconds to load the model in a fresh process"),
    "first_inference": Metric("s", "max", True, "seconds of the first 5 s clip after loading"),
    "peak_memory": Metric("MB", "max", meaning="peak resident memory of the model's process"),
    "peak_device_memory": Metric("MB", "max", meaning="peak memory taken on the accelerator"),
    "first_token_p50": Metric("s", "max", True, f"median of the {_FIRST_PIECE}"),
    "first_token_p95": Metric("s", "max", True, f"95th percentile of the {_FIRST_PIECE}"),
    "wer_drift": Metric("ratio", "max", meaning="WER under a condition minus the clean, paired"),
    "hallucinated_words_per_minute": Metric(
        "1/min", "max", meaning="words heard per minute of non-speech"
    ),
    "hallucination_rate": Metric("ratio", "max", meaning="clips of non-speech with any word heard"),
    "phantom_phrases": Metric("count", "max", meaning="known phrases of subtitles nobody said"),
    "leading_insertions": Metric("count", "max", meaning="words heard before speech begins"),
    "trailing_insertions": Metric("count", "max", meaning="words heard after speech ends"),
    "judge_wer": Metric("ratio", "max", meaning="the judge's WER on the recordings of people"),
    "wer_above_judge": Metric("ratio", "max", meaning="WER of the voice minus judge_wer, paired"),
    "usable_rate": Metric("ratio", "min", meaning="sentences with audio that can be speech"),
    "clipped_rate": Metric("ratio", "max", meaning="clips with flat tops"),
    "dc_offset": Metric("ratio", "max", meaning="largest mean of a clip, of full scale"),
    "leading_silence_p95": Metric("s", "max", meaning="silence before the speech"),
    "trailing_silence_p95": Metric("s", "max", meaning="silence after the speech"),
    "longest_pause_p95": Metric("s", "max", meaning="longest silence within the speech"),
    "loudness": Metric("LUFS", "min", meaning="median over the clips (ITU-R BS.1770)"),
    "speaking_rate": Metric("1/s", "max", meaning="written words per second without silences"),
    "dnsmos_overall": Metric("score", "min", meaning="DNSMOS P.835, overall quality, 1 to 5"),
    "dnsmos_speech": Metric("score", "min", meaning="DNSMOS P.835, quality of the speech"),
    "dnsmos_background": Metric("score", "min", meaning="DNSMOS P.835, quality of what is behind"),
    "dnsmos_p808": Metric("score", "min", meaning="DNSMOS P.808, overall quality"),
    "mcd": Metric("dB", "max", meaning="mel-cepstral distortion against recordings, aligned"),
    "f0_rmse": Metric("cents", "max", meaning="pitch error against recordings, aligned"),
    "voicing_error_rate": Metric("ratio", "max", meaning="aligned frames voiced in one of both"),
    "stoi": Metric("score", "min", meaning="short-time intelligibility, 0 to 1"),
    "pesq": Metric("score", "min", meaning="PESQ, wide band, 1.04 to 4.64"),
    "f0_spread": Metric("cents", "min", meaning="how much the pitch varies within a clip, mean"),
    "utmos": Metric("score", "min", meaning="UTMOS, naturalness, about 1 to 5"),
    "speaker_similarity": Metric(
        "score", "min", meaning="cosine of speaker embeddings against recordings"
    ),
    "first_audio_p50": Metric("s", "max", True, f"median of the {_FIRST_AUDIO}"),
    "first_audio_p95": Metric("s", "max", True, f"95th percentile of the {_FIRST_AUDIO}"),
    "turn_success_rate": Metric("ratio", "min", meaning="turns in which all expected holds"),
    "dialogue_success_rate": Metric("ratio", "min", meaning="dialogues all of whose turns succeed"),
    "instruction_following": Metric("ratio", "min", meaning="expectations of form that hold"),
    "memory_rate": Metric("ratio", "min", meaning="expectations of earlier turns that hold"),
    "typed_success_rate": Metric("ratio", "min", meaning="turn_success_rate with text for sound"),
    "hearing_loss": Metric("ratio", "max", meaning="typed minus spoken turn success, paired"),
    "user_wer": Metric("ratio", "max", meaning="WER of what the assistant understood"),
    "speech_text_wer": Metric("ratio", "max", meaning="judge's WER of the spoken answer"),
    "answer_words": Metric("count", "max", meaning="median length of an answer"),
    "llm_judged_rate": Metric("ratio", "min", meaning="turns that --llm-judge calls right"),
    "llm_agreement": Metric("ratio", "min", meaning="turns on which it and the expectations agree"),
    "llm_kappa": Metric("score", "min", meaning="Cohen's kappa of these two, -1 to 1; 0 is chance"),
    "llm_unparsable": Metric("count", "max", meaning="answers on which it gave no clear verdict"),
}

_LLM_JUDGE = frozenset({"llm_judged_rate", "llm_agreement", "llm_kappa", "llm_unparsable"})

_CHAT = frozenset(
    {
        "turn_success_rate",
        "dialogue_success_rate",
        "instruction_following",
        "memory_rate",
        "typed_success_rate",
        "hearing_loss",
        "user_wer",
        "speech_text_wer",
        "answer_words",
        *_LLM_JUDGE,
    }
)
_SPEED = frozenset(
    {"rtf", "rtfx", "processing_time", "energy", "latency_p50", "latency_p95", "latency_p99"}
)
_MACHINE = frozenset({"load_time", "first_inference", "peak_memory", "peak_device_memory"})
_VOICE = frozenset(
    {
        "judge_wer",
        "wer_above_judge",
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
    }
)

_HALLUCINATION = frozenset(
    {
        "hallucinated_words_per_minute",
        "hallucination_rate",
        "phantom_phrases",
        "leading_insertions",
        "trailing_insertions",
    }
)

#: The metrics that each task reports; thresholds may name no others.
TASK_METRICS: Mapping[str, frozenset[str]] = {
    "smoke": frozenset(
        {"success_rate", "load_time", "first_inference", "peak_memory", "peak_device_memory"}
    ),
    # wer_by_normalizer has a row for each normalizer, so no one value that could be limited.
    "asr": frozenset(METRICS)
    - _HALLUCINATION
    - _VOICE
    - _CHAT
    - {"wer_drift", "wer_by_normalizer"},
    "chat": _SPEED - {"rtf", "rtfx", "processing_time", "energy"}
    | _MACHINE
    | _LLM_JUDGE
    | {
        "success_rate",
        "turn_success_rate",
        "dialogue_success_rate",
        "instruction_following",
        "memory_rate",
        "typed_success_rate",
        "hearing_loss",
        "user_wer",
        "speech_text_wer",
        "answer_words",
        "usable_rate",
        "speaking_rate",
        "loudness",
        "clipped_rate",
        "dnsmos_overall",
        "dnsmos_speech",
        "dnsmos_background",
        "dnsmos_p808",
        "first_token_p50",
        "first_token_p95",
        "first_audio_p50",
        "first_audio_p95",
    },
    "tts": _VOICE | _SPEED | _MACHINE | {"wer", "cer", "success_rate"},
    "robustness": frozenset({"wer", "wer_drift"}),
    "hallucination": _HALLUCINATION | {"loops"},
    "latency": frozenset({"latency_p50", "latency_p95", "latency_p99"}),
}
