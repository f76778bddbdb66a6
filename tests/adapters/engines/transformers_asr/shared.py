"""What the tests of transformers_asr share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from adapters.engines.transformers_asr.adapter import TransformersAsr
from adapters.interface import Audio, LoadSpec, Samples, Transcript

RATE = 16_000


def loaded(folder: Path, seed: int = 0, **options: Any) -> Any:
    adapter = TransformersAsr()
    adapter.load(LoadSpec(str(folder), seed=seed, options=options))
    return adapter


def hear(folder: Path, samples: Samples, seed: int = 0, **options: Any) -> Transcript:
    heard: Transcript = loaded(folder, seed, **options).transcribe(Audio(samples, RATE))
    return heard


def calls_of(adapter: Any) -> list[dict[str, Any]]:
    """What the library's `generate` will be called with; the calls go through."""
    model = adapter._recognizer.model
    generate: Callable[..., Any] = model.generate
    calls: list[dict[str, Any]] = []

    def record(**given: Any) -> Any:
        calls.append(given)
        return generate(**given)

    model.generate = record
    return calls


def utterances_of(clip: Samples) -> list[Audio]:
    """Of several lengths: the beginning, nothing, silence, the clip, longer than a window."""
    half, silence = clip[: len(clip) // 2], np.zeros(2 * RATE, np.float32)
    return [Audio(s, RATE) for s in (half, clip[:0], silence, clip, np.tile(clip, 12))]
