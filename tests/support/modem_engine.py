"""An engine that speaks text as pulses, which it alone hears: word for word, or with a mistake."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from adapters.interface import Adapter, Audio, LoadSpec, Options, Speech, Transcript

RATE = 16_000
#: Samples of a bit, and of the quiet that a user's turn begins with.
_BIT, _QUIET = 50, RATE // 5
_LOUD = 0.5


class Modem(Adapter):
    """deaf: it hears nothing. mishears: a word that it hears as another, whatever is said.

    coarse: as a voice, it says nothing that can be heard.
    """

    options: ClassVar[Options] = {"deaf": False, "mishears": "", "coarse": False}

    def load(self, spec: LoadSpec) -> None:
        self._deaf: bool = spec.options["deaf"]
        self._mishears: str = spec.options["mishears"]
        self._coarse: bool = spec.options["coarse"]

    def synthesize(self, text: str, voice: Options | None = None) -> Speech:
        assert not voice  # a user's voice speaks with the options of its entry
        bits = np.unpackbits(np.frombuffer(text.encode(), np.uint8)).astype(np.float32)
        if self._coarse:
            bits[:] = 1.0
        return Speech(Audio(np.repeat((2 * bits - 1) * _LOUD, _BIT), RATE))

    def transcribe(self, audio: Audio) -> Transcript:
        pulses = audio.samples[_QUIET : len(audio.samples) - _QUIET]
        usable = len(pulses) // (8 * _BIT) * 8 * _BIT
        if self._deaf or not usable or np.abs(pulses[:usable]).min() < _LOUD / 2:
            return Transcript("")
        bits = pulses[:usable].reshape(-1, _BIT).mean(axis=1) > 0
        text = np.packbits(bits).tobytes().decode(errors="ignore")
        text = "".join(c for c in text if c.isprintable())
        return Transcript(text.replace(self._mishears, "something") if self._mishears else text)


ADAPTER = Modem
