"""A tiny random language model with a chat template, as transformers saves it."""

from __future__ import annotations

from pathlib import Path

from tests.contract.subject import Made, Subject, overwrite, remove, truncate
from tests.contract.transformers_asr import malicious_pickle
from tests.support.tiny_chat import chat_model


def _make(folder: Path) -> Made:
    return Made(str(chat_model(folder / "chat")))


SUBJECTS = [
    Subject(
        name="text_responder",
        engine="text_responder",
        make=_make,
        tasks=("chat",),
        reads=True,
        options={"max_new_tokens": 16},
        setting=("system_prompt", "the lights"),
        damages={
            "no weights": (remove("model.safetensors"), "model.safetensors|weights|load"),
            "half the weights": (truncate("model.safetensors"), "cannot load"),
            "malicious pickle": (malicious_pickle, "cannot load"),
            "no template": (remove("chat_template.jinja"), "chat template"),
            "another config": (overwrite("config.json"), "cannot load"),
        },
    )
]
