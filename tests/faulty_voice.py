"""espeak-ng with a planted fault: what a broken voice does, one thing each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adapters.espeak import Espeak
from adapters.interface import Adapter, Audio, LoadSpec, ModelError, Options, Speech

Samples: TypeAlias = NDArray[np.float32]


def clipped(samples: Samples, rate: int) -> Samples:
    """6 dB of each clip's loudest sounds are cut off."""
    edge = np.float32(np.abs(samples).max() / 2) if len(samples) else np.float32(1)
    return np.clip(samples, -edge, edge)


def delayed(samples: Samples, rate: int) -> Samples:
    return np.concatenate([np.zeros(2 * rate, np.float32), samples])


def noise(samples: Samples, rate: int) -> Samples:
    drawn = np.random.default_rng(0).normal(0, 0.1, max(rate, len(samples)))
    return drawn.astype(np.float32)


def silence(samples: Samples, rate: int) -> Samples:
    return np.zeros_like(samples)


def not_a_number(samples: Samples, rate: int) -> Samples:
    broken = samples.copy()
    broken[len(broken) // 2 :] = np.nan
    return broken


def endless(samples: Samples, rate: int) -> Samples:
    """The last second over and over, for half a minute."""
    last = samples[-rate:] if len(samples) else np.zeros(1, np.float32)
    return np.concatenate([samples, np.resize(last, 30 * rate)])


SOUNDS: Mapping[str, Callable[[Samples, int], Samples]] = {
    "clipped": clipped,
    "delayed": delayed,
    "noise": noise,
    "silence": silence,
    "not-a-number": not_a_number,
    "endless": endless,
}
#: Faults of another kind than a change of the samples.
OTHERS = ("half", "wrong-rate", "refuses", "slow")


class FaultyVoice(Adapter):
    """fault: a name of SOUNDS or OTHERS, or "none"."""

    options: ClassVar[Options] = {"fault": "none"}

    def load(self, spec: LoadSpec) -> None:
        self._fault = str(spec.options["fault"])
        self._espeak = Espeak()
        self._espeak.load(replace(spec, options=Espeak.options))

    def synthesize(self, text: str, voice: Options | None = None) -> Speech:
        if self._fault == "half":
            text = " ".join(text.split()[::2])
        if self._fault == "refuses" and any(c.isdigit() for c in text):
            raise ModelError("this voice cannot read digits")
        audio = self._espeak.synthesize(text, voice).audio
        if self._fault == "slow":
            time.sleep(1.2 * audio.seconds)
        samples, rate = audio.samples, audio.sample_rate
        if self._fault in SOUNDS:
            samples = SOUNDS[self._fault](samples, rate)
        # The samples are those of 22,050 Hz: played at half of that they are an octave too low.
        return Speech(Audio(samples, rate // 2 if self._fault == "wrong-rate" else rate))


ADAPTER = FaultyVoice
