"""faster-whisper on the micro Whisper, window by window and in batches."""

from __future__ import annotations

import json
from pathlib import Path

from fixtures.micro_whisper import expand
from tests.contract.subject import Made, Subject, overwrite, remove, truncate


def _make(folder: Path) -> Made:
    return Made(str(expand("ctranslate2", folder)))


def _other_tokenizer(folder: Path) -> None:
    """The special tokens one number further, as between Whisper large-v2 and v3."""
    file = folder / "tokenizer.json"
    tokenizer = json.loads(file.read_text(encoding="utf-8"))
    for token in tokenizer["added_tokens"]:
        token["id"] += 1
    tokenizer["model"]["vocab"] = {
        text: number + (number >= 50257) for text, number in tokenizer["model"]["vocab"].items()
    }
    file.write_text(json.dumps(tokenizer), encoding="utf-8")


def _other_features(folder: Path) -> None:
    file = folder / "preprocessor_config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**config, "feature_size": 128}), encoding="utf-8")


SUBJECTS = [
    Subject(
        name="faster_whisper",
        engine="faster_whisper",
        make=_make,
        tasks=("asr",),
        hears=True,
        options={"language": "en", "max_new_tokens": 60},
        damages={
            "truncated weights": (truncate("model.bin"), "faster-whisper cannot load"),
            "no weights": (remove("model.bin"), "no model.bin"),
            "no tokenizer": (remove("tokenizer.json"), "no tokenizer.json"),
            "not weights": (overwrite("model.bin"), "faster-whisper cannot load"),
            "truncated tokenizer": (truncate("tokenizer.json"), "faster-whisper cannot load"),
            "another tokenizer": (_other_tokenizer, "tokenizer.json is not the one"),
            "truncated features": (
                truncate("preprocessor_config.json"),
                "preprocessor_config.json cannot be read",
            ),
            "other features": (_other_features, "the weights want 80 mel bands"),
            "truncated config": (truncate("config.json"), "faster-whisper cannot load"),
        },
        setting=("max_new_tokens", 2),
    ),
    Subject(
        name="faster_whisper-batched",
        engine="faster_whisper",
        make=_make,
        tasks=("asr",),
        hears=True,
        options={"language": "en", "max_new_tokens": 60, "batch_size": 4, "vad_filter": True},
        setting=("chunk_length", 2),
    ),
]
