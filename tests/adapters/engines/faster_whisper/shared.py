"""What the tests of faster_whisper share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from adapters.engines.faster_whisper.adapter import FasterWhisper
from adapters.interface import Audio
from fixtures.audio.read import SAMPLE_RATE
from tests.support.micro_speech import clip

Load = Callable[..., FasterWhisper]


def with_pauses() -> Audio:
    """A minute and a half: the clip, with 4 s of a quiet room behind each."""
    room = np.random.default_rng(0).normal(0, 0.003, 4 * SAMPLE_RATE).astype(np.float32)
    return Audio(np.tile(np.concatenate([clip().samples, room]), 10), SAMPLE_RATE)
