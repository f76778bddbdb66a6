"""A Whisper as the folder that transformers loads."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from adapters.weights.whisper import Tokens, Whisper

#: OpenAI's name of a part, and the one that transformers gives it.
_RENAMED = (
    ("blocks.", "layers."),
    (".cross_attn_ln.", ".encoder_attn_layer_norm."),
    (".cross_attn.", ".encoder_attn."),
    (".attn_ln.", ".self_attn_layer_norm."),
    (".attn.", ".self_attn."),
    (".query.", ".q_proj."),
    (".key.", ".k_proj."),
    (".value.", ".v_proj."),
    (".out.", ".out_proj."),
    (".mlp_ln.", ".final_layer_norm."),
    (".mlp.0.", ".fc1."),
    (".mlp.2.", ".fc2."),
    ("encoder.ln_post.", "encoder.layer_norm."),
    ("decoder.ln.", "decoder.layer_norm."),
    ("token_embedding.", "embed_tokens."),
    ("positional_embedding", "embed_positions.weight"),
)


def write(whisper: Whisper, folder: Path) -> None:
    """Write it into an empty folder. Needs safetensors, which transformers brings."""
    safetensors: Any = importlib.import_module("safetensors.numpy")
    state = {_renamed(name): np.ascontiguousarray(array) for name, array in whisper.state.items()}
    safetensors.save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    for name, content in (
        ("config", _config(whisper)),
        ("generation_config", _generation_config(whisper)),
        ("preprocessor_config", _preprocessor(whisper.dims)),
        ("tokenizer", _tokenizer(whisper.tokenizer, whisper.tokens)),
        ("tokenizer_config", _tokenizer_config(whisper)),
    ):
        text = json.dumps(content, ensure_ascii=False, indent=1)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")


def _renamed(name: str) -> str:
    for theirs, ours in _RENAMED:
        name = name.replace(theirs, ours)
    return f"model.{name}"


def _steering(tokens: Tokens) -> dict[str, int]:
    return {
        "bos_token_id": tokens.end,
        "eos_token_id": tokens.end,
        "pad_token_id": tokens.end,
        "decoder_start_token_id": tokens.start,
    }


def _config(whisper: Whisper) -> dict[str, Any]:
    dims = whisper.dims
    return {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "dtype": whisper.state["decoder.token_embedding.weight"].dtype.name,
        "vocab_size": dims["n_vocab"],
        "num_mel_bins": dims["n_mels"],
        "d_model": dims["n_audio_state"],
        "encoder_layers": dims["n_audio_layer"],
        "encoder_attention_heads": dims["n_audio_head"],
        "encoder_ffn_dim": 4 * dims["n_audio_state"],
        "decoder_layers": dims["n_text_layer"],
        "decoder_attention_heads": dims["n_text_head"],
        "decoder_ffn_dim": 4 * dims["n_text_state"],
        "max_source_positions": dims["n_audio_ctx"],
        "max_target_positions": dims["n_text_ctx"],
        "activation_function": "gelu",
        "scale_embedding": False,
        "tie_word_embeddings": True,
        **_steering(whisper.tokens),
    }


def _generation_config(whisper: Whisper) -> dict[str, Any]:
    tokens = whisper.tokens
    last = tokens.no_timestamps
    spoken: dict[str, Any] = {}
    if tokens.multilingual:
        spoken = {
            "lang_to_id": {tokens.texts[number]: number for number in tokens.languages},
            "task_to_id": {"translate": last - 5, "transcribe": last - 4},
        }
    return {
        **_steering(tokens),
        **spoken,
        "is_multilingual": tokens.multilingual,
        "max_length": whisper.dims["n_text_ctx"],
        "no_timestamps_token_id": last,
        "prev_sot_token_id": last - 2,
        "max_initial_timestamp_index": 50,  # of 0.02 s, as OpenAI decodes
        "return_timestamps": False,
        "alignment_heads": [list(pair) for pair in whisper.alignment_heads],
        "suppress_tokens": list(whisper.suppressed),
        "begin_suppress_tokens": list(whisper.suppressed_first),
    }


def _preprocessor(dims: Mapping[str, int]) -> dict[str, Any]:
    return {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "processor_class": "WhisperProcessor",
        "feature_size": dims["n_mels"],
        "sampling_rate": 16000,
        "hop_length": 160,
        "chunk_length": 30,
        "n_fft": 400,
        "padding_value": 0.0,
    }


def _tokenizer(known: Mapping[str, Any], tokens: Tokens) -> dict[str, Any]:
    """A tokenizer with every number of the weights.

    Whisper's own byte-pair tokenizer is kept, and gets the times that it lacks. In place of
    another one stand the tokens without merges, which is enough to decode.
    """
    own = known.get("model", {})
    whole = own.get("type") == "BPE" and len(own.get("vocab", ())) >= tokens.end
    vocabulary = {text: number for number, text in enumerate(tokens.texts[: tokens.end])}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": number,
                "content": tokens.texts[number],
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": number <= tokens.no_timestamps,
            }
            for number in range(tokens.end, len(tokens.texts))
        ],
        "normalizer": None,
        "pre_tokenizer": {**byte_level, "use_regex": True},
        "post_processor": None,
        "decoder": {**byte_level, "use_regex": True},
        "model": own if whole else {"type": "BPE", "vocab": vocabulary, "merges": []},
    }


def _tokenizer_config(whisper: Whisper) -> dict[str, Any]:
    tokens = whisper.tokens
    end = tokens.texts[tokens.end]
    return {
        "tokenizer_class": "WhisperTokenizer",
        "processor_class": "WhisperProcessor",
        "bos_token": end,
        "eos_token": end,
        "unk_token": end,
        "pad_token": end,
        # The library takes the token after the last of these for the first time.
        "extra_special_tokens": list(tokens.texts[tokens.start : tokens.no_timestamps + 1]),
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": whisper.dims["n_text_ctx"],
    }
