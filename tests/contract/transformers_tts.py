"""transformers' text to speech on tiny random checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.contract.subject import Made, Subject, overwrite, remove, truncate
from tests.contract.transformers_asr import (
    malicious_pickle,
    misshapen_tensor,
    set_in,
    without_tensor,
)
from tests.support import tiny_tts

Damage = tuple[Callable[[Path], None], str]


def _vits(folder: Path) -> Made:
    return Made(str(tiny_tts.vits(folder)))


def _speecht5(folder: Path) -> Made:
    tiny_tts.speecht5(folder)
    options = {"vocoder": str(folder / "vocoder"), "voice": tiny_tts.voice(0)}
    return Made(str(folder), options)


def _bark(folder: Path) -> Made:
    return Made(str(tiny_tts.bark(folder)))


class _Pwn:
    """An array of these makes a file where its pickle is read."""

    def __init__(self, victim: Path) -> None:
        self._victim = victim

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return open, (str(self._victim), "w")


def _malicious_voice(checkpoint: Path) -> None:
    numbers = np.array([_Pwn(checkpoint / "pwned")], dtype=object)
    np.save(checkpoint / "speaker_embeddings" / "one_semantic_prompt.npy", numbers)


def _zipped_voice(checkpoint: Path) -> None:
    """What numpy opens, but not as an array."""
    with (checkpoint / "speaker_embeddings" / "one_semantic_prompt.npy").open("wb") as file:
        np.savez(file, numbers=np.zeros(3))


_WEIGHTS = "cannot load the weights"

#: All are tried in tests/adapters/engines/transformers_tts, which starts no process for each.
VITS_DAMAGES: dict[str, Damage] = {
    "truncated weights": (truncate("model.safetensors"), _WEIGHTS),
    "not weights": (overwrite("model.safetensors"), _WEIGHTS),
    "no weights": (remove("model.safetensors"), "not whole .no model.safetensors"),
    "malicious pickle": (malicious_pickle, _WEIGHTS),
    "missing tensor": (without_tensor("flow.flows.1.conv_post.bias"), "missing, such as"),
    "misshapen tensor": (misshapen_tensor("text_encoder.embed_tokens.weight"), _WEIGHTS),
    "fewer flows in the config": (
        set_in("config.json", prior_encoder_num_flows=1),
        "config.json describes a smaller model",
    ),
    "no config": (remove("config.json"), "no config.json"),
    "not a config": (overwrite("config.json"), "cannot load config.json"),
    "no type": (overwrite("config.json", b"{}"), "cannot load config.json"),
    "another model": (set_in("config.json", model_type="musicgen"), "'musicgen' is not run"),
    "no vocabulary": (remove("vocab.json"), "cannot load the tokenizer"),
    "another vocabulary": (overwrite("vocab.json", b'{"a": 0}'), "cannot load the tokenizer"),
}
SPEECHT5_DAMAGES: dict[str, Damage] = {
    "truncated weights": (truncate("model.safetensors"), _WEIGHTS),
    "missing tensor": (without_tensor("feat_out.bias"), "missing, such as"),
    "no tokenizer": (remove("spm_char.model"), "cannot load the tokenizer"),
    "not a tokenizer": (overwrite("spm_char.model"), "cannot load the tokenizer"),
    "no vocoder": (remove("vocoder/model.safetensors"), "not whole"),
    "truncated vocoder": (truncate("vocoder/model.safetensors"), _WEIGHTS),
    "another vocoder": (set_in("vocoder/config.json", model_type="vits"), "option vocoder"),
    "vocoder of other bands": (
        lambda folder: _replaced(folder / "vocoder"),
        "takes 10 frequency bands",
    ),
}
BARK_DAMAGES: dict[str, Damage] = {
    "truncated weights": (truncate("model.safetensors"), _WEIGHTS),
    "missing tensor": (without_tensor("coarse_acoustics.lm_head"), "missing, such as"),
    "no tokenizer": (
        lambda folder: (remove("tokenizer.json")(folder), remove("vocab.txt")(folder))[0],
        "cannot load the tokenizer",
    ),
    "no generation config": (remove("generation_config.json"), "generation_config.json"),
    "no such voice": (
        remove("speaker_embeddings/one_coarse_prompt.npy"),
        "cannot load the voice one",
    ),
    "malicious voice": (_malicious_voice, "cannot load the voice one"),
    "another kind of voice": (_zipped_voice, "cannot load the voice one"),
}


def _replaced(folder: Path) -> None:
    tiny_tts.hifigan(folder, bands=10)


def _some(damages: dict[str, Damage], *names: str) -> dict[str, Damage]:
    return {name: damages[name] for name in names}


SUBJECTS = [
    Subject(
        name="transformers_tts-vits",
        engine="transformers_tts",
        make=_vits,
        tasks=("tts",),
        damages=_some(VITS_DAMAGES, "truncated weights", "malicious pickle", "no vocabulary"),
        setting=("speaking_rate", 4.0),
    ),
    Subject(
        name="transformers_tts-speecht5",
        engine="transformers_tts",
        make=_speecht5,
        tasks=("tts",),
        damages=_some(SPEECHT5_DAMAGES, "missing tensor", "no tokenizer"),
        setting=("voice", tiny_tts.voice(1)),
    ),
    Subject(
        name="transformers_tts-bark",
        engine="transformers_tts",
        make=_bark,
        tasks=("tts",),
        damages=_some(BARK_DAMAGES, "missing tensor"),
        setting=("voice", "v2/two"),
    ),
]
