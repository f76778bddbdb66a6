"""What the tests of transformers_tts share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from adapters.engines.transformers_tts.adapter import TransformersTts
from adapters.interface import Audio, LoadSpec
from tests.support import tiny_tts

TEXT = "turn on the light"
#: Frames of all three have 64 samples.
HOP = 64


def loaded(folder: Path, seed: int = 0, **options: Any) -> TransformersTts:
    if (folder / "vocoder").is_dir():
        options = {"vocoder": str(folder / "vocoder"), "voice": tiny_tts.voice(0), **options}
    adapter = TransformersTts()
    adapter.load(LoadSpec(str(folder), seed=seed, options=options))
    return adapter


def say(folder: Path, text: str = TEXT, seed: int = 0, **options: Any) -> Audio:
    return loaded(folder, seed, **options).synthesize(text).audio


def same(one: Audio, other: Audio) -> bool:
    return one.sample_rate == other.sample_rate and np.array_equal(one.samples, other.samples)
