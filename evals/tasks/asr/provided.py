"""Hypotheses that exist already, in the place of those of a model that runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapters.provided.hypotheses import Hypothesis, HypothesisFile
from evals.gate.evaluation import Evaluation
from evals.measures.run_conditions import NO_TIMES
from evals.models.provided import Matched, Targets, match
from evals.records.measurement import Figure
from evals.records.predictions import Prediction, PredictionFile
from evals.run.case_store import Stored
from fixtures.audio.read import SAMPLE_RATE, AudioError
from fixtures.corpora.corpus import Corpus, Utterance

#: The error of an utterance that the file has nothing for.
MISSING = "no hypothesis was provided"
#: The fact of a case, and the name of the note, that its answers were provided.
FACT = "provided"
NOTE = "model_lab.provided"
_SHOWN = 3


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
        """That nothing was: the file knows no model's start and memory."""
        nothing = Figure(None, 0, reason=NO_TIMES)
        return {"load_time": nothing, "first_inference": nothing, "peak_memory": nothing}

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


def note_missing(evaluation: Evaluation, stored: Stored) -> None:
    """Say how many utterances the file has nothing for, and which are the first."""
    provided = stored.facts.get(FACT)
    if not isinstance(provided, Mapping):
        return
    lines = list(stored.read(Prediction))
    missing = [line.id for line in lines if line.error == MISSING]
    case = evaluation.case
    told = []
    if missing:
        more = ", ..." if len(missing) > _SHOWN else ""
        told.append(
            f"{case.model}: {provided['file']} has no hypothesis for {len(missing):,} of "
            f"{len(lines):,} utterances of {case.corpus} ({', '.join(missing[:_SHOWN])}{more}): "
            "all their words count as deleted"
        )
    if outside := provided.get("words_outside"):
        told.append(
            f"{case.model}: {outside:,} words of {provided['file']} lie in no utterance of "
            f"{case.corpus}, and count nowhere"
        )
    if told:
        evaluation.attach(NOTE, told)


def _prediction(utterance: Utterance, found: Hypothesis | None) -> Prediction:
    seconds = _seconds(utterance, found)
    return Prediction(
        id=utterance.id,
        reference=utterance.text,
        hypothesis=found.text if found else "",
        audio_seconds=seconds,
        processing_seconds=_processing(found, seconds) if found and not found.error else None,
        error=found.error if found else MISSING,
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
