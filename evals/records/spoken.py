"""What a voice made of one sentence, and what recognizers heard of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Spoken:
    """One line of `runs/<run>/<model>/tts/<corpus>.jsonl`.

    text: what was to be said. audio: the file of what was said, relative to the run's folder; None
    where there is none, and `error` says why. audio_seconds, sample_rate: of that file.
    processing_seconds: the engine's call alone. waited_seconds: of these, without a CPU that
    others held; None where the system does not tell. first_audio_seconds: until the first piece
    that can be played; None where the engine does not stream.
    heard: the name of each judge to what it heard, raw. heard_recording: the same of the person's
    recording. unheard: judges that should have heard and did not, and why.
    heard_second: the name of each other voice that was asked to say it, since it was misheard, to
    what each judge heard of that.
    joules, energy_method, index, attempts: as in `Prediction`.
    """

    id: str
    text: str
    audio: str | None
    audio_seconds: float | None
    sample_rate: int | None
    processing_seconds: float | None
    error: str | None = None
    category: str | None = None
    lang: str | None = None
    contended: bool = False
    waited_seconds: float | None = None
    first_audio_seconds: float | None = None
    heard: Mapping[str, str] = field(default_factory=dict)
    heard_recording: Mapping[str, str] = field(default_factory=dict)
    unheard: Mapping[str, str] = field(default_factory=dict)
    heard_second: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    joules: float | None = None
    energy_method: str | None = None
    index: int | None = None
    attempts: int = 1
