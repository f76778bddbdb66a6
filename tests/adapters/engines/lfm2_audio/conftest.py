"""Fixtures of the tests of lfm2_audio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.engines.lfm2_audio.adapter import Lfm2Audio
from tests.adapters.engines.lfm2_audio.shared import Recorded, loaded_from
from tests.contract.installed import need
from tests.support import lfm_checkpoint


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("lfm2_audio")
    return lfm_checkpoint.make(tmp_path_factory.mktemp("lfm") / "checkpoint")


@pytest.fixture(scope="module")
def adapter(folder: Path) -> Iterator[Lfm2Audio]:
    """One for all tests that change nothing but its settings."""
    adapter = loaded_from(folder)
    yield adapter
    adapter.close()


@pytest.fixture
def setting(adapter: Lfm2Audio, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Other options for a loaded model, for one test; `seed` too."""

    def change(**options: Any) -> None:
        if "seed" in options:
            monkeypatch.setattr(adapter, "_seed", options.pop("seed"))
        monkeypatch.setattr(adapter, "_settings", {**adapter._settings, **options})

    return change


@pytest.fixture
def recorded(adapter: Lfm2Audio, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    return Recorded(adapter, monkeypatch)
