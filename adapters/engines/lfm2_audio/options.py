"""The options of LFM2-Audio, checked before anything is loaded."""

from __future__ import annotations

import math
from typing import Any

from adapters.interface import ModelError, Options

VOICES = ("US male", "US female", "UK male", "UK female")


# Options


def check_options(options: Options) -> None:
    def refuse(name: str, wanted: str) -> ModelError:
        return ModelError(f"lfm2_audio: option {name} is {options[name]!r}; {wanted} is expected")

    for name in ("max_new_tokens", "chunk_frames"):
        if type(options[name]) is not int or options[name] < 1:
            raise refuse(name, "a whole number from 1")
    for name in ("text_top_k", "audio_top_k"):
        if options[name] is not None and (type(options[name]) is not int or options[name] < 1):
            raise refuse(name, "a whole number from 1, or null,")
    for name in ("text_temperature", "audio_temperature"):
        value = options[name]
        if type(value) not in (int, float) or not 0 <= value < math.inf:
            raise refuse(name, "a number from 0")
    for name in ("asr_prompt", "tts_prompt", "chat_prompt"):
        if not isinstance(options[name], str) or not options[name].strip():
            raise refuse(name, "some text")
    for name, known in _CHOICES.items():
        if options[name] not in known:
            raise refuse(name, f"one of {', '.join(known)}")
    if type(options["spoken_history"]) is not bool:
        raise refuse("spoken_history", "true or false")
    check_voice(options["voice"])


_CHOICES = {
    "dtype": ("auto", "float32", "bfloat16"),
    "audio_decoder": ("auto", "detokenizer", "mimi"),
}


def check_voice(voice: Any) -> None:
    if voice not in VOICES:
        raise ModelError(f"lfm2_audio has no voice {voice!r}. Voices: {', '.join(VOICES)}")
