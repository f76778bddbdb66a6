"""The human speech that comes in moonshine-voice's wheel, with what is said in it."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

from adapters.interface import Audio
from fixtures.audio.read import SAMPLE_RATE, load_audio


@dataclass(frozen=True)
class Recording:
    """A file of the wheel and its words."""

    name: str
    text: str


BECKETT = Recording(
    "beckett.wav", "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better."
)
#: Charles Dickens, A Tale of Two Cities (1859), its first sentence.
TWO_CITIES = Recording(
    "two_cities.wav",
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age "
    "of foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the season "
    "of light, it was the season of darkness, it was the spring of hope, it was the winter of "
    "despair, we had everything before us, we had nothing before us, we were all going direct to "
    "heaven, we were all going direct the other way. In short, the period was so far like the "
    "present period, that some of its noisiest authorities insisted on its being received, for good "
    "or for evil, in the superlative degree of comparison only.",
)


def path_of(recording: Recording) -> Path:
    """The file, found without importing the package."""
    spec = importlib.util.find_spec("moonshine_voice")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations)), "assets", recording.name)


def speech(recording: Recording) -> Audio:
    """The sound at 16 kHz."""
    return Audio(load_audio(path_of(recording)), SAMPLE_RATE)


def manifest(folder: Path) -> Path:
    """A corpus of the recordings."""
    folder.mkdir(parents=True)
    file = folder / "manifest.jsonl"
    rows = [
        {"id": r.name, "audio_filepath": str(path_of(r)), "text": r.text, "language": "en"}
        for r in (BECKETT, TWO_CITIES)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file
