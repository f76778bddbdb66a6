"""Which package brings a module: the same as the standard library finds, sooner."""

from __future__ import annotations

import importlib.metadata

import pytest

from adapters.catalog.catalog import Catalog
from adapters.worker.installed import versions_of

MODULES = sorted(
    {m for model in Catalog().models.values() for m in model.engine.adapter().modules}
    | {"numpy", "yaml", "soundfile", "_pytest", "surely_not_there", "num", "py"}
)
OWNERS = importlib.metadata.packages_distributions()


@pytest.mark.parametrize("module", MODULES)
def test_it_is_what_the_standard_library_says(module: str) -> None:
    names = {importlib.metadata.metadata(name)["Name"] for name in OWNERS.get(module, ())}
    assert versions_of([module]) == {name: importlib.metadata.version(name) for name in names}


def test_of_every_module_at_once() -> None:
    """Nothing is left out of any package, but for modules of C alone, which no engine names."""
    names = {name for module in MODULES for name in OWNERS.get(module, ())}
    assert {*versions_of(MODULES)} == {importlib.metadata.metadata(n)["Name"] for n in names}
    assert versions_of([]) == {}
