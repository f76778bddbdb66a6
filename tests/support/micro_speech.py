"""The fixed clip, which the micro Whisper understands, for tests of its engines."""

from __future__ import annotations

from functools import cache

import numpy as np

from adapters.interface import Audio
from evals.models.corpus_synthesizer import synthesizer
from fixtures.audio.read import SAMPLE_RATE
from fixtures.builtin.synthesize import CLIP, builtin_corpus

#: What is said in the clip; every word of it is one token.
TEXT = "turn on the kitchen lights and set a timer for ten minutes"


@cache
def clip() -> Audio:
    """The clip, 5 s."""
    (utterance,) = builtin_corpus(CLIP, synthesizer)
    assert utterance.text == TEXT
    return Audio(utterance.load(), SAMPLE_RATE)


def tiled(seconds: int) -> Audio:
    """The clip over and over; `seconds` is a multiple of 5."""
    return Audio(np.tile(clip().samples, seconds // 5), SAMPLE_RATE)
