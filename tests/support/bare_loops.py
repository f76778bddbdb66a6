"""Bare loops over the libraries of real recognizers: what a person writes without this project."""

from __future__ import annotations

import atexit
import importlib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from adapters.interface import LoadSpec, Samples

#: From 16 kHz samples to the text. Sampled text comes from the seed anew, as in a session.
Loop: TypeAlias = Callable[[Samples], str]
_SHARED = ("language", "best_of", "condition_on_previous_text", "initial_prompt")


def faster_whisper(spec: LoadSpec) -> Loop:
    import ctranslate2
    from faster_whisper import WhisperModel

    given = spec.options
    model = WhisperModel(
        spec.checkpoint,
        device="cpu",
        compute_type=given["compute_type"],
        cpu_threads=spec.threads,
        local_files_only=True,
    )

    def hear(samples: Samples) -> str:
        ctranslate2.set_random_seed(spec.seed)
        segments, _ = model.transcribe(
            samples,
            **{name: given[name] for name in _SHARED},
            beam_size=given["beam_size"],
            temperature=given["temperature"],
            compression_ratio_threshold=given["compression_ratio_threshold"],
            log_prob_threshold=given["logprob_threshold"],
            no_speech_threshold=given["no_speech_threshold"],
            without_timestamps=bool(given["without_timestamps"]),
        )
        return "".join(segment.text for segment in segments).strip()

    return hear


def openai_whisper(spec: LoadSpec) -> Loop:
    import torch
    import whisper

    torch.set_num_threads(spec.threads)
    given = spec.options
    model = whisper.load_model(spec.checkpoint, device="cpu")

    def hear(samples: Samples) -> str:
        torch.manual_seed(spec.seed)
        result = model.transcribe(
            samples,
            **{name: given[name] for name in _SHARED},
            temperature=tuple(given["temperature"]),
            compression_ratio_threshold=given["compression_ratio_threshold"],
            logprob_threshold=given["logprob_threshold"],
            no_speech_threshold=given["no_speech_threshold"],
            without_timestamps=given["without_timestamps"],
            fp16=False,
        )
        text: str = result["text"]
        return text.strip()

    return hear


def transformers_whisper(spec: LoadSpec) -> Loop:
    import torch

    transformers: Any = importlib.import_module("transformers")

    torch.set_num_threads(spec.threads)
    given = spec.options
    processor = transformers.WhisperProcessor.from_pretrained(spec.checkpoint)
    model = transformers.WhisperForConditionalGeneration.from_pretrained(
        spec.checkpoint, dtype=torch.float32
    )

    def hear(samples: Samples) -> str:
        torch.manual_seed(spec.seed)
        long = len(samples) > 30 * 16_000
        made = processor(
            samples,
            sampling_rate=16_000,
            return_tensors="pt",
            return_attention_mask=True,
            **({"truncation": False, "padding": "longest"} if long else {}),
        )
        tokens = model.generate(
            **made,
            num_beams=given["beam_size"],
            temperature=tuple(given["temperature"]),
            compression_ratio_threshold=given["compression_ratio_threshold"],
            logprob_threshold=given["logprob_threshold"],
            no_speech_threshold=given["no_speech_threshold"],
            condition_on_prev_tokens=given["condition_on_previous_text"],
            return_timestamps=not given["without_timestamps"],
            top_k=0,
        )
        (text,) = processor.batch_decode(tokens, skip_special_tokens=True)
        return str(text).strip()

    return hear


def moonshine(spec: LoadSpec) -> Loop:
    import moonshine_voice as library

    given = spec.options
    transcriber = library.Transcriber(
        model_path=spec.checkpoint,
        model_arch=library.string_to_model_arch(given["architecture"]),
        options={
            "identify_speakers": "false",
            "return_audio_data": "false",
            "vad_threshold": given["vad_threshold"],
            "vad_max_segment_duration": given["segment_seconds"],
        },
    )

    def hear(samples: Samples) -> str:
        stream = transcriber.create_stream(update_interval=float("inf"))
        stream.start()
        stream.add_audio(samples.tolist(), 16_000)
        lines = stream.update_transcription(1).lines  # 1: now, all that was added
        stream.close()
        return " ".join(line.text for line in lines).strip()

    # Freeing it ends the process with a segmentation fault in 0.0.49; this keeps it until then.
    atexit.register(setattr, transcriber, "_handle", None)
    return hear


#: Engine to its loop.
LOOPS: Mapping[str, Callable[[LoadSpec], Loop]] = {
    "faster_whisper": faster_whisper,
    "openai_whisper": openai_whisper,
    "transformers_asr": transformers_whisper,
    "moonshine": moonshine,
}
