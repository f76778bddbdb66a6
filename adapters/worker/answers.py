"""Requests and answers of a worker: sound out of messages, and an engine's answers checked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from adapters.interface import (
    Adapter,
    Audio,
    BatchTranscriber,
    LoadSpec,
    ModelError,
    Samples,
    Transcript,
)
from adapters.worker.messages import Message


class WrongTypeError(Exception):
    """An adapter gave something else than its protocol says."""


def audios_of(message: Message) -> list[Audio]:
    """The sounds in a request, laid end to end: bytes, or for long audio the name of their file."""
    if message.get("file"):
        whole = _samples_in(Path(message["file"]))
    else:
        whole = np.frombuffer(message["samples"], dtype=np.float32)
    found, start = [], 0
    for length, rate, language in message["sounds"]:
        found.append(Audio(whole[start : start + length], rate, language))
        start += length
    return found


def _samples_in(file: Path) -> Samples:
    """All of a file, which is gone when the answer is given."""
    if os.name != "posix" or not file.stat().st_size:  # nothing can be mapped of an empty one
        return np.fromfile(file, dtype=np.float32)
    # Not read, which would be one copy more of an hour of audio; what is written to is a copy.
    samples: Samples = np.asarray(np.memmap(file, dtype=np.float32, mode="c"))
    return samples


def check_length(transcriber: Adapter, audio: Audio) -> None:
    longest = transcriber.longest_audio
    if longest is not None and audio.seconds > longest:
        raise ModelError(
            f"the audio lasts {audio.seconds:.1f} s and {type(transcriber).__name__} takes at "
            f"most {longest:g} s: split the utterance"
        )


def check_transcript(heard: Any, who: str) -> None:
    if not isinstance(heard, Transcript) or not isinstance(heard.text, str):
        raise WrongTypeError(f"{who} {type_of(heard)}; a Transcript with text is expected")


def row(heard: Transcript) -> Message:
    return {"text": heard.text, "language": heard.language, "words": word_rows(heard.words)}


def batch_size(adapter: Adapter, spec: LoadSpec) -> int:
    """How many utterances the loaded model may be given at once."""
    if not isinstance(adapter, BatchTranscriber):
        return 1
    size = adapter.batch_of({**adapter.options, **spec.options})
    return size if adapter.most_at_once is None else min(size, adapter.most_at_once)


def does_several(adapter: Adapter, spec: LoadSpec) -> bool:
    """Whether its option says that it works on several windows or utterances at once."""
    size = {**adapter.options, **spec.options}.get("batch_size", 1)
    return isinstance(size, int) and size > 1


def check_audio(audio: Any, who: str) -> None:
    if not isinstance(audio, Audio):
        raise WrongTypeError(f"{who} {type_of(audio)}; an Audio is expected")
    if not isinstance(audio.samples, np.ndarray) or audio.samples.ndim != 1:
        raise WrongTypeError(f"{who} audio that is not a mono array of samples")
    if not audio.sample_rate > 0:
        raise WrongTypeError(f"{who} audio at {audio.sample_rate} Hz")


def joined(pieces: list[Audio]) -> Audio:
    rates = {piece.sample_rate for piece in pieces}
    if len(rates) > 1:
        raise WrongTypeError(f"one answer came in pieces of {sorted(rates)} Hz")
    return Audio(np.concatenate([piece.samples for piece in pieces]), rates.pop())


def sound_row(audio: Audio) -> Message:
    samples = np.ascontiguousarray(audio.samples, dtype=np.float32)
    return {"samples": samples.tobytes(), "sample_rate": int(audio.sample_rate)}


def word_rows(words: Any) -> list[tuple[str, float, float]]:
    return [(w.text, float(w.start), float(w.end)) for w in words]


def type_of(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
