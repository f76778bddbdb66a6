"""espeak-ng with the voices of its wheel."""

from __future__ import annotations

from pathlib import Path

from tests.contract.subject import Made, Subject


def _make(folder: Path) -> Made:
    return Made("builtin")


SUBJECTS = [
    Subject(
        name="espeak", engine="espeak", make=_make, tasks=("tts",), setting=("voice", "en-us+f3")
    )
]
