"""Answers that exist already, in the place of those of an assistant that runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import soundfile

from adapters.interface import Audio, Reply
from adapters.provided.rows import refuse
from adapters.provided.turns import GivenAnswer, Transcript
from adapters.worker.results import Timed
from evals.records.measurement import Figure
from evals.tasks.provided import FACT, missing, near, unobserved
from fixtures.dialogues.dialogues import Dialogues
from fixtures.safe_text import shown

#: What a turn lacks that the transcript has nothing for.
NOUN = "answer"


def refuse_transcript(file: Transcript, corpora: Sequence[Dialogues]) -> None:
    """Raise ProvidedError for turns that no dialogue has, and for sounds that cannot be read."""
    turns = {one.id: len(one.exchanges) for dialogues in corpora for one in dialogues}
    unknown, beyond, broken = [], [], []
    for answer in file.answers:
        if answer.dialogue not in turns:
            unknown.append((answer.line, near(answer.dialogue, [*turns])))
        elif answer.turn > turns[answer.dialogue]:
            most = turns[answer.dialogue]
            what = f"turn {answer.turn} of {shown(answer.dialogue)}, which has {most}"
            beyond.append((answer.line, what))
        if answer.audio is not None:
            try:
                soundfile.info(answer.audio)
            except (OSError, RuntimeError) as error:
                broken.append((answer.line, f"{answer.audio}: {error}"))
    refuse(file.path, "dialogues that the corpus does not have", unknown)
    refuse(file.path, "turns that their dialogues do not have", beyond)
    refuse(file.path, "sounds that cannot be read", broken)


class ProvidedAssistant:
    """A transcript in place of an assistant; nothing here passes through a clock."""

    def __init__(self, file: Transcript, dialogues: Dialogues) -> None:
        self._file = file
        ids = {dialogue.id for dialogue in dialogues}
        self._answers: Mapping[tuple[str, int, bool], GivenAnswer] = {
            (one.dialogue, one.turn, one.typed): one for one in file.answers if one.dialogue in ids
        }

    @property
    def answers_typed(self) -> bool:
        """Whether any answer is to what the user had typed."""
        return any(typed for _, _, typed in self._answers)

    def answer(self, dialogue: str, turn: int, *, typed: bool) -> Timed[Reply] | str:
        """The answer to a turn of the user, from 1, or an error for want of it."""
        found = self._answers.get((dialogue, turn, typed))
        if found is None:
            return missing(NOUN)
        if found.error is not None:
            return found.error
        audio = None
        if found.audio is not None:
            samples, rate = soundfile.read(found.audio, dtype="float32", always_2d=True)
            audio = Audio(samples.mean(axis=1, dtype=np.float32), rate)
        return Timed(Reply(found.text, audio), 0.0)

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
        """Which file, what it is and how its answers were found, as JSON."""
        told = {
            "file": str(self._file.path),
            "sha256": self._file.sha256,
            "format": self._file.format,
            "matched_by": {"dialogue and turn": len(self._answers)},
        }
        return {FACT: told}
