"""The trained model as one small file: fp16, used token rows only, no pickles."""

from __future__ import annotations

from dataclasses import astuple, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from whisper.model import ModelDimensions, Whisper
from whisper.tokenizer import LANGUAGES

from tools.micro_whisper import vocabulary as vocab

WEIGHTS = "weights.npz"
_EMBEDDING = "decoder.token_embedding.weight"
_RECOMPUTED = "encoder.positional_embedding"  # sinusoids
_LARGEST = 65504.0  # of fp16


def pack(model: Whisper, words: vocab.Vocabulary, folder: Path) -> Path:
    """Write `weights.npz`: the state dict in float16 under its own names, and

    dims, dim_names: the model's ModelDimensions. token_ids: the ids of the rows in
    `decoder.token_embedding.weight`; all other rows are zero. names, name_ids: the
    tokens with a text (words as the byte-level "\\u0120word", special and language tokens).
    Raises ValueError where a weight is out of float16's range.
    """
    arrays: dict[str, NDArray[np.generic]] = {}
    for name, tensor in model.state_dict().items():
        if name == _RECOMPUTED:
            continue
        array = tensor.detach().float().numpy()
        if name == _EMBEDDING:
            array = array[words.ids]
        if not np.abs(array).max() < _LARGEST:
            raise ValueError(f"{name} does not fit into float16")
        arrays[name] = array.astype(np.float16)
    names = token_names(words)
    arrays["token_ids"] = words.ids.astype(np.int32)
    arrays["dim_names"] = np.array([field.name for field in fields(ModelDimensions)])
    arrays["dims"] = np.array(astuple(model.dims), np.int32)
    arrays["name_ids"] = np.array(sorted(names), np.int32)
    arrays["names"] = np.array([names[token] for token in sorted(names)])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / WEIGHTS
    np.savez_compressed(path, allow_pickle=False, **arrays)
    return path


def token_names(words: vocab.Vocabulary) -> dict[int, str]:
    """Texts of the tokens that a tokenizer must know, by id."""
    names = {
        token: "\u0120" + word for word, token in zip(words.words, words.word_ids, strict=True)
    }
    special = ["<|endoftext|>", "<|startoftranscript|>"]
    special += [f"<|{code}|>" for code in list(LANGUAGES)[:99]]
    special += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>"]
    special += ["<|nospeech|>", "<|notimestamps|>"]
    names.update({vocab.END + place: text for place, text in enumerate(special)})
    names[0] = "!"  # stands for any text that the model does not know
    return names
