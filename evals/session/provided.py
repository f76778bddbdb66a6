"""Models whose answers exist already: checked before anything runs, and told of themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from adapters.catalog.model import Model
from adapters.plugin import MODELS
from adapters.provided.hypotheses import read_hypotheses
from adapters.provided.rows import ProvidedError
from adapters.provided.speech import read_speech
from adapters.provided.turns import read_transcript
from evals.models.loaded import MODEL_PROPERTY
from evals.models.provided import Targets, provided_sha256, refuse_unmatched
from evals.task import Task
from evals.tasks.chat.provided import refuse_transcript
from evals.tasks.tts.provided import refuse_speech
from fixtures.builtin.synthesize import builtin_ids
from fixtures.corpora.corpus import Corpus
from fixtures.corpora.sentences import Sentences, builtin_sentences
from fixtures.dialogues.dialogues import Dialogues
from fixtures.dialogues.files import builtin_dialogues
from fixtures.plugin import sources
from fixtures.source import CorpusSource


@dataclass(frozen=True, slots=True)
class _Named:
    """An utterance of a built-in corpus, which need not have been spoken yet."""

    id: str
    path: Path = field(default_factory=Path)
    offset: float | None = None
    duration: float | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)


def listens(config: pytest.Config) -> bool:
    """Whether any model of the session hears the corpora, so that their sound has to be there."""
    models = config.stash[MODELS]
    return not models or any(not model.is_provided for model in models)


def pytest_model_lab_listens(config: pytest.Config) -> bool:
    return listens(config)


@pytest.hookimpl(trylast=True)  # after the models and the corpora are known
def pytest_configure(config: pytest.Config) -> None:
    """Refuse what is wrong in a file of answers before any model is loaded."""
    for model in config.stash[MODELS]:
        if not model.is_provided:
            continue
        try:
            _refuse_wrong(model, config)
        except ProvidedError as error:
            raise pytest.UsageError(f"--model {model.requested or model.name}:\n{error}") from None


def _refuse_wrong(model: Model, config: pytest.Config) -> None:
    """Raise ProvidedError for what no corpus of the model's task has."""
    path = Path(model.checkpoint)
    for task in model.tasks:
        found = sources(config, task)
        if task == "asr":
            refuse_unmatched(read_hypotheses(path), [_targets(source) for source in found])
        elif task == "tts":
            refuse_speech(read_speech(path), [[*_targets(source).places] for source in found])
        else:
            held = [_dialogues(source) for source in found]
            refuse_transcript(read_transcript(path), held)


def _dialogues(source: CorpusSource) -> Dialogues:
    found = source.manifest
    return found if isinstance(found, Dialogues) else builtin_dialogues(source.name)


def _targets(source: CorpusSource) -> Targets:
    """What the hypotheses for a corpus may call its utterances."""
    found = source.manifest
    if isinstance(found, Corpus):
        return Targets(found, found.manifest.parent)
    if found is None and source.name in builtin_ids():
        return Targets(_Named(name) for name in builtin_ids()[source.name])
    rows = found if isinstance(found, Sentences) else builtin_sentences()
    return Targets(_Named(row.id) for row in rows)


def cannot_run(model: Model, task: Task) -> str | None:
    """Why a task has nothing to measure of a model whose answers exist already; None: it has."""
    if not model.is_provided or task.name in model.tasks:
        return None
    return f"its predictions were made elsewhere, and {task.name} asks a model that runs"


def as_property(model: Model) -> tuple[str, str]:
    """For user_properties, as `LoadedModel.as_property` of a model that was loaded."""
    row: dict[str, Any] = {
        "name": model.name,
        "device": None,
        "device_name": None,
        "device_note": None,
        "revision": model.revision,
        "checkpoint_sha256": provided_sha256(model),
        "parts": {},
        "environment": None,
        "modules": {},
    }
    return MODEL_PROPERTY, json.dumps(row)
