"""A tiny random Llama with a chat template: it says nothing, through the real code."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from fixtures.builtin.voice_commands import words

TEMPLATE = (
    "{% for message in messages %}<{{ message.role }}> {{ message.content }} {% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def chat_model(folder: Path, template: str | None = TEMPLATE, seed: int = 1) -> Path:
    """The checkpoint; its tokens are the words of voice-commands."""
    torch: Any = importlib.import_module("torch")
    tokenizers: Any = importlib.import_module("tokenizers")
    transformers: Any = importlib.import_module("transformers")

    tokens = ["<pad>", "<s>", "</s>", "<unk>", "<system>", "<user>", "<assistant>", *words()]
    bare = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({t: i for i, t in enumerate(tokens)}, unk_token="<unk>")
    )
    bare.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=bare,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
    )
    tokenizer.chat_template = template
    config = transformers.LlamaConfig(
        vocab_size=len(tokens),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=128,
        initializer_range=0.5,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    torch.manual_seed(seed)
    model = transformers.LlamaForCausalLM(config)
    with torch.no_grad():
        model.lm_head.weight[:7] = 0  # words are likelier than the end
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
