"""What the tests of openai_api share."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from adapters.catalog.engine import EngineRef
from adapters.interface import Audio, LoadSpec, Turn
from adapters.worker.client import ModelProcess
from adapters.worker.results import Timed, WorkerError
from tests.support.openai_server import OpenAIServer
from tests.support.toy_engine import samples_of

VARIABLE = "MODEL_LAB_TEST_KEY"
TEXT = "turn on the light in the hall"
ASR, TTS, CHAT, MODELS = "/audio/transcriptions", "/audio/speech", "/chat/completions", "/models"
Start = Callable[..., ModelProcess]


def model(
    server: OpenAIServer, seed: int = 0, checkpoint: str = "toy", **options: Any
) -> ModelProcess:
    """The adapter in a worker of this process, not loaded yet."""
    common = {"base_url": server.base_url, "api_key_env": VARIABLE, "retries": 0}
    spec = LoadSpec(checkpoint, seed=seed, options={**common, **options})
    return ModelProcess(EngineRef("openai_api"), spec, isolated=False)


def sound(text: str = TEXT) -> Audio:
    return Audio(samples_of(text).astype(np.float32) / np.float32(32768), 16_000)


def ask(process: ModelProcess, path: str) -> Timed[Any]:
    if path == ASR:
        return process.transcribe(sound())
    if path == TTS:
        return process.synthesize(TEXT)
    return process.reply([Turn("user", TEXT)])


def refused(process: ModelProcess, path: str, key: str) -> str:
    """The error of one answer (of loading, for MODELS): one line, without the key."""
    with pytest.raises(WorkerError) as caught:
        process.load() if path == MODELS else ask(process, path)
    said = str(caught.value)
    assert caught.value.kind == "refused", said
    assert "\n" not in said
    assert len(said) < 700
    assert key not in "".join(traceback.format_exception(caught.value))
    assert key[:12] not in said
    return said


def adapter_of(process: ModelProcess) -> Any:
    return process._transport._worker._adapter  # type: ignore[union-attr]
