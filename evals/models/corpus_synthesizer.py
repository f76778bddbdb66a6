"""The voices of what is synthesized on first use: corpora, and what users say in dialogues."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapters.catalog.engine import resolve_engine
from adapters.catalog.model import Model
from adapters.interface import LoadSpec
from adapters.worker.client import ModelProcess
from adapters.worker.results import WorkerError
from evals.models.loaded import Settings, interpreter, running
from fixtures.builtin.synthesize import Speak, Voice
from fixtures.corpora.corpus import CorpusError
from fixtures.safe_text import shown


@contextmanager
def synthesizer(settings: Settings | None = None) -> Iterator[Speak]:
    """espeak in a process of its own, for the corpora that are synthesized on first use."""
    engine = resolve_engine("espeak", Path())
    process: ModelProcess | None = None
    try:
        python = interpreter(engine, settings or Settings())
        process = ModelProcess(engine, LoadSpec("builtin"), python=python)
        process.load()
        loaded = process

        def speak(text: str, voice: Voice) -> tuple[NDArray[np.float32], int]:
            audio = loaded.synthesize(text, voice).result.audio
            return audio.samples, audio.sample_rate

        yield speak
    except WorkerError as error:
        raise CorpusError(f"the built-in corpora are synthesized, and: {error}") from None
    finally:
        if process is not None:
            process.close()


@contextmanager
def catalogued(entry: Model, settings: Settings, log: Path) -> Iterator[Speak]:
    """A voice of the catalogue in its own process, which speaks with the options of its entry.

    log: where the process's output goes. Raises CorpusError where it cannot be loaded, or says
    nothing.
    """
    try:
        with running(entry, settings, log) as model:

            def speak(text: str, voice: Voice) -> tuple[NDArray[np.float32], int]:
                audio = model.synthesize(text).result.audio
                samples = np.asarray(audio.samples, np.float32)
                if not np.isfinite(samples).all() or not samples.any():
                    raise CorpusError(
                        f"the user's voice {entry.name} makes no sound of {shown(text)}: choose "
                        "another --user-voice"
                    )
                return samples, audio.sample_rate

            yield speak
    except WorkerError as error:
        raise CorpusError(f"the user's voice {entry.name}: {error}") from None
