"""Which models of a session are different checkpoints, whose errors are independent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from adapters.catalog.model import EMBEDDED, PACKAGED
from adapters.catalog.packages import is_packaged
from reports.scorecard.scorecard import ModelRecord

#: Parts of a checkpoint's name that say who wrote it down and how, not which weights it has.
_FORMAT = frozenset(
    {"bin", "ct2", "ctranslate2", "faster", "float16", "float32", "fp16", "fp32", "ggml", "gguf",
     "hf", "int8", "model", "onnx", "openai", "pt", "safetensors", "transformers", "whisper"}
)  # fmt: skip
#: Names by which engines know the same weights.
_SAME = {"large-v1": "large", "turbo": "large-v3-turbo"}


def checkpoints(models: Sequence[ModelRecord]) -> Mapping[str, int]:
    """A number for the checkpoint of each model, by the model's name.

    One number for settings of one checkpoint, for what an engine's package brings, and for one
    checkpoint in the formats of several engines. The latter goes by the checkpoint's name
    ("openai/whisper-tiny.en", "Systran/faster-whisper-tiny.en" and "tiny.en" are one): files of
    unlike names cannot be told from two models.
    """
    numbers: dict[str, int] = {}
    found: dict[str, int] = {}
    for model in models:
        known = [numbers[mark] for mark in _marks(model) if mark in numbers]
        number = min(known, default=len(found))
        for mark in _marks(model):
            numbers.setdefault(mark, number)
        found[model.name] = number
    return found


def _marks(model: ModelRecord) -> list[str]:
    """Texts that identify weights: two models with the same weights share one."""
    marks = [f"name {_name(model)}"]
    if model.checkpoint_sha256 is not None:
        marks.append(f"sha256 {model.checkpoint_sha256}")
    return marks


def _name(model: ModelRecord) -> str:
    """The name of a checkpoint, without what depends on its engine."""
    if model.checkpoint == PACKAGED:
        return f"{PACKAGED} {model.engine}"
    if is_packaged(model.checkpoint):
        return model.checkpoint
    if model.checkpoint.startswith(EMBEDDED):
        return model.checkpoint.removeprefix(EMBEDDED).partition("/")[0]
    own = re.split(r"[/\\]", model.checkpoint.rstrip("/\\").lower())
    # A folder called "whisper-int8" is known by the one that it is in.
    for part in reversed(own):
        words = [word for word in re.split(r"[-_]|\.(?=pt$|bin$|onnx$|gguf$)", part) if word]
        left = "-".join(word for word in words if word not in _FORMAT)
        if left:
            return _SAME.get(left, left)
    return model.checkpoint
