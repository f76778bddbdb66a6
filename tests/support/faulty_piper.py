"""The Piper voice with planted faults, as an engine file outside of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from adapters.engines.onnx.piper import Piper
from adapters.interface import Audio, LoadSpec, Options, Speech


class FaultyPiper(Piper):
    """fault: "half" leaves out every other word, "noise" adds as much white noise as speech."""

    options: ClassVar[Options] = {**Piper.options, "fault": "none"}

    @classmethod
    def check(cls, options: Options) -> None:
        super().check({name: value for name, value in options.items() if name != "fault"})

    def load(self, spec: LoadSpec) -> None:
        own = dict(spec.options)
        self._fault = own.pop("fault", "none")
        self.options = Piper.options  # type: ignore[misc]  # those that the voice itself knows
        super().load(replace(spec, options=own))

    def synthesize(self, text: str, voice: Options | None = None) -> Speech | Iterator[Audio]:
        words = text.split()
        said = super().synthesize(" ".join(words[::2]) if self._fault == "half" else text, voice)
        if self._fault != "noise" or isinstance(said, Speech):
            return said
        return (self._noisy(piece) for piece in said)

    def _noisy(self, piece: Audio) -> Audio:
        clean = piece.samples
        noise = np.random.default_rng(0).normal(0.0, clean.std(), len(clean))
        return replace(piece, samples=(0.3 * (clean + noise)).astype(np.float32))


ADAPTER = FaultyPiper
