"""The voice of the corpora that are synthesized on first use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapters.catalog.engine import resolve_engine
from adapters.interface import LoadSpec
from adapters.worker.client import ModelProcess
from adapters.worker.results import WorkerError
from evals.models.loaded import Settings, interpreter
from fixtures.builtin.synthesize import Speak, Voice
from fixtures.corpora.corpus import CorpusError


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
