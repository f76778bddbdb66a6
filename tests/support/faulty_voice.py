"""espeak-ng with a planted fault: what a broken voice does, one thing each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adapters.engines.espeak import Espeak
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
#: The voice taken apart and put together again by WORLD with another melody.
MELODIES = ("third-up", "robot")
#: Never comes to an end of what has a seven in it.
STUCK = "stuck"


class FaultyVoice(Adapter):
    """fault: a name of SOUNDS, OTHERS or MELODIES, STUCK, or "none"."""

    options: ClassVar[Options] = {"fault": "none"}

    def load(self, spec: LoadSpec) -> None:
        self._fault = str(spec.options["fault"])
        self._espeak = Espeak()
        self._espeak.load(replace(spec, options=Espeak.options))

    def synthesize(self, text: str, voice: Options | None = None) -> Speech | Iterator[Audio]:
        if self._fault == STUCK and "seven" in text:
            return self._for_ever()
        if self._fault == "half":
            text = " ".join(text.split()[::2])
        if self._fault == "refuses" and any(c.isdigit() for c in text):
            raise ModelError("this voice cannot read digits")
        audio = self._espeak.synthesize(text, voice).audio
        if self._fault == "slow":
            time.sleep(1.1 * audio.seconds)
        samples, rate = audio.samples, audio.sample_rate
        if self._fault in SOUNDS:
            samples = SOUNDS[self._fault](samples, rate)
        if self._fault in MELODIES:
            samples, rate = with_melody(self._fault, samples, rate)
        # The samples are those of 22,050 Hz: played at half of that they are an octave too low.
        return Speech(Audio(samples, rate // 2 if self._fault == "wrong-rate" else rate))

    def _for_ever(self) -> Iterator[Audio]:
        while True:
            time.sleep(0.05)
            yield Audio(np.full(2205, 0.1, np.float32), 22_050)


def with_melody(fault: str, samples: Samples, rate: int) -> tuple[Samples, int]:
    """A clip with another F0 and nothing else changed, which takes pyworld; and its rate."""
    from fixtures.audio.read import SAMPLE_RATE, to_mono_16k
    from tests.support.speech_faults import Revoiced

    if not len(samples):
        return samples, rate
    voice = Revoiced(to_mono_16k(samples, rate))
    return (voice.pitched(4) if fault == "third-up" else voice.robot()), SAMPLE_RATE


ADAPTER = FaultyVoice
