"""Moonshine with the real weights of its wheel."""

from __future__ import annotations

import shutil
from pathlib import Path

from adapters.catalog import packages
from tests.contract.subject import Made, Subject, overwrite, remove


def _make(folder: Path) -> Made:
    # A copy, which the tests may damage.
    own = packages.resolve("package:moonshine_voice/assets/tiny-en")
    return Made(str(shutil.copytree(own, folder / "tiny-en")))


SUBJECTS = [
    Subject(
        name="moonshine",
        engine="moonshine",
        make=_make,
        tasks=("asr",),
        damages={
            "no decoder": (remove("decoder_model_merged.ort"), "not whole"),
            "not a model": (overwrite("encoder_model.ort"), "cannot load"),
        },
        # Nothing is speech.
        setting=("vad_threshold", 1.0),
    )
]
