"""The human speech that comes in moonshine-voice's wheel, with what is said in it."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile

from adapters.interface import Audio, Samples
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


@dataclass(frozen=True)
class Clause:
    """A part of a recording between two pauses, in seconds, and its words."""

    of: Recording
    start: float
    end: float
    text: str


CLAUSES = (
    Clause(BECKETT, 0.0, 3.38, "Ever tried. Ever failed."),
    Clause(BECKETT, 3.38, 6.2, "No matter. Try again."),
    Clause(BECKETT, 6.2, 9.96, "Fail again. Fail better."),
    Clause(TWO_CITIES, 0.0, 4.69, "It was the best of times, it was the worst of times,"),
    Clause(TWO_CITIES, 4.69, 8.5, "it was the age of wisdom, it was the age of foolishness,"),
    Clause(TWO_CITIES, 8.5, 13.0, "it was the epoch of belief, it was the epoch of incredulity,"),
    Clause(TWO_CITIES, 13.0, 17.3, "it was the season of light, it was the season of darkness,"),
    Clause(TWO_CITIES, 17.3, 21.0, "it was the spring of hope, it was the winter of despair,"),
    Clause(TWO_CITIES, 21.0, 24.3, "we had everything before us, we had nothing before us,"),
    Clause(
        TWO_CITIES,
        24.3,
        28.7,
        "we were all going direct to heaven, we were all going direct the other way.",
    ),
    Clause(TWO_CITIES, 28.7, 32.65, "In short, the period was so far like the present period,"),
    Clause(
        TWO_CITIES,
        32.65,
        36.9,
        "that some of its noisiest authorities insisted on its being received,",
    ),
    Clause(
        TWO_CITIES,
        36.9,
        44.37,
        "for good or for evil, in the superlative degree of comparison only.",
    ),
)


def clause_sound(clause: Clause) -> Samples:
    """The sound of a clause at 16 kHz."""
    whole = load_audio(path_of(clause.of))
    return whole[round(clause.start * SAMPLE_RATE) : round(clause.end * SAMPLE_RATE)]


def write_clauses(folder: Path, clauses: Sequence[Clause] = CLAUSES) -> Path:
    """A corpus of clauses, each a file of its own."""
    folder.mkdir(parents=True)
    rows = []
    for number, clause in enumerate(clauses):
        name = f"{number}.wav"
        soundfile.write(folder / name, clause_sound(clause), SAMPLE_RATE, subtype="FLOAT")
        rows.append({"id": f"c{number}", "audio_filepath": name, "text": clause.text, "lang": "en"})
    file = folder / "manifest.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file
