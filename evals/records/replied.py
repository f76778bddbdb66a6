"""What an assistant answered to one turn of the user, and what recognizers heard of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evals.records.spoken import Spoken


@dataclass(frozen=True, slots=True)
class Replied:
    """One line of `runs/<run>/<model>/chat/<corpus>.jsonl`.

    id: of the dialogue and the turn (from 1). user: what the user says. typed: it was given as
    text, without a sound; such a turn tells what an assistant does that mishears nothing.
    answer: raw text. understood: the words that the assistant went by, where it has them.
    audio: the file of the spoken answer, relative to the run's folder. processing_seconds: the
    engine's call alone; waited_seconds: of these, without a CPU that others held.
    first_token_seconds, first_audio_seconds: until the first text to show, and audio to play.
    user_heard: the name of each judge to what it heard of the user's turn, where it was spoken.
    heard: the name of each judge to what it heard of the spoken answer; unheard: why it did not.
    heard_second: as in `Spoken`.
    index, attempts: as in `Prediction`.
    """

    id: str
    dialogue: str
    turn: int
    user: str
    typed: bool
    answer: str
    audio: str | None = None
    audio_seconds: float | None = None
    sample_rate: int | None = None
    processing_seconds: float | None = None
    error: str | None = None
    category: str | None = None
    lang: str | None = None
    contended: bool = False
    waited_seconds: float | None = None
    first_token_seconds: float | None = None
    first_audio_seconds: float | None = None
    understood: str | None = None
    heard: Mapping[str, str] = field(default_factory=dict)
    unheard: Mapping[str, str] = field(default_factory=dict)
    user_heard: Mapping[str, str] = field(default_factory=dict)
    heard_second: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    index: int | None = None
    attempts: int = 1

    def as_spoken(self) -> Spoken:
        """The answer as a sentence that a voice was to say."""
        return Spoken(
            id=self.id,
            text=self.answer,
            audio=self.audio,
            audio_seconds=self.audio_seconds,
            sample_rate=self.sample_rate,
            processing_seconds=self.processing_seconds,
            error=self.error,
            category=self.category,
            lang=self.lang,
            contended=self.contended,
            waited_seconds=self.waited_seconds,
            first_audio_seconds=self.first_audio_seconds,
            heard=self.heard,
            unheard=self.unheard,
            heard_second=self.heard_second,
        )
