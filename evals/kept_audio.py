"""The audio that models make: kept in the run, so that people can listen, and judges do."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from adapters.interface import Audio
from adapters.process import WorkerError
from evals.judging import Judge
from fixtures.audio import to_mono_16k


def keep(audio: Audio, path: Path) -> None:
    """Write it as WAV of floats: integers would clip what is too loud, and hide NaN."""
    content = io.BytesIO()
    soundfile.write(content, audio.samples, audio.sample_rate, format="WAV", subtype="FLOAT")
    path.write_bytes(content.getvalue())  # whose error says what is wrong with the disk


def listen(audio: Audio, judges: Sequence[Judge]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """What each judge hears, raw, by its name; and of those that failed, why."""
    heard: dict[str, str] = {}
    unheard: dict[str, str] = {}
    for judge in judges:
        try:
            if len(audio.samples) and np.isfinite(audio.samples).all():
                heard[judge.name] = judge.hear(to_mono_16k(audio.samples, audio.sample_rate))
            else:
                heard[judge.name] = ""  # of what is no sound there is nothing to hear
        except WorkerError as error:
            unheard[judge.name] = str(error)
    return heard, unheard


def file_name(number: int, name: str) -> str:
    """A file name that sorts by number and shows what it is of, whatever the name holds."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")[:60]
    return f"{number:05d}-{safe}.wav"
