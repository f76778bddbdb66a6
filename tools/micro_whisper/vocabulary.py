"""The token ids that the micro Whisper uses, out of Whisper's multilingual 51,865."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fixtures.builtin import voice_commands

SIZE = 51865
END, START, ENGLISH, TRANSCRIBE, NO_SPEECH, NO_TIMESTAMPS = 50257, 50258, 50259, 50359, 50362, 50363
TIMESTAMP_BEGIN = 50364
TIMESTAMP_STEP = 5  # ids of 0.02 s each: a grid of 0.1 s
TIMESTAMPS = 101  # 0.0 to 10.0 s


@dataclass(frozen=True)
class Vocabulary:
    """Used ids in order; a *local* id is a place in that order."""

    words: tuple[str, ...]
    word_ids: tuple[int, ...]

    @cached_property
    def ids(self) -> NDArray[np.int64]:
        """Every used id, ascending."""
        special = {END, START, ENGLISH, TRANSCRIBE, NO_SPEECH, NO_TIMESTAMPS}
        stamps = {TIMESTAMP_BEGIN + TIMESTAMP_STEP * step for step in range(TIMESTAMPS)}
        return np.array(sorted(special | stamps | set(self.word_ids)), np.int64)

    @cached_property
    def local(self) -> dict[int, int]:
        return {int(token): place for place, token in enumerate(self.ids)}


def vocabulary() -> Vocabulary:
    """The grammar's words, each of which is one token of Whisper's tokenizer."""
    from whisper.tokenizer import get_tokenizer

    tokenizer = get_tokenizer(True, language="en", task="transcribe")
    words = tuple(voice_commands.words())
    encoded = [tokenizer.encode(" " + word) for word in words]
    long = [word for word, tokens in zip(words, encoded, strict=True) if len(tokens) != 1]
    if long:
        raise ValueError(f"not a single token: {', '.join(long)}")
    return Vocabulary(words, tuple(tokens[0] for tokens in encoded))
