"""A tiny LFM2-Audio checkpoint with random weights, in the layout of the published ones.

Needs nothing but what the extra `lfm` installs, so that another environment's Python can
make it: python -m tests.support.lfm_checkpoint FOLDER [--mute]

It knows no language, but goes through all of liquid-audio's code: hearing it answers with
letters, told to speak it answers with audio, and in a conversation with both in turn. The
detokenizer's tables have a fixed size, which makes it 20 MB: made when tests need it, never
committed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

#: Ids that liquid-audio has in its source, and those that its prompts are made of.
SPECIAL = {
    0: "<|pad|>",
    1: "<|startoftext|>",
    2: "<|endoftext|>",
    6: "<|im_start|>",
    7: "<|im_end|>",
    128: "<|audio_start|>",
    129: "<|text_start|>",
    130: "<|text_end|>",
}
VOCABULARY = 256 + len(SPECIAL)
AUDIO_START = 128
END_OF_AUDIO = 2048
#: All that it ever writes.
LETTERS = "aeilnorst"
WIDTH = 64
DETOKENIZER_WIDTH = 512  # fixed in liquid-audio
#: How much likelier than any letter <|audio_start|> is at the start of speech.
EAGERNESS = 1.75


def make(folder: Path, *, mute: bool = False, seed: int = 0) -> Path:
    """Write the checkpoint; the same seed gives the same weights. Returns the folder.

    mute: leave the random weights as they are, so that it never begins to speak of itself
    (in a conversation liquid-audio makes every model speak).
    """
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "config.json", _config())
    _tokenizer(folder)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums come out otherwise with more
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            _weights(folder, mute)
            _detokenizer(folder / "audio_detokenizer")
    finally:
        torch.set_num_threads(threads)
    return folder


def _config() -> dict[str, Any]:
    return {
        "architectures": ["Lfm2AudioForConditionalGeneration"],
        "codebooks": 8,
        "tie_audio_embeddings": False,
        "semantic_codebook_factor": 100,
        "codebook_weight": "log",
        "interleaved_n_text": 6,
        "interleaved_n_audio": 12,
        "preprocessor": {
            "sample_rate": 16000,
            "normalize": "per_feature",
            "window_size": 0.025,
            "window_stride": 0.01,
            "window": "hann",
            "features": 128,
            "n_fft": 512,
            "log": True,
            "frame_splicing": 1,
            "dither": 1e-05,
            "pad_to": 0,
            "pad_value": 0.0,
        },
        "encoder": {
            "feat_in": 128,
            "feat_out": -1,
            "n_layers": 1,
            "d_model": 32,
            "subsampling": "dw_striding",
            "subsampling_factor": 8,
            "subsampling_conv_channels": 16,
            "causal_downsampling": False,
            "reduction": None,
            "reduction_position": None,
            "reduction_factor": 1,
            "ff_expansion_factor": 2,
            "self_attention_model": "rel_pos",
            "n_heads": 2,
            "att_context_size": [-1, -1],
            "xscaling": False,
            "untie_biases": True,
            "pos_emb_max_len": 1000,
            "conv_kernel_size": 9,
            "conv_norm_type": "batch_norm",
            "conv_context_size": None,
            "dropout": 0.1,
            "dropout_pre_encoder": 0.1,
            "dropout_emb": 0.0,
            "dropout_att": 0.1,
        },
        "lfm": _backbone(WIDTH, VOCABULARY, ["conv", "full_attention", "conv"]),
        "depthformer": {"layers": 1, "dim": 64, "tie": True},
    }


def _backbone(width: int, vocabulary: int, layer_types: list[str]) -> dict[str, Any]:
    return {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "block_auto_adjust_ff_dim": False,
        "num_hidden_layers": len(layer_types),
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "layer_types": layer_types,
    }


def _tokenizer(folder: Path) -> None:
    """Bytes and special tokens: byte-pair encoding without any pairs."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    alphabet = iter(sorted(pre_tokenizers.ByteLevel.alphabet()))
    vocabulary = {SPECIAL.get(i) or next(alphabet): i for i in range(VOCABULARY)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL.values()])
    tokenizer.save(str(folder / "tokenizer.json"))
    _write(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": "<|startoftext|>",
            "eos_token": "<|im_end|>",
            "pad_token": "<|pad|>",
            "clean_up_tokenization_spaces": False,
        },
    )


def _weights(folder: Path, mute: bool) -> None:
    import torch
    from liquid_audio.model.conformer.encoder import ConformerEncoderConfig
    from liquid_audio.model.lfm2_audio import DepthformerConfig, LFM2AudioConfig, LFM2AudioModel
    from liquid_audio.processor import PreprocessorConfig
    from safetensors.torch import save_file
    from transformers import Lfm2Config

    config = _config()
    model = LFM2AudioModel(
        LFM2AudioConfig(
            preprocessor=PreprocessorConfig(**config.pop("preprocessor")),
            lfm=Lfm2Config(**config.pop("lfm")),
            encoder=ConformerEncoderConfig(**config.pop("encoder")),
            depthformer=DepthformerConfig(**config.pop("depthformer")),
            **config,
        )
    ).eval()
    _mix(model)
    with torch.no_grad():
        rows = model.lfm.embed_tokens.weight
        ids = json.loads((folder / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
        letters = torch.tensor([t in LETTERS for t in ids])
        order = torch.tensor(list(ids.values()))
        # The same table reads and writes: with short rows all but these are never written.
        rows[order[~letters]] *= 0.2
        for table in model.depth_embeddings:
            embedding: Any = table.embedding
            embedding.weight[END_OF_AUDIO] = 0  # nor is the end, but by chance
        model.to(torch.bfloat16)
        if not mute:
            _teach_to_begin(model, folder)
    # Of tables that are one and the same, the first: as save_model, but always the same one.
    tensors = {t.data_ptr(): name for name, t in reversed(model.state_dict().items())}
    state = {name: t for name, t in model.state_dict().items() if name in tensors.values()}
    save_file(state, str(folder / "model.safetensors"), metadata={"format": "pt"})


def _mix(model: Any) -> None:
    """Weights with which an answer depends on all that came before it."""
    import torch

    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=module.in_features**-0.5)
    torch.nn.init.normal_(model.lfm.embed_tokens.weight)


def _teach_to_begin(model: Any, folder: Path) -> None:
    """Set the row of <|audio_start|> so that it follows a request to speak, and no other.

    The row is the ridge regression from the states at the end of prompts to yes and no.
    """
    import torch
    from liquid_audio import ChatState, LFM2AudioProcessor

    exact = model.float()
    processor = LFM2AudioProcessor.from_pretrained(folder, device="cpu")
    noise = torch.Generator().manual_seed(1)

    def state(system: str, user: str | int) -> torch.Tensor:
        chat = ChatState(processor, dtype=torch.float32)
        chat.new_turn("system")
        chat.add_text(system)
        chat.end_turn()
        chat.new_turn("user")
        if isinstance(user, str):
            chat.add_text(user)
        else:
            chat.add_audio(torch.randn(1, user, generator=noise) * 0.1, 16_000)
        chat.end_turn()
        chat.new_turn("assistant")
        embedded = exact._prefill(**chat)
        last: torch.Tensor = exact.lfm(inputs_embeds=embedded).last_hidden_state[0, -1]
        return last

    def words(count: int) -> str:
        letters = torch.randint(32, 127, (count,), generator=noise).tolist()
        return "".join(chr(c) for c in letters)

    lengths = [1, 2, 5, 10, 20, 40, 80, 160]
    voices = ["US male", "US female", "UK male", "UK female"]
    interleaved = "Respond with interleaved text and audio."
    yes = [
        state(f"Perform TTS. Use the {voice} voice.", words(length))
        for voice in voices
        for length in lengths
    ]
    yes += [state("Perform TTS. Use the US male voice.", words(7) * n) for n in range(1, 25)]
    no = [state("Perform ASR.", 1600 * length) for length in lengths]
    no += [state(interleaved, words(length)) for length in lengths]
    no += [state(interleaved, 1600 * length) for length in lengths]
    states = torch.stack(yes + no).double()
    wanted = torch.tensor([1.0] * len(yes) + [-1.0] * len(no), dtype=torch.float64)
    gram = states.T @ states + 0.1 * torch.eye(WIDTH, dtype=torch.float64)
    row = torch.linalg.solve(gram, states.T @ wanted)
    answers = states @ row
    likeliest = (torch.stack(yes) @ exact.lfm.embed_tokens.weight.T).max()
    exact.lfm.embed_tokens.weight[AUDIO_START] = row.float() * likeliest * EAGERNESS
    model.to(torch.bfloat16)
    if answers[: len(yes)].min() <= 1 / EAGERNESS or answers[len(yes) :].max() >= 0:
        raise RuntimeError(
            "these random weights cannot tell what they are asked; take another seed"
        )


def _detokenizer(folder: Path) -> None:
    import torch
    from liquid_audio.detokenizer import LFM2AudioDetokenizer
    from safetensors.torch import save_file
    from transformers import Lfm2Config

    folder.mkdir(exist_ok=True)
    layers = ["conv", "sliding_attention", "conv", "sliding_attention"]
    config = {
        **_backbone(DETOKENIZER_WIDTH, 8, layers),
        "model_type": "lfm2",
        "intermediate_size": 64,
        "sliding_window": 30,
    }
    _write(folder / "config.json", config)
    known = {**config, "layer_types": [t.replace("sliding", "full") for t in layers]}
    detokenizer = LFM2AudioDetokenizer(Lfm2Config(**known))
    _mix(detokenizer)
    state = {name: t.to(torch.bfloat16) for name, t in detokenizer.state_dict().items()}
    save_file(state, str(folder / "model.safetensors"), metadata={"format": "pt"})


def _write(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make a tiny random LFM2-Audio checkpoint.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mute", action="store_true", help="it never begins to speak of itself")
    arguments = parser.parse_args()
    print(make(arguments.folder, mute=arguments.mute))
