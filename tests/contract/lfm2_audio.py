"""LFM2-Audio on tiny random checkpoints."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.contract.subject import Made, Subject, overwrite, remove, truncate

_DETOKENIZER = "audio_detokenizer/model.safetensors"


def _make(folder: Path) -> Made:
    from tests.support.lfm_checkpoint import make

    return Made(str(make(folder)))


def without(name: str, prefix: str) -> Callable[[Path], None]:
    """Take the tensors whose names begin so out of a safetensors file."""

    def damage(checkpoint: Path) -> None:
        from safetensors.torch import load_file, save_file

        tensors = load_file(str(checkpoint / name))
        kept = {key: value for key, value in tensors.items() if not key.startswith(prefix)}
        assert len(kept) < len(tensors)
        save_file(kept, str(checkpoint / name), metadata={"format": "pt"})

    return damage


class _Malicious:
    """What creates a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._file,)


def _pickled(checkpoint: Path) -> None:
    """Weights as a pickle beside the others: accelerate would take them."""
    (checkpoint / "pytorch_model.bin").write_bytes(
        pickle.dumps(_Malicious(checkpoint.parent / "pwned"))
    )


def _pickle_alone(checkpoint: Path) -> None:
    _pickled(checkpoint)
    (checkpoint / "model.safetensors").unlink()


def _own_code(checkpoint: Path) -> None:
    (checkpoint / "own.py").write_text(
        f"open({str(checkpoint.parent / 'pwned')!r}, 'w')\nclass Tokenizer: pass\n"
    )
    file = checkpoint / "tokenizer_config.json"
    config = json.loads(file.read_text("utf-8"))
    config["auto_map"] = {"AutoTokenizer": [None, "own.Tokenizer"]}
    file.write_text(json.dumps(config), encoding="utf-8")


SUBJECTS = [
    Subject(
        name="lfm2_audio",
        engine="lfm2_audio",
        make=_make,
        tasks=("asr", "tts", "chat"),
        options={"max_new_tokens": 40},
        damages={
            "truncated weights": (truncate("model.safetensors"), "model.safetensors: cannot be"),
            "no weights": (remove("model.safetensors"), "no model.safetensors"),
            "no tokenizer": (remove("tokenizer.json"), "no tokenizer.json"),
            "no configuration": (remove("config.json"), "no config.json"),
            "not weights": (overwrite("model.safetensors"), "model.safetensors: cannot be"),
            "not a configuration": (overwrite("config.json"), "config.json: cannot be read as"),
            "no conformer": (without("model.safetensors", "conformer."), "tensors are missing"),
            "truncated detokenizer": (truncate(_DETOKENIZER), f"{_DETOKENIZER}: cannot be"),
            "no detokenizer": (remove(_DETOKENIZER), f"no {_DETOKENIZER}"),
            "no tensor of the detokenizer": (
                without(_DETOKENIZER, "lin.weight"),
                r"1 of \d+ tensors are missing \(lin.weight\)",
            ),
            "pickle beside the weights": (_pickled, "a pickle are not loaded"),
            "pickle": (_pickle_alone, "no model.safetensors"),
            "code of its own": (_own_code, "auto_map"),
        },
        setting=("max_new_tokens", 2),
    )
]
