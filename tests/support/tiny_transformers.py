"""Tiny random checkpoints of the kinds that transformers_asr tells apart, as the library saves them.

They hear nothing, but go through the real loading and inference code, and what they say depends on
every sample, so that a lost or doubled window shows.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Samples per frame of the front ends, made small.
_CONVOLUTIONS = {"conv_dim": (16,) * 7, "num_conv_pos_embeddings": 16}
_WAV2VEC2_LIKE = {
    "vocab_size": 32,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "num_conv_pos_embedding_groups": 2,
    **_CONVOLUTIONS,
}


def wav2vec2(folder: Path, kind: str = "Wav2Vec2", **settings: Any) -> Path:
    """A CTC model of letters; `kind` is the library's name of a relative (HuBERT, WavLM...)."""
    transformers: Any = importlib.import_module("transformers")

    config = getattr(transformers, f"{kind}Config")(**{**_WAV2VEC2_LIKE, **settings})
    model = _random(lambda: getattr(transformers, f"{kind}ForCTC")(config))
    _talkative(model.lm_head.weight)
    model.save_pretrained(folder)
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)
    extractor.save_pretrained(folder)
    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ'"]
    vocabulary = {letter: index for index, letter in enumerate(letters)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "Wav2Vec2CTCTokenizer"})
    )
    return folder


def parakeet(folder: Path, kind: str = "CTC") -> Path:
    """Parakeet-CTC, -RNNT or -TDT on sentence pieces."""
    transformers: Any = importlib.import_module("transformers")

    encoder = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "subsampling_conv_channels": 8,
        "num_mel_bins": 80,
        "initializer_range": 0.3,
    }
    # The blank comes last; transducers pad with another token.
    settings: dict[str, Any] = {"pad_token_id": 32}
    if kind != "CTC":
        settings = {"pad_token_id": 2, "blank_token_id": 32, "decoder_hidden_size": 16}
    config = getattr(transformers, f"Parakeet{kind}Config")(
        vocab_size=33, encoder_config=encoder, **settings
    )
    model = _random(lambda: getattr(transformers, f"ParakeetFor{kind}")(config))
    head = model.ctc_head if kind == "CTC" else model.joint.head
    _talkative(head.weight)
    if kind != "CTC":
        model.generation_config.decoder_start_token_id = settings["blank_token_id"]
        # What follows the tokens are the logits of durations.
        model.generation_config.suppress_tokens = list(range(33, len(head.weight)))
    model.save_pretrained(folder)
    transformers.ParakeetFeatureExtractor(feature_size=80).save_pretrained(folder)
    blank = "<pad>" if kind == "CTC" else "<blank>"
    pieces = _pieces(32)
    _save_tokenizer(folder, [*pieces, blank], {"tokenizer_class": "ParakeetTokenizer"}, pad=blank)
    return folder


def moonshine(folder: Path) -> Path:
    """A sequence-to-sequence model on raw audio."""
    transformers: Any = importlib.import_module("transformers")

    config = transformers.MoonshineConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=32,
        encoder_num_hidden_layers=2,
        decoder_num_hidden_layers=2,
        encoder_num_attention_heads=2,
        decoder_num_attention_heads=2,
        max_position_embeddings=64,
        pad_token_id=2,
        initializer_range=0.3,
        tie_word_embeddings=False,
    )
    model = _random(lambda: transformers.MoonshineForConditionalGeneration(config))
    _talkative(model.proj_out.weight)
    model.save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(folder)
    _save_tokenizer(folder, _pieces(64), {"tokenizer_class": "PreTrainedTokenizerFast"})
    return folder


def speech_to_text(folder: Path) -> Path:
    """A sequence-to-sequence model on filter banks."""
    transformers: Any = importlib.import_module("transformers")

    config = transformers.Speech2TextConfig(
        vocab_size=64,
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        conv_channels=32,
        max_target_positions=64,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        decoder_start_token_id=2,
        init_std=0.3,
        tie_word_embeddings=False,
    )
    model = _random(lambda: transformers.Speech2TextForConditionalGeneration(config))
    _talkative(model.lm_head.weight)
    model.save_pretrained(folder)
    transformers.Speech2TextFeatureExtractor().save_pretrained(folder)
    # Its own tokenizer needs the sentencepiece package, which the others do without.
    _save_tokenizer(folder, _pieces(64), {"tokenizer_class": "PreTrainedTokenizerFast"})
    return folder


def _random(make: Callable[[], Any]) -> Any:
    import torch

    torch.manual_seed(0)
    return make()


def _talkative(weight: Any) -> None:
    """Random outputs all say the same token; larger ones say many."""
    import torch

    with torch.no_grad():
        weight.normal_(0.0, 1.0)


def _pieces(size: int) -> list[str]:
    """Control tokens, then pieces of which every other begins a word."""
    control = ["<unk>", "<s>", "</s>"]
    letters = [f"\u2581{c}{d}" if i % 2 else f"{c}{d}" for i, (c, d) in enumerate(_pairs())]
    return [*control, *letters][:size]


def _pairs() -> list[tuple[str, str]]:
    return [(c, d) for d in "aeiou" for c in "bcdfghklmnprstvwz"]


def _save_tokenizer(
    folder: Path, tokens: list[str], settings: dict[str, Any], pad: str = "</s>"
) -> None:
    tokenizers: Any = importlib.import_module("tokenizers")
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    tokenizer.decoder = tokenizers.decoders.Metaspace()
    tokenizer.add_special_tokens(
        [
            tokenizers.AddedToken(t, special=True, normalized=False)
            for t in tokens
            if t.startswith("<")
        ]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {
                **settings,
                "bos_token": "<s>",
                "eos_token": "</s>",
                "unk_token": "<unk>",
                "pad_token": pad,
            }
        )
    )
