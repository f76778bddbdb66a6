"""Hypotheses that exist already, in the place of those of a model that runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapters.provided.hypotheses import Hypothesis, HypothesisFile
from evals.models.provided import Matched, Targets, match
from evals.records.measurement import Figure
from evals.records.predictions import Prediction, PredictionFile
from evals.tasks.provided import FACT, missing, unobserved
from fixtures.audio.read import SAMPLE_RATE, AudioError
from fixtures.corpora.corpus import Corpus, Utterance

#: What an utterance lacks that the file has nothing for.
NOUN = "hypothesis"


class ProvidedRecognizer:
    """A file in place of a model. Nothing here passes through a clock."""

    def __init__(self, file: HypothesisFile, corpus: Corpus) -> None:
        """corpus: the whole, also where only a part of it is asked for. Raises ProvidedError."""
        self._file = file
        self._matched: Matched = match(file, Targets(corpus, corpus.manifest.parent))

    def predict(
        self, corpus: Corpus, file: PredictionFile, *, advance: Callable[[], None], contended: bool
    ) -> None:
        """As for `Recognizer`; an utterance that the file does not have is one with an error."""
        for utterance in corpus:
            if utterance.id not in file:
                file.append(_prediction(utterance, self._matched.answers.get(utterance.id)))
            advance()

    def observed(self) -> Mapping[str, Figure]:
        """That nothing was."""
        return unobserved()

    @property
    def languages(self) -> Sequence[str] | None:
        return None  # nobody can tell

    @property
    def facts(self) -> Mapping[str, Any]:
        """Which file, what it is and how its hypotheses were found, as JSON."""
        told = {
            "file": str(self._file.path),
            "sha256": self._file.sha256,
            "format": self._file.format,
            "matched_by": dict(sorted(self._matched.by.items())),
            "words_outside": self._matched.outside,
        }
        return {FACT: told}


def _prediction(utterance: Utterance, found: Hypothesis | None) -> Prediction:
    seconds = _seconds(utterance, found)
    return Prediction(
        id=utterance.id,
        reference=utterance.text,
        hypothesis=found.text if found else "",
        audio_seconds=seconds,
        processing_seconds=_processing(found, seconds) if found and not found.error else None,
        error=found.error if found else missing(NOUN),
        speaker=utterance.speaker,
        category=utterance.category,
        metadata=dict(utterance.metadata),
        audio=str(utterance.path) if utterance.sound else None,
        offset=utterance.offset,
        index=utterance.index,
        lang=utterance.lang,
        alternatives=list(utterance.alternatives),
    )


def _seconds(utterance: Utterance, found: Hypothesis | None) -> float | None:
    """How long the utterance is: by the manifest, by the file of answers, or by its sound."""
    if utterance.duration is not None:
        return utterance.duration
    if found is not None and found.audio_seconds is not None:
        return found.audio_seconds
    if not utterance.sound:
        return None
    try:
        return len(utterance.load()) / SAMPLE_RATE
    except AudioError:
        return None


def _processing(found: Hypothesis, seconds: float | None) -> float | None:
    """The seconds that its model took, as the file says them."""
    if found.processing_seconds is not None or found.rtf is None or seconds is None:
        return found.processing_seconds
    return found.rtf * seconds
