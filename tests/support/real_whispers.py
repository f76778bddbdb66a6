"""Whisper tiny.en through three engines, decoded in ways that differ in one thing at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from adapters.catalog.catalog import Catalog
from adapters.catalog.model import Model
from adapters.interface import Audio, Samples, Transcriber, Transcript
from evals.models.loaded import Settings, load_spec
from fixtures.audio.read import SAMPLE_RATE

#: Engine to its entry of the catalogue; the first is what the others are compared with.
ENTRIES: Mapping[str, str] = {
    "openai-whisper": "packaged-whisper-tiny.en",
    "faster-whisper": "packaged-faster-whisper-tiny.en",
    "transformers": "packaged-transformers-whisper-tiny.en",
}
WINDOW = 30 * SAMPLE_RATE


@dataclass(frozen=True)
class Way:
    """How audio is heard; the catalogue's way has timestamps and fallback, and no padding.

    fallback: higher temperatures where a window failed, and silence where the model expects it.
    """

    timestamps: bool = True
    fallback: bool = True
    padded: bool = False

    def __str__(self) -> str:
        parts = [
            "timestamps" if self.timestamps else "no timestamps",
            "fallback" if self.fallback else "no fallback",
            "padded" if self.padded else "as it is",
        ]
        return ", ".join(parts)

    def options(self) -> dict[str, Any]:
        """What it sets beside the catalogue's options."""
        found: dict[str, Any] = {}
        if not self.timestamps:
            found["without_timestamps"] = True
        if not self.fallback:
            thresholds = ("compression_ratio", "logprob", "no_speech")
            found |= {"temperature": 0.0, **{f"{name}_threshold": None for name in thresholds}}
        return found

    def sound(self, samples: Samples) -> Samples:
        """The audio as it is given to the engine."""
        if not self.padded:
            return samples
        return np.pad(samples, (0, max(0, WINDOW - len(samples))))


#: What leaves nothing for engines to differ in but arithmetic.
ALIKE = Way(timestamps=False, fallback=False, padded=True)
#: From the catalogue's way to that, one difference between the engines after another.
STEPS: Mapping[str, Way] = {
    "catalogue": Way(),
    "without fallback": Way(fallback=False),
    "without timestamps": Way(fallback=False, timestamps=False),
    "padded to 30 s": ALIKE,
}


def entry(engine: str) -> Model:
    """The catalogue's entry of an engine."""
    return Catalog().models[ENTRIES[engine]]


def texts(model: Model, options: Mapping[str, Any], sounds: Sequence[Samples]) -> list[str]:
    """What a model hears in 16 kHz audio with some options set, in this process, on one thread."""
    spec = load_spec(model, "cpu", Settings())
    adapter = model.engine.adapter()()
    assert isinstance(adapter, Transcriber)
    adapter.load(replace(spec, options={**spec.options, **options}))
    try:
        heard = []
        for samples in sounds:
            adapter.start_over()
            answer = adapter.transcribe(Audio(samples, SAMPLE_RATE))
            assert isinstance(answer, Transcript)
            heard.append(answer.text)
        return heard
    finally:
        adapter.close()
