"""Fixtures of the tests of openai_whisper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.engines.openai_whisper import OpenAIWhisper
from adapters.interface import LoadSpec
from fixtures.micro_whisper import expand
from tests.adapters.engines.openai_whisper.shared import Load
from tests.contract.installed import need


@pytest.fixture(autouse=True, scope="module")
def installed() -> None:
    need("openai_whisper")


@pytest.fixture(scope="module")
def checkpoint(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return expand("openai", tmp_path_factory.mktemp("micro"))


@pytest.fixture(scope="module")
def load(checkpoint: Path) -> Load:
    def load(seed: int = 0, **options: Any) -> OpenAIWhisper:
        adapter = OpenAIWhisper()
        options = {"language": "en", "max_new_tokens": 60, "without_timestamps": True, **options}
        adapter.load(LoadSpec(str(checkpoint), seed=seed, options=options))
        return adapter

    return load
