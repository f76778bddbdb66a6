"""kokoro-onnx on a tiny random model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.contract.subject import Made, Subject, overwrite, remove, truncate
from tests.support import tiny_kokoro

Damage = tuple[Callable[[Path], None], str]


def _make(folder: Path) -> Made:
    return Made(str(tiny_kokoro.kokoro(folder / "kokoro")))


def _no_voices(checkpoint: Path) -> None:
    for file in (checkpoint / "voices").iterdir():
        file.unlink()


class _Pwn:
    """An array of these makes a file where its pickle is read."""

    def __init__(self, victim: Path) -> None:
        self._victim = victim

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return open, (str(self._victim), "w")


def _malicious_voices(checkpoint: Path) -> None:
    _no_voices(checkpoint)
    numbers = np.array([_Pwn(checkpoint / "pwned")], dtype=object)
    with (checkpoint / "voices.bin").open("wb") as file:
        np.savez(file, af_heart=numbers)


#: All are tried in tests/adapters/engines/test_kokoro_onnx.py too, which starts no process for each.
DAMAGES: dict[str, Damage] = {
    "truncated model": (truncate("onnx/model.onnx"), "cannot load"),
    "no model": (remove("onnx/model.onnx"), "not whole"),
    "not a model": (overwrite("onnx/model.onnx"), "cannot load"),
    "no voices": (_no_voices, "no voices"),
    "truncated voice": (overwrite("voices/bf_emma.bin", b"\0" * 1000), "voices cannot be read"),
    "empty voice": (overwrite("voices/bf_emma.bin", b""), "has the shape"),
    "malicious voices": (_malicious_voices, "voices cannot be read"),
}

SUBJECTS = [
    Subject(
        name="kokoro_onnx",
        engine="kokoro_onnx",
        make=_make,
        tasks=("tts",),
        damages=DAMAGES,
        setting=("voice", "bf_emma"),
    )
]
