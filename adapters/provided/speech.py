"""The speech of a voice that exists already: a sound for each sentence, in a folder or an index."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.provided.kind import INDEX_NAMES
from adapters.provided.rows import (
    AUDIO_KEYS,
    ID_KEYS,
    ProvidedError,
    format_of_rows,
    named,
    read_content,
    refuse,
    rows_of,
)
from fixtures.safe_text import shown

_ENDINGS = frozenset({".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff"})


@dataclass(frozen=True, slots=True)
class Sound:
    """What was said of one sentence. line: in the index; in a folder its place, from 1.

    processing_seconds: what it took, as the index says it, if it does.
    """

    line: int
    id: str
    path: Path
    processing_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class SpeechFile:
    """All sounds of a folder or an index, and how they were named."""

    path: Path
    format: str
    sounds: Sequence[Sound]

    @property
    def sha256(self) -> str:
        """Over the names and the bytes of all of them."""
        digest = hashlib.sha256()
        for sound in sorted(self.sounds, key=lambda sound: sound.id):
            with sound.path.open("rb") as file:
                inner = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{sound.id} {inner} {sound.processing_seconds}\n".encode())
        return digest.hexdigest()


def read_speech(path: Path) -> SpeechFile:
    """The sounds by the ids of their sentences. Raises ProvidedError.

    path: an index of ids and files, a folder with one, or a folder of files that are called
    like the sentences.
    """
    if not path.exists():
        raise ProvidedError(f"{path}: no such file or folder")
    index = path
    if path.is_dir():
        found = next((path / name for name in INDEX_NAMES if (path / name).is_file()), None)
        if found is None:
            return SpeechFile(path, "folder of sound", _once(path, _of_folder(path)))
        index = found
    content = read_content(index)
    if format_of_rows(content) is None:
        raise ProvidedError(f"{index}: rows with an id and the path of a sound are expected")
    sounds: list[Sound] = []
    wrong: list[tuple[int, str]] = []
    for line, row in rows_of(content):
        try:
            name, file = named(row, ID_KEYS), named(row, AUDIO_KEYS)
            if name is None or file is None:
                raise ValueError("an id and the path of a sound are expected")
            place = index.parent / Path(file).expanduser()
            if not place.is_file():
                raise ValueError(f"no such sound: {place}")
            sounds.append(Sound(line, name, place, _seconds(row.get("processing_seconds"))))
        except ValueError as error:
            wrong.append((line, str(error)))
    refuse(index, "rows that name no sound", wrong)
    return SpeechFile(path, f"index of sound ({format_of_rows(content)})", _once(index, sounds))


def _of_folder(folder: Path) -> Iterator[Sound]:
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _ENDINGS)
    if not files:
        raise ProvidedError(f"{folder}: no sound in it ({', '.join(sorted(_ENDINGS))})")
    for number, file in enumerate(files, start=1):
        yield Sound(number, file.stem, file)


def _once(where: Path, sounds: Iterator[Sound] | Sequence[Sound]) -> Sequence[Sound]:
    first: dict[str, Sound] = {}
    wrong: list[tuple[int, str]] = []
    for sound in sounds:
        known = first.setdefault(sound.id, sound)
        if known is not sound:
            wrong.append((sound.line, f"{shown(sound.id)}: {known.path} and {sound.path}"))
    refuse(where, "sentences with two sounds", wrong)
    return [*first.values()]


def _seconds(value: object) -> float | None:
    if value in (None, ""):
        return None
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds) or seconds <= 0:
        raise ValueError(f"'processing_seconds' must be a positive number, not {shown(value)}")
    return seconds
