"""Speech that exists already, in the place of that of a voice that runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from adapters.interface import Audio, Speech
from adapters.provided.rows import refuse
from adapters.provided.speech import Sound, SpeechFile
from adapters.worker.results import Timed
from evals.models.retry import Answered
from evals.records.measurement import Figure
from evals.run.audio_files import file_name
from evals.tasks.provided import FACT, missing, near, unobserved
from fixtures.corpora.sentences import Sentence, Sentences

#: What a line lacks that there is no sound for.
NOUN = "speech"
#: Files of a run of ours are called by number and id.
_NUMBERED = len("00001-")


def by_sentence(file: SpeechFile, ids: Iterable[str]) -> tuple[dict[str, Sound], list[Sound]]:
    """The sound of each sentence that has one, and the sounds of none."""
    names: dict[str, str] = {}
    for own in ids:
        names.setdefault(Path(file_name(1, own)).stem[_NUMBERED:], own)
        names[own] = own
    found: dict[str, Sound] = {}
    unknown: list[Sound] = []
    for sound in file.sounds:
        stem = sound.id
        numbered = stem[: _NUMBERED - 1].isdigit() and stem[_NUMBERED - 1 : _NUMBERED] == "-"
        name = names.get(stem)
        if name is None and numbered:
            name = names.get(stem[_NUMBERED:])
        if name is None:
            unknown.append(sound)
        else:
            found.setdefault(name, sound)
    return found, unknown


def refuse_speech(file: SpeechFile, corpora: Sequence[Sequence[str]]) -> None:
    """Raise ProvidedError for sounds that no sentence has, or that cannot be read."""
    known = [name for ids in corpora for name in ids]
    _, unknown = by_sentence(file, known)
    what = "sounds that no sentence has (the name is the sentence's id)"
    refuse(file.path, what, [(sound.line, near(sound.id, known)) for sound in unknown])
    broken = []
    for sound in file.sounds:
        try:
            soundfile.info(sound.path)
        except (OSError, RuntimeError) as error:
            broken.append((sound.line, f"{sound.path}: {error}"))
    refuse(file.path, "sounds that cannot be read", broken)


class ProvidedVoice:
    """Sounds in place of a voice; nothing here passes through a clock."""

    def __init__(self, file: SpeechFile, sentences: Sentences) -> None:
        self._file = file
        self._sounds, _ = by_sentence(file, (sentence.id for sentence in sentences))

    def each(
        self, items: Iterable[tuple[int, Sentence]]
    ) -> Iterator[Answered[tuple[int, Sentence], Speech]]:
        """Each sentence with its speech, or with an error for want of it."""
        for item in items:
            sound = self._sounds.get(item[1].id)
            if sound is None:
                yield Answered(item, missing(NOUN))
                continue
            samples, rate = soundfile.read(sound.path, dtype="float32", always_2d=True)
            audio = Audio(samples.mean(axis=1, dtype=np.float32), rate)
            yield Answered(item, Timed(Speech(audio), 0.0))

    def seconds(self, sentence: Sentence) -> float | None:
        """What the speech took to make, as the file says it; None where nobody tells."""
        sound = self._sounds.get(sentence.id)
        return sound.processing_seconds if sound is not None else None

    def start_peak(self) -> None:
        """Nothing runs that has a peak."""

    def cold_figures(self) -> Mapping[str, Figure]:
        """That there are none."""
        return unobserved()

    def memory_figures(self) -> Mapping[str, Figure]:
        """That there are none."""
        return {}

    @property
    def facts(self) -> Mapping[str, Any]:
        """Which file, what it is and how its sounds were found, as JSON."""
        told = {
            "file": str(self._file.path),
            "sha256": self._file.sha256,
            "format": self._file.format,
            "matched_by": {"id": len(self._sounds)},
        }
        return {FACT: told}
