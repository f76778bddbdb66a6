"""A Whisper of CTranslate2, read: tensors under OpenAI's names, its tokens and settings."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adapters.interface import ModelError
from adapters.weights import model_bin
from adapters.weights.model_bin import Array

MODEL = "model.bin"
#: As many tokens as English models have; multilingual ones have more.
_ENGLISH_TOKENS = 51864
_END, _START = "<|endoftext|>", "<|startoftranscript|>"
_NO_TIMESTAMPS = "<|notimestamps|>"


@dataclass(frozen=True, slots=True)
class Tokens:
    """The vocabulary: all texts by number, and the numbers of those that steer decoding."""

    texts: Sequence[str]
    end: int
    start: int
    no_timestamps: int

    @property
    def multilingual(self) -> bool:
        """Whether the model has tokens for languages that it was trained with."""
        return len(self.texts) > _ENGLISH_TOKENS

    @property
    def languages(self) -> range:
        """The numbers of the languages' tokens; English models have them too, and no use for them.

        Between the start and two for the task, four more and the last.
        """
        return range(self.start + 1, self.no_timestamps - 5)


@dataclass(frozen=True, slots=True)
class Whisper:
    """What every form of a Whisper holds.

    dims: the sizes as openai-whisper's checkpoints have them ("n_mels", "n_audio_ctx", ...).
    state: the tensors by the name that they have there, in the precision that they are stored in.
    tokenizer: tokenizer.json. alignment_heads: [layer, head] pairs whose attention follows the
    words. suppressed: tokens that are never heard; suppressed_first: not as a window's first.
    """

    dims: Mapping[str, int]
    state: Mapping[str, Array]
    tokens: Tokens
    tokenizer: Mapping[str, Any]
    alignment_heads: Sequence[Sequence[int]]
    suppressed: Sequence[int]
    suppressed_first: Sequence[int]


def is_ctranslate2(checkpoint: str | Path) -> bool:
    """Whether a checkpoint is a folder with weights of CTranslate2."""
    return (Path(checkpoint) / MODEL).is_file()


def read(folder: Path) -> Whisper:
    """The Whisper in a folder with model.bin, config.json, vocabulary and tokenizer.json.

    Raises ModelError for a folder that has no Whisper, or not all of it.
    """
    specification, arrays = model_bin.read(folder / MODEL)
    if specification != "WhisperSpec":
        raise ModelError(f"{folder / MODEL}: a {specification} of CTranslate2, not a Whisper")
    config = _json(folder / "config.json")
    try:
        dims = _dims(arrays)
        state = _state(arrays, dims)
    except KeyError as error:
        raise ModelError(f"{folder / MODEL}: the tensor {error} is missing") from error
    return Whisper(
        dims=dims,
        state=state,
        tokens=_tokens(folder, dims["n_vocab"]),
        tokenizer=_json(folder / "tokenizer.json"),
        alignment_heads=config.get("alignment_heads", []),
        suppressed=config.get("suppress_ids", []),
        suppressed_first=config.get("suppress_ids_begin", []),
    )


def _dims(arrays: Mapping[str, Array]) -> dict[str, int]:
    _, mels, _ = arrays["encoder/conv1/weight"].shape
    vocabulary, text_width = arrays["decoder/embeddings/weight"].shape
    audio_context, audio_width = arrays["encoder/position_encodings/encodings"].shape
    return {
        "n_mels": mels,
        "n_audio_ctx": audio_context,
        "n_audio_state": audio_width,
        "n_audio_head": int(arrays["encoder/num_heads"]),
        "n_audio_layer": _layers(arrays, "encoder"),
        "n_vocab": vocabulary,
        "n_text_ctx": len(arrays["decoder/position_encodings/encodings"]),
        "n_text_state": text_width,
        "n_text_head": int(arrays["decoder/num_heads"]),
        "n_text_layer": _layers(arrays, "decoder"),
    }


def _layers(arrays: Mapping[str, Array], side: str) -> int:
    return len({found[0] for name in arrays if (found := re.match(rf"{side}/layer_\d+/", name))})


def _state(arrays: Mapping[str, Array], dims: Mapping[str, int]) -> dict[str, Array]:
    state = {
        "encoder.positional_embedding": arrays["encoder/position_encodings/encodings"],
        "decoder.positional_embedding": arrays["decoder/position_encodings/encodings"],
        "decoder.token_embedding.weight": arrays["decoder/embeddings/weight"],
    }
    for name in ("conv1", "conv2"):
        _linear(state, f"encoder.{name}", arrays, f"encoder/{name}")
    _norm(state, "encoder.ln_post", arrays, "encoder/layer_norm")
    _norm(state, "decoder.ln", arrays, "decoder/layer_norm")
    for side, layers in (("encoder", "n_audio_layer"), ("decoder", "n_text_layer")):
        for index in range(dims[layers]):
            to, of = f"{side}.blocks.{index}", f"{side}/layer_{index}"
            _attention(state, f"{to}.attn", arrays, f"{of}/self_attention", ("qkv",))
            if side == "decoder":
                _attention(state, f"{to}.cross_attn", arrays, f"{of}/attention", ("q", "kv"))
            _linear(state, f"{to}.mlp.0", arrays, f"{of}/ffn/linear_0")
            _linear(state, f"{to}.mlp.2", arrays, f"{of}/ffn/linear_1")
            _norm(state, f"{to}.mlp_ln", arrays, f"{of}/ffn/layer_norm")
    return state


def _linear(state: dict[str, Array], to: str, arrays: Mapping[str, Array], of: str) -> None:
    state[f"{to}.weight"] = arrays[f"{of}/weight"]
    state[f"{to}.bias"] = arrays[f"{of}/bias"]


def _norm(state: dict[str, Array], to: str, arrays: Mapping[str, Array], of: str) -> None:
    state[f"{to}.weight"] = arrays[f"{of}/gamma"]
    state[f"{to}.bias"] = arrays[f"{of}/beta"]


def _attention(
    state: dict[str, Array], to: str, arrays: Mapping[str, Array], of: str, stacked: Sequence[str]
) -> None:
    """The projections one by one, which CTranslate2 keeps stacked as `stacked` says.

    Keys have no bias in Whisper; the zeros in its place are left out.
    """
    names = {"q": "query", "k": "key", "v": "value"}
    for number, parts in enumerate(stacked):
        for kind in ("weight", "bias"):
            pieces = np.split(arrays[f"{of}/linear_{number}/{kind}"], len(parts))
            for part, piece in zip(parts, pieces, strict=True):
                if (part, kind) != ("k", "bias"):
                    state[f"{to}.{names[part]}.{kind}"] = piece
    _linear(state, f"{to}.out", arrays, f"{of}/linear_{len(stacked)}")
    _norm(state, f"{to}_ln", arrays, f"{of}/layer_norm")


def _tokens(folder: Path, size: int) -> Tokens:
    texts = _vocabulary(folder)[:size]
    if len(texts) < size:
        raise ModelError(f"{folder}: the vocabulary has {len(texts)} tokens, the weights {size}")
    number = {text: place for place, text in enumerate(texts)}
    absent = [text for text in (_END, _START, _NO_TIMESTAMPS) if text not in number]
    if absent:
        raise ModelError(f"{folder}: the vocabulary has no {absent[0]}: this is no Whisper's")
    # CTranslate2 tells multilingual models by a token without text, just before the end.
    places = enumerate(texts)
    texts = [text or f"<|unused-{place}|>" for place, text in places]
    return Tokens(texts, number[_END], number[_START], number[_NO_TIMESTAMPS])


def _vocabulary(folder: Path) -> list[str]:
    if (folder / "vocabulary.json").is_file():
        tokens: list[str] = _json(folder / "vocabulary.json")
        return tokens
    file = folder / "vocabulary.txt"
    try:
        return file.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} (or vocabulary.json) cannot be read: {error}") from error


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} cannot be read: {error}") from error
