"""Engines and weights that a test needs: skipped where they are not installed, unless all must be."""

from __future__ import annotations

import os

import pytest

from adapters.catalog import packages
from adapters.catalog.engine import EngineRef


def need(engine: str) -> None:
    """Skip the test where the engine is not installed; fail it where .ci/run installed all."""
    _require(EngineRef(engine).missing())


def need_package(checkpoint: str) -> None:
    """The same for weights inside a package."""
    _require(packages.missing([checkpoint]))


def _require(missing: str | None) -> None:
    if missing is None:
        return
    if os.environ.get("MODEL_LAB_ALL_EXTRAS"):
        pytest.fail(missing)
    pytest.skip(missing)
