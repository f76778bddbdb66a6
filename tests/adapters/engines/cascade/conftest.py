"""Fixtures of the tests of cascade."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.engines.cascade.adapter import Cascade
from adapters.interface import LoadSpec


@pytest.fixture
def cascade() -> Any:
    adapter: Any = Cascade()
    adapter.load(LoadSpec("builtin"))
    return adapter
