"""Where a corpus is recognized: by a model on this machine, or by replicas of it on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from adapters.catalog.model import Model
from adapters.interface import Audio
from evals.models.loaded import LoadedModel, Settings
from evals.models.transcribe import transcribe_corpus
from evals.records.measurement import Figure
from evals.records.predictions import PredictionFile
from fixtures.corpora.corpus import Corpus


class Recognizer(Protocol):
    """What the asr task asks for predictions."""

    def predict(
        self, corpus: Corpus, file: PredictionFile, *, advance: Callable[[], None], contended: bool
    ) -> None:
        """One prediction for each utterance that `file` has none of, appended as made."""

    def observed(self) -> Mapping[str, Figure]:
        """Cold times and peaks of memory since `predict` began."""

    @property
    def languages(self) -> Sequence[str] | None:
        """The codes of the languages that it recognizes, None where nobody can tell."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What else is kept of the case, as JSON."""


class LocalRecognizer:
    """A model that is loaded and warm on this machine."""

    def __init__(self, model: LoadedModel) -> None:
        self._model = model

    def predict(
        self, corpus: Corpus, file: PredictionFile, *, advance: Callable[[], None], contended: bool
    ) -> None:
        self._model.start_peak()
        transcribe_corpus(self._model, corpus, file, contended=contended, advance=advance)

    def observed(self) -> Mapping[str, Figure]:
        return {**self._model.cold_figures(), **self._model.memory_figures()}

    @property
    def languages(self) -> Sequence[str] | None:
        return self._model.languages

    @property
    def facts(self) -> Mapping[str, Any]:
        return {}


class RayRecognizer:
    """Replicas of a model on a Ray cluster.

    fetched: of a corpus from elsewhere, what it was asked for as, and the folder it is in here.
    told: takes what the first replica tells of itself, for user_properties.
    """

    def __init__(
        self,
        entry: Model,
        settings: Settings,
        clip: Audio,
        logs: Path,
        *,
        address: str | None,
        replicas: int | None,
        fetched: tuple[str, Path] | None,
        told: Callable[[tuple[str, str]], None],
    ) -> None:
        self._entry = entry
        self._settings = settings
        self._clip = clip
        self._logs = logs
        self._address = address
        self._replicas = replicas
        self._fetched = fetched
        self._told = told
        self._figures: Mapping[str, Figure] = {}

    def predict(
        self, corpus: Corpus, file: PredictionFile, *, advance: Callable[[], None], contended: bool
    ) -> None:
        """As for `Recognizer`. Raises ClusterError, and WorkerError where no replica can load."""
        from evals.cluster.executor import transcribe_on_ray

        if file.begun:
            for utterance in corpus:
                if utterance.id in file:
                    advance()
        report = transcribe_on_ray(
            self._entry,
            self._settings,
            (utterance for utterance in corpus if utterance.id not in file),
            self._clip,
            file.append,
            logs=self._logs,
            address=self._address,
            replicas=self._replicas,
            fetched=self._fetched,
            contended=contended,
            advance=advance,
            loaded=self._told,
        )
        self._figures = report.figures

    def observed(self) -> Mapping[str, Figure]:
        if self._figures:
            return self._figures
        nothing = Figure(None, 0, reason="nothing was left to do when the run was resumed")
        return {"load_time": nothing, "first_inference": nothing, "peak_memory": nothing}

    @property
    def languages(self) -> Sequence[str] | None:
        return None  # replicas do not tell

    @property
    def facts(self) -> Mapping[str, Any]:
        return {}
