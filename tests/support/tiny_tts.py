"""Tiny random checkpoints of the kinds that transformers_tts tells apart, as the library saves them.

They say noise, but go through the real loading and synthesis code, and every letter of a text
changes what is heard.
"""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

LETTERS = "abcdefghijklmnopqrstuvwxyz"
#: Of SpeechT5's voices.
VECTOR = 16
_HIFIGAN = {
    "upsample_initial_channel": 16,
    "upsample_rates": [8, 8],
    "upsample_kernel_sizes": [16, 16],
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1]],
}


def vits(
    folder: Path, *, phonemize: bool = False, letters: str = f"_ '{LETTERS}", **settings: Any
) -> Path:
    """VITS of letters, as MMS-TTS is, or of phonemes, as the first one was. 64 samples a frame."""
    transformers: Any = importlib.import_module("transformers")

    config = transformers.VitsConfig(
        vocab_size=len(letters),
        hidden_size=16,
        num_hidden_layers=1,
        ffn_dim=16,
        flow_size=16,
        spectrogram_bins=9,
        duration_predictor_filter_channels=16,
        prior_encoder_num_flows=2,
        prior_encoder_num_wavenet_layers=1,
        posterior_encoder_num_wavenet_layers=1,
        speaking_rate=8.0,  # random durations are long
        **_HIFIGAN,
        **settings,
    )
    model = _random(lambda: transformers.VitsModel(config))
    model.decoder.conv_post.weight.data.mul_(0.2)  # or it is all clipped
    model.save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({c: i for i, c in enumerate(letters)}))
    tokenizer = transformers.VitsTokenizer(
        str(folder / "vocab.json"), pad_token=letters[0], phonemize=phonemize
    )
    tokenizer.save_pretrained(folder)
    return folder


def speecht5(folder: Path, **settings: Any) -> Path:
    """SpeechT5 of letters, and in `folder`/vocoder its vocoder, also with 64 samples a frame."""
    transformers: Any = importlib.import_module("transformers")

    config = transformers.SpeechT5Config(
        **{
            "vocab_size": 40,
            "hidden_size": 16,
            "encoder_layers": 1,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 16,
            "decoder_layers": 1,
            "decoder_ffn_dim": 16,
            "decoder_attention_heads": 2,
            "num_mel_bins": 8,
            "speech_decoder_prenet_units": 16,
            "speaker_embedding_dim": VECTOR,
            "speech_decoder_postnet_layers": 2,
            "speech_decoder_postnet_units": 16,
            "max_speech_positions": 400,
            "max_text_positions": 60,
            "initializer_range": 0.3,
            **settings,
        }
    )
    model = _random(lambda: transformers.SpeechT5ForTextToSpeech(config))
    # A random end comes at once; without one the library stops after 20 frames a letter.
    model.speech_decoder_postnet.prob_out.bias.data.fill_(-9.0)
    model.save_pretrained(folder)
    _letters(folder / "spm_char.model")
    tokenizer = transformers.SpeechT5Tokenizer(str(folder / "spm_char.model"))
    tokenizer.save_pretrained(folder)
    hifigan(folder / "vocoder")
    return folder


def hifigan(folder: Path, bands: int = 8) -> Path:
    """SpeechT5's vocoder."""
    transformers: Any = importlib.import_module("transformers")

    config = transformers.SpeechT5HifiGanConfig(
        model_in_dim=bands, initializer_range=0.1, **_HIFIGAN
    )
    _random(lambda: transformers.SpeechT5HifiGan(config)).save_pretrained(folder)
    return folder


def voice(seed: int) -> list[float]:
    """An x-vector."""
    return [float(number) for number in np.random.default_rng(seed).standard_normal(VECTOR)]


def bark(folder: Path) -> Path:
    """Bark with 20 semantic tokens a second, and the voices one and v2/two."""
    transformers: Any = importlib.import_module("transformers")

    part = {
        "block_size": 128,
        "num_layers": 1,
        "num_heads": 2,
        "hidden_size": 16,
        "initializer_range": 0.3,
    }
    # 30 semantic tokens, then 40 of text; 2 coarse codebooks of 16 after the semantic ones.
    semantic = transformers.BarkSemanticConfig(input_vocab_size=100, output_vocab_size=32, **part)
    coarse = transformers.BarkCoarseConfig(input_vocab_size=64, output_vocab_size=64, **part)
    fine = transformers.BarkFineConfig(
        input_vocab_size=17, output_vocab_size=17, n_codes_total=4, n_codes_given=1, **part
    )
    codec = transformers.EncodecConfig(
        target_bandwidths=[6.0],
        sampling_rate=24_000,
        num_filters=4,
        hidden_size=16,
        codebook_size=16,
        codebook_dim=16,
        num_lstm_layers=1,
        upsampling_ratios=[8, 8],
    )
    config = transformers.BarkConfig(
        semantic_config=semantic.to_dict(),
        coarse_acoustics_config=coarse.to_dict(),
        fine_acoustics_config=fine.to_dict(),
        codec_config=codec.to_dict(),
    )
    model = _random(lambda: transformers.BarkModel(config))
    for half in (model.semantic, model.coarse_acoustics):
        # Even odds would be drawn from alike, whatever the text.
        half.lm_head.weight.data.normal_(0.0, 1.0)
    for layer in model.codec_model.quantizer.layers:
        layer.codebook.embed.normal_()  # zeros, before it is trained
    model.save_pretrained(folder)
    generation = {
        "semantic_config": {
            "do_sample": True,
            "eos_token_id": 30,
            "max_new_tokens": 40,
            "text_encoding_offset": 32,
            "text_pad_token": 98,
            "semantic_infer_token": 99,
            "semantic_pad_token": 30,
            "semantic_vocab_size": 30,
            "max_input_semantic_length": 24,
            "semantic_rate_hz": 20.0,
        },
        "coarse_acoustics_config": {
            "do_sample": True,
            "coarse_semantic_pad_token": 62,
            "coarse_infer_token": 63,
            "coarse_rate_hz": 40,
            "n_coarse_codebooks": 2,
            "max_coarse_input_length": 16,
            "max_coarse_history": 32,
            "sliding_window_len": 8,
        },
        "fine_acoustics_config": {
            "temperature": 0.5,
            "max_fine_history_length": 16,
            "max_fine_input_length": 32,
            "n_fine_codebooks": 4,
        },
        "sample_rate": 24_000,
        "codebook_size": 16,
        "model_type": "bark",
    }
    (folder / "generation_config.json").write_text(json.dumps(generation))
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{c}" for c in LETTERS)]
    (folder / "vocab.txt").write_text("\n".join(pieces))
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    paths: dict[str, Any] = {"repo_or_path": "somebody/else"}
    for seed, name in enumerate(("one", "v2/two")):
        rng = np.random.default_rng(seed)
        parts = {
            "semantic_prompt": rng.integers(0, 30, 12),
            "coarse_prompt": rng.integers(0, 16, (2, 24)),
            "fine_prompt": rng.integers(0, 16, (4, 24)),
        }
        paths[name] = {}
        for key, numbers in parts.items():
            file = folder / "speaker_embeddings" / f"{name}_{key}.npy"
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, numbers.astype(np.int64))
            paths[name][key] = str(file.relative_to(folder))
    (folder / "speaker_embeddings_path.json").write_text(json.dumps(paths))
    return folder


def _random(make: Callable[[], Any]) -> Any:
    import torch

    torch.manual_seed(0)
    return make()


def _letters(file: Path) -> None:
    """A sentencepiece model of single letters, as SpeechT5 has one."""
    sentencepiece: Any = importlib.import_module("sentencepiece")
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([LETTERS, ". , ' ?"]),
        model_writer=model,
        model_type="char",
        vocab_size=40,
        hard_vocab_limit=False,
        character_coverage=1.0,
        bos_id=0,
        pad_id=1,
        eos_id=2,
        unk_id=3,
        minloglevel=2,
    )
    file.write_bytes(model.getvalue())
