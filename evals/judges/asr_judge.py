"""Speech recognizers that listen to what voices say, to tell whether it can be understood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.engines.shared.languages import AUTO, ROW
from adapters.interface import Audio
from adapters.worker.results import WorkerError
from evals.judges.scripts import can_write
from evals.models.loaded import LoadedModel
from fixtures.audio.read import SAMPLE_RATE, Samples
from fixtures.corpora.sentences import Sentence


@dataclass(frozen=True)
class Judge:
    """A recognizer of the catalogue, loaded and warm, or why it cannot be had.

    clip: what it was warmed up on, and is again where it died.
    """

    name: str
    model: LoadedModel | None
    vocabulary: str | None = None
    language: str | None = None
    missing: str | None = None

    def understands(self, sentence: Sentence) -> bool:
        """Whether what it hears of the sentence says something about the voice.

        A recognizer that knows nothing but some commands, one language, or its letters, would
        blame the voice for what it does not know itself.
        """
        return (
            bool(sentence.text.strip())
            and (self.vocabulary is None or sentence.metadata.get("vocabulary") == self.vocabulary)
            and self.speaks(sentence.lang)
            and self.writes(sentence.text)
        )

    def speaks(self, language: str | None) -> bool:
        """Whether it knows the language, such as "de-AT"; None is English.

        One that is told which language to hear knows no other; else those of its checkpoint.
        """
        code = (language or "en").lower().split("-")[0]
        known = self._languages()
        return known is None or code in known

    def writes(self, text: str) -> bool:
        """Whether all letters of a text are of its languages' scripts."""
        known = self._languages()
        return known is None or can_write(text, known)

    def _languages(self) -> Sequence[str] | None:
        """The codes of the languages that it knows, None where nobody can tell."""
        if self.language is not None and self.language not in (AUTO, ROW):
            return [self.language]
        return self.model.languages if self.model is not None else None

    def hear(self, samples: Samples, language: str | None = None) -> str:
        """The raw text of 16 kHz speech in a language. Raises WorkerError."""
        if self.model is None:
            raise WorkerError("refused", self.missing or "there is no such judge")
        if not self.model.alive:
            self.model.restart()
        return self.model.transcribe(Audio(samples, SAMPLE_RATE, language)).result.text
