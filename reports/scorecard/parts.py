"""Parts of a scorecard: their common form, and what a session ran on."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """A part of a file: closed, and without NaN."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class UserVoice(Part):
    """The voice that speaks the turns of users that have no recording."""

    name: str
    engine: str
    engine_sha256: str | None = Field(description="of an engine outside the repo")
    checkpoint: str
    revision: str | None
    checkpoint_sha256: str | None = None
    options: dict[str, Any]
    device: str
    threads: int
    seed: int
    packages: dict[str, str] = Field(description="of its engine, with versions")
    sound_sha256: str = Field(description="of all turns of the users, recordings included")


class CorpusRecord(Part):
    """A corpus that was evaluated on."""

    name: str
    content_hash: str = Field(description="SHA-256 of its rows and audio")
    utterances: int
    audio_seconds: float | None = Field(
        description="null where neither rows nor sound tell, and no model heard it"
    )
    language: str
    requested: str | None = Field(
        default=None, description="as --corpus named it; null where the task chose it"
    )
    sampled_from: int | None = Field(
        default=None, description="how many rows the corpus has of which --limit drew a sample"
    )
    has_sound: bool = Field(
        default=True,
        description="false where sound was not there, and predictions alone were scored; it then "
        "does not count in the hash",
    )
    user_voice: UserVoice | None = Field(
        default=None,
        description="of conversations, what --user-voice named; null: espeak-ng, recordings alone, "
        "or nobody speaks",
    )


class NonSpeechText(Part):
    """A text that a model writes of sound without speech."""

    text: str = Field(description="raw as it was first written, cut where it is long")
    words: int
    count: int = Field(description="of clips that it was written of")
    clips: list[str] = Field(description="the first of these")


class NonSpeechTexts(Part):
    """What a model writes of sound without speech, and of which clips."""

    model: str
    corpus: str
    clips: int = Field(description="of non-speech that were answered")
    words: int = Field(description="in all of them")
    with_words: int = Field(description="clips with a word")
    heard_in: list[str] = Field(description="the ids of these")
    total: int = Field(description="how many texts there are")
    rows: list[NonSpeechText] = Field(description="the commonest of them, the first first")
