"""faster-whisper with a fault of the kind that a deployment brings."""

from __future__ import annotations

import shutil
import struct
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from adapters.catalog.model import Model
from adapters.engines.faster_whisper.adapter import FasterWhisper
from adapters.interface import Audio, Options, Samples
from evals.models.loaded import Settings, load_spec
from fixtures.audio.read import SAMPLE_RATE
from tests.support.real_speech import Clause, clause_sound

_LAYER = b"encoder/layer_2/ffn/linear_0/weight\0"


def shifted_scales(weight: Any) -> Any:
    """A layer in int8 whose rows each got the scale of the row before."""
    scale = np.abs(weight).max(axis=1, keepdims=True) / 127
    return np.rint(weight / scale) * np.roll(scale, 1, axis=0)


def with_layer(source: Path, made: Path, change: Callable[[Any], Any]) -> Path:
    """A copy of a checkpoint in float16 with the weights of one layer changed."""
    shutil.copytree(source, made)
    file = made / "model.bin"
    content = bytearray(file.read_bytes())
    place = content.index(_LAYER) + len(_LAYER)
    rank = content[place]
    shape = struct.unpack_from(f"<{rank}I", content, place + 1)
    start = place + 1 + 4 * rank + 1 + 4  # rank, shape, type, size
    size = 2 * int(np.prod(shape))
    weight = np.frombuffer(bytes(content[start : start + size]), "<f2").reshape(shape)
    content[start : start + size] = change(weight.astype(np.float32)).astype("<f2").tobytes()
    file.write_bytes(content)
    return made


class _HalfOfTheBands:
    """The library's features with the lower half of the mel bands zero."""

    def __init__(self, features: Any) -> None:
        self._features = features

    def __getattr__(self, name: str) -> Any:
        return getattr(self._features, name)

    def __call__(self, *given: Any, **named: Any) -> Any:
        mel = self._features(*given, **named).copy()
        mel[: len(mel) // 2] = 0
        return mel


def _taken_for_16_khz(samples: Samples) -> Samples:
    """The sound of 8 kHz that somebody feeds as it is."""
    import soxr

    return np.asarray(soxr.resample(samples, 16000, 8000), np.float32)


def heard_by(model: Model, options: Options, clauses: Sequence[Clause]) -> list[str]:
    """The texts of a faster-whisper model, greedy but for what the options say.

    The option "damage" is one of "layer", "8 kHz" and "mels".
    """
    damage = options.get("damage")
    spec = load_spec(model, "cpu", Settings())
    asked = {"temperature": 0.0, "max_new_tokens": 60, **options}  # so that loops end
    asked.pop("damage", None)
    with tempfile.TemporaryDirectory() as scratch:
        if damage == "layer":
            made = with_layer(Path(spec.checkpoint), Path(scratch, "m"), shifted_scales)
            spec = replace(spec, checkpoint=str(made))
        adapter = FasterWhisper()
        adapter.load(replace(spec, options={**spec.options, **asked}))
    if damage == "mels":
        adapter._model.feature_extractor = _HalfOfTheBands(adapter._model.feature_extractor)
    texts = []
    for clause in clauses:
        samples = clause_sound(clause)
        if damage == "8 kHz":
            samples = _taken_for_16_khz(samples)
        texts.append(adapter.transcribe(Audio(samples, SAMPLE_RATE)).text)
    adapter.close()
    return texts
