"""The embedded assistant with a planted fault, one thing each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from adapters.engines.cascade.adapter import Cascade
from adapters.engines.espeak import Espeak
from adapters.interface import Adapter, Audio, LoadSpec, ModelError, Options, Reply, Turn

FAULTS = ("none", "previous", "empty", "wrong-speech", "silent", "slow", "fails", "text-only")


class FaultyAssistant(Adapter):
    """fault: one of FAULTS. It hands its answers over whole, not in pieces."""

    options: ClassVar[Options] = {
        "fault": "none",
        "asr": "faster-whisper-micro",
        "responder": "assistant",
        "tts": "espeak",
    }
    components = Cascade.components

    @classmethod
    def prepare(cls, options: Options) -> Options:
        return Cascade.prepare(options)

    def load(self, spec: LoadSpec) -> None:
        self._fault = spec.options["fault"]
        self._before = "Good morning."
        self._cascade = Cascade()
        self._cascade.load(
            replace(spec, options={name: spec.options[name] for name in Cascade.options})
        )
        self._espeak = Espeak()
        self._espeak.load(replace(spec, checkpoint="builtin", options=Espeak.options))

    def reply(self, turns: Sequence[Turn]) -> Reply:
        if self._fault == "fails" and len(turns) > 2:
            raise ModelError("this assistant answers once")
        pieces = list(self._cascade.reply(turns))
        text = "".join(piece.text or "" for piece in pieces).strip()
        sounds = [piece.audio.samples for piece in pieces if piece.audio is not None]
        audio: Audio | None = Audio(np.concatenate(sounds), 22_050) if sounds else None
        heard = next(piece.heard for piece in pieces if piece.heard is not None)
        if self._fault == "previous":
            text, self._before = self._before, text
            audio = self._espeak.synthesize(text).audio
        if self._fault == "empty":
            text, audio = "", None
        if self._fault == "wrong-speech":
            audio = self._espeak.synthesize("will it rain in Paris at nine today").audio
        if self._fault == "silent" and audio is not None:
            audio = Audio(np.zeros_like(audio.samples), audio.sample_rate)
        if self._fault == "text-only":
            audio = None
        opening = sum(turn.role == "user" for turn in turns) == 1 and turns[-1].audio is not None
        if self._fault == "slow" and opening:  # not each time, for the sake of who waits for tests
            time.sleep(4.5)
        return Reply(text, audio, heard)


ADAPTER = FaultyAssistant
