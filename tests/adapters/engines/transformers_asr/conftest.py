"""Fixtures of the tests of transformers_asr."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from adapters.interface import Samples
from evals.models.corpus_synthesizer import synthesizer
from fixtures.builtin.synthesize import builtin_corpus
from fixtures.micro_whisper import expand
from tests.adapters.engines.transformers_asr.shared import RATE
from tests.contract.installed import need
from tests.support import tiny_transformers


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    need("transformers_asr")


@pytest.fixture(scope="module", autouse=True)
def _offline() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="module")
def commands() -> list[Samples]:
    corpus = builtin_corpus("voice-commands", synthesizer)
    return [utterance.load() for utterance in list(corpus)[:12]]


@pytest.fixture(scope="module")
def clip(commands: list[Samples]) -> Samples:
    return commands[0]  # turn the bathroom lights white


@pytest.fixture(scope="module")
def speech(commands: list[Samples]) -> Samples:
    """40 s: the commands with half a second between them. Too much for the micro Whisper."""
    gap = np.zeros(RATE // 2, np.float32)
    return np.concatenate([part for sound in commands for part in (sound, gap)])


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return expand("transformers", tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="module")
def wav2vec2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_transformers.wav2vec2(tmp_path_factory.mktemp("wav2vec2"))


@pytest.fixture(scope="module")
def parakeet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_transformers.parakeet(tmp_path_factory.mktemp("parakeet"))


@pytest.fixture(scope="module")
def moonshine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_transformers.moonshine(tmp_path_factory.mktemp("moonshine"))
