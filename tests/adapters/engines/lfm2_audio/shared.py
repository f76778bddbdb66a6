"""What the tests of lfm2_audio share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.engines.lfm2_audio.adapter import Lfm2Audio
from adapters.interface import Audio, LoadSpec, ReplyPiece, Samples

EXACT = 5e-6  # rounding of float32 over a few layers; the sound itself is about 0.06


def loaded_from(folder: Path, device: str = "cpu", **options: Any) -> Lfm2Audio:
    adapter = Lfm2Audio()
    options = {"max_new_tokens": 40, **options}
    adapter.load(LoadSpec(str(folder), device=device, options=options))
    return adapter


def noise_of(seconds: float, rate: int = 16_000) -> Audio:
    noise = np.random.default_rng(3).normal(scale=0.1, size=round(seconds * rate))
    return Audio(noise.astype(np.float32), rate)


def said_of(pieces: Sequence[Audio]) -> Samples:
    return np.concatenate([p.samples for p in pieces])


def text_of(pieces: Sequence[ReplyPiece]) -> str:
    return "".join(p.text or "" for p in pieces)


class Recorded:
    """What the library's generators are called with, and what they gave."""

    def __init__(self, adapter: Lfm2Audio, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[dict[str, Any]] = []
        self.tokens: list[Any] = []
        self._tokenizer = adapter._processor.text
        for name in ("generate_sequential", "generate_interleaved"):
            monkeypatch.setattr(adapter._model, name, self._spy(getattr(adapter._model, name)))

    def _spy(self, generate: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        def spied(**arguments: Any) -> Iterator[Any]:
            self.calls.append({"mode": generate.__name__, **arguments})
            for token in generate(**arguments):
                self.tokens.append(token)
                yield token

        return spied

    def prompt(self, call: int = -1) -> str:
        """The text of a prompt, with {audio} for what was heard and {codes} for what was said."""
        texts = iter(self.calls[call]["text"][0].tolist())
        parts: list[str] = []
        for kind in self.calls[call]["modality_flag"][0].tolist():
            part = {2: "{audio}", 3: "{codes}"}.get(kind) or self._tokenizer.decode([next(texts)])
            if part[0] != "{" or not parts or parts[-1] != part:
                parts.append(part)
        assert next(texts, None) is None
        return "".join(parts)
