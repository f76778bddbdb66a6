"""Fixtures of the tests of openai_api."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from adapters.worker.client import ModelProcess
from tests.adapters.engines.openai_api.shared import (
    VARIABLE,
    Start,
    model,
)
from tests.contract.installed import need
from tests.support.openai_server import OpenAIServer


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    need("openai_api")


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    """A key of its own for each test, in the environment; and no proxies there."""
    key = "sk-" + secrets.token_urlsafe(30)
    monkeypatch.setenv(VARIABLE, key)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name.upper()}_PROXY", raising=False)
    return key


@pytest.fixture
def server(key: str) -> Iterator[OpenAIServer]:
    with OpenAIServer(key=key) as server:
        yield server


@pytest.fixture
def start(server: OpenAIServer) -> Iterator[Start]:
    """Loads a model with those options; closed after the test."""
    running: list[ModelProcess] = []

    def start(**options: Any) -> ModelProcess:
        running.append(model(server, **options))
        running[-1].load()
        return running[-1]

    yield start
    for process in running:
        process.close()
