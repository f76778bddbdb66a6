"""What all kinds of transformers' speech recognition models share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adapters.interface import Audio, Options, Samples, Transcript

RATE = 16_000
#: Convolutional front ends need some frames, so shorter sounds are followed by silence.
SHORTEST = RATE // 5
#: Windows of models that hear a whole utterance at once, where chunk_seconds says nothing.
WINDOW_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Parts:
    """A loaded checkpoint. kind is "whisper", "ctc", "transducer" or "seq2seq"."""

    kind: str
    name: str
    model: Any
    tokenizer: Any
    extractor: Any
    options: Options
    seed: int


class Recognizer(ABC):
    """A loaded checkpoint and the way in which its kind hears."""

    #: Samples that it hears at once.
    _window = 0

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.model = parts.model
        self.tokenizer = parts.tokenizer
        self.extractor = parts.extractor
        self.options = parts.options

    @abstractmethod
    def hear(self, samples: Samples) -> Transcript:
        """The words in 16 kHz audio of any length that is not 0."""

    @property
    def languages(self) -> list[str] | None:
        """The codes of the languages that it knows, None where the checkpoint does not tell."""
        return None

    def expect(self, audio: Audio) -> None:
        """Go by what is known of the audio that is heard next; most kinds know one language."""
        del audio

    def most_at_once(self) -> int:
        """How many utterances may be heard at once without hearing anything else for it."""
        return 1

    def hear_each(self, sounds: Sequence[Samples]) -> Sequence[Transcript]:
        """The words of each utterance; those of at most a window, `most_at_once` at a time."""
        size = self.most_at_once()
        short = [p for p, sound in enumerate(sounds) if size > 1 and len(sound) <= self._window]
        heard: dict[int, Transcript] = {}
        for first in range(0, len(short), size):
            places = short[first : first + size]
            together = self._together([sounds[place] for place in places])
            heard.update(zip(places, together, strict=True))
        return [heard[p] if p in heard else self.hear(sound) for p, sound in enumerate(sounds)]

    def _together(self, sounds: Sequence[Samples]) -> Iterable[Transcript]:
        """What `hear` hears, of utterances of at most a window each, in one call of the model."""
        return [self.hear(sound) for sound in sounds]

    def features(self, sounds: Sequence[Samples], **how: Any) -> dict[str, Any]:
        """What the model takes, on its device and in its precision."""
        made = self.extractor(list(sounds), sampling_rate=RATE, return_tensors="pt", **how)
        return {
            key: value.to(
                self.model.device, self.model.dtype if value.is_floating_point() else None
            )
            for key, value in made.items()
        }


def at_pauses(samples: Samples, longest: int) -> Iterator[tuple[int, int]]:
    """Windows of at most `longest` samples that end at the quietest point of their last half."""
    hop = RATE // 50
    start = 0
    while len(samples) - start > longest:
        half = samples[start + longest // 2 : start + longest]
        frames = half[: len(half) // hop * hop].reshape(-1, hop)
        power = np.square(frames).mean(axis=1)
        # A pause is longer than the gap within a consonant.
        smooth = np.convolve(power, np.ones(10), mode="same")
        end = start + longest // 2 + (int(np.argmin(smooth)) * hop + hop // 2)
        yield start, end
        start = end
    yield start, len(samples)
