"""faster-whisper on the micro Whisper."""

from __future__ import annotations

from pathlib import Path

from fixtures.micro_whisper import expand
from tests.contract.subject import Made, Subject, overwrite, remove, truncate


def _make(folder: Path) -> Made:
    return Made(str(expand("ctranslate2", folder)))


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
        },
        setting=("max_new_tokens", 2),
    )
]
