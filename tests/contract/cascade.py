"""The micro Whisper, the assistant by rule and espeak-ng, one after the other."""

from __future__ import annotations

from pathlib import Path

from tests.contract.installed import need
from tests.contract.subject import Made, Subject


def _make(folder: Path) -> Made:
    from fixtures.builtin import embedded

    for engine in ("faster_whisper", "espeak"):
        need(engine)
    heard = {
        "engine": "faster_whisper",
        "checkpoint": embedded.resolve("embedded:micro-whisper/ctranslate2"),
        "options": {"language": "en", "max_new_tokens": 60, "without_timestamps": True},
    }
    return Made("builtin", {"asr": heard})


# Without espeak, whose wave phase runs on: tests/adapters/engines/cascade has the speech.
SUBJECTS = [
    Subject(
        name="cascade",
        engine="cascade",
        make=_make,
        tasks=("chat",),
        setting=("tts", "espeak:builtin"),
    )
]
