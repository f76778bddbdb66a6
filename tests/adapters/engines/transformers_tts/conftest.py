"""Fixtures of the tests of transformers_tts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.installed import need
from tests.support import tiny_tts


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    need("transformers_tts")


@pytest.fixture(scope="module", autouse=True)
def _offline() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="module")
def vits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_tts.vits(tmp_path_factory.mktemp("vits"))


@pytest.fixture(scope="module")
def speecht5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_tts.speecht5(tmp_path_factory.mktemp("speecht5"))


@pytest.fixture(scope="module")
def bark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_tts.bark(tmp_path_factory.mktemp("bark"))


@pytest.fixture(params=["vits", "speecht5", "bark"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(kind: str, request: pytest.FixtureRequest) -> Path:
    made: Path = request.getfixturevalue(kind)
    return made
