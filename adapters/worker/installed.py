"""Which installed packages bring a module, and their versions."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Mapping
from functools import cache


def versions_of(modules: Iterable[str]) -> Mapping[str, str]:
    """Version by package, of the packages that bring modules of these names.

    They are those of `importlib.metadata.packages_distributions`, which parses the list of files
    of every package: a second where two hundred are installed, and every model's process asks.
    """
    wanted = frozenset(modules)
    return dict(sorted(_found(wanted))) if wanted else {}


@cache
def _found(modules: frozenset[str]) -> list[tuple[str, str]]:
    return [
        (package.metadata["Name"], package.version)
        for package in importlib.metadata.distributions()
        if _brings(package, modules)
    ]


def _brings(package: importlib.metadata.Distribution, modules: frozenset[str]) -> bool:
    """By its own word, or by its list of files, in which a line begins with a path."""
    if declared := (package.read_text("top_level.txt") or "").split():
        return not modules.isdisjoint(declared)
    files = "\n" + (package.read_text("RECORD") or "")
    return any(f"\n{module}/" in files or f"\n{module}." in files for module in modules)
