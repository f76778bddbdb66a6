"""transformers on the micro Whisper and on tiny random checkpoints of the other kinds."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fixtures.micro_whisper import expand
from tests.contract.subject import Made, Subject, overwrite, remove, truncate
from tests.support import tiny_transformers

Damage = tuple[Callable[[Path], None], str]


def _whisper(folder: Path) -> Made:
    return Made(str(expand("transformers", folder)))


def _made(make: Callable[[Path], Path]) -> Callable[[Path], Made]:
    return lambda folder: Made(str(make(folder)))


def without_tensor(part: str) -> Callable[[Path], None]:
    """The weights without the tensors whose name has `part` in it."""

    def rest(state: dict[str, Any]) -> dict[str, Any]:
        kept = {name: tensor for name, tensor in state.items() if part not in name}
        assert 0 < len(kept) < len(state)
        return kept

    def damage(checkpoint: Path) -> None:
        _rewrite(checkpoint, rest)

    return damage


def misshapen_tensor(name: str) -> Callable[[Path], None]:
    """One tensor a row short."""

    def damage(checkpoint: Path) -> None:
        _rewrite(checkpoint, lambda state: {**state, name: state[name][1:].clone()})

    return damage


def _rewrite(checkpoint: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    safetensors: Any = importlib.import_module("safetensors.torch")
    file = checkpoint / "model.safetensors"
    whole = safetensors.load_file(file)
    safetensors.save_file(change(whole), file, metadata={"format": "pt"})


def malicious_pickle(checkpoint: Path) -> None:
    """Weights as a pickle that makes a file where it is read."""
    (checkpoint / "model.safetensors").unlink()
    write_pickle(checkpoint / "pytorch_model.bin", checkpoint / "pwned")


def write_pickle(file: Path, victim: Path) -> None:
    import torch

    class Pwn:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return open, (str(victim), "w")

    torch.save({"weight": torch.zeros(1), "pwn": Pwn()}, file)


def set_in(name: str, **values: object) -> Callable[[Path], None]:
    """Other values in a JSON file of the checkpoint."""

    def damage(checkpoint: Path) -> None:
        file = checkpoint / name
        file.write_text(json.dumps({**json.loads(file.read_text()), **values}))

    return damage


_WEIGHTS = "cannot load the weights"

#: All are tried in tests/adapters/engines/transformers_asr, which starts no process for each.
WHISPER_DAMAGES: dict[str, Damage] = {
    "truncated weights": (truncate("model.safetensors"), _WEIGHTS),
    "not weights": (overwrite("model.safetensors"), _WEIGHTS),
    "no weights": (remove("model.safetensors"), "not whole .no model.safetensors"),
    "malicious pickle": (malicious_pickle, _WEIGHTS),
    "missing tensor": (without_tensor("decoder.layers.1.fc2.weight"), "missing, such as"),
    "missing embedding": (without_tensor("embed_tokens"), "missing, such as"),
    "misshapen tensor": (misshapen_tensor("model.encoder.conv1.weight"), _WEIGHTS),
    "fewer layers in the config": (
        set_in("config.json", encoder_layers=2),
        "config.json describes a smaller model",
    ),
    "no config": (remove("config.json"), "no config.json"),
    "not a config": (overwrite("config.json"), "cannot load config.json"),
    "another model": (set_in("config.json", model_type="bert"), "'bert' is not run"),
    "no tokenizer": (remove("tokenizer.json"), "cannot load the tokenizer"),
    "not a tokenizer": (overwrite("tokenizer.json"), "cannot load the tokenizer"),
    "no preprocessor": (remove("preprocessor_config.json"), "preprocessor_config.json"),
    "another sample rate": (
        set_in("preprocessor_config.json", sampling_rate=8000),
        "wants 8000 Hz",
    ),
}
CTC_DAMAGES: dict[str, Damage] = {
    "truncated weights": (truncate("model.safetensors"), _WEIGHTS),
    "no output layer": (without_tensor("lm_head"), "missing, such as"),
    "no vocabulary": (remove("vocab.json"), "cannot load the tokenizer"),
    "malicious pickle": (malicious_pickle, _WEIGHTS),
}
PARAKEET_DAMAGES: dict[str, Damage] = {
    "missing statistics": (without_tensor("running_mean"), "missing, such as"),
    "no tokenizer": (remove("tokenizer.json"), "cannot load the tokenizer"),
}
MOONSHINE_DAMAGES: dict[str, Damage] = {
    "truncated weights": (truncate("model.safetensors"), _WEIGHTS),
    "missing tensor": (without_tensor("decoder.norm"), "missing, such as"),
    "no tokenizer": (remove("tokenizer.json"), "cannot load the tokenizer"),
}


def _some(damages: dict[str, Damage], *names: str) -> dict[str, Damage]:
    return {name: damages[name] for name in names}


SUBJECTS = [
    Subject(
        name="transformers_asr-whisper",
        engine="transformers_asr",
        make=_whisper,
        tasks=("asr",),
        hears=True,
        options={"language": "en", "max_new_tokens": 60},
        damages=_some(
            WHISPER_DAMAGES, "truncated weights", "malicious pickle", "missing tensor", "no config"
        ),
        setting=("max_new_tokens", 2),
    ),
    Subject(
        name="transformers_asr-ctc",
        engine="transformers_asr",
        make=_made(tiny_transformers.wav2vec2),
        tasks=("asr",),
        damages=_some(CTC_DAMAGES, "no output layer"),
        setting=("chunk_seconds", 1),
    ),
    Subject(
        name="transformers_asr-parakeet",
        engine="transformers_asr",
        make=_made(tiny_transformers.parakeet),
        tasks=("asr",),
        damages=_some(PARAKEET_DAMAGES, "missing statistics"),
        setting=("chunk_seconds", 1),
    ),
    Subject(
        name="transformers_asr-moonshine",
        engine="transformers_asr",
        make=_made(tiny_transformers.moonshine),
        tasks=("asr",),
        options={"max_new_tokens": 20},
        damages=_some(MOONSHINE_DAMAGES, "missing tensor"),
        setting=("max_new_tokens", 2),
    ),
]
