"""Rules of thresholds.yaml for a corpus that nothing has: a mistyped name would hold nothing."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from pathlib import Path

from adapters.catalog import yaml_file
from evals.gate.thresholds import ANY_CORPUS, Thresholds


def unheld(
    thresholds: Thresholds, file: Path, corpora: Collection[str], *, called: str | None = None
) -> Sequence[str]:
    """A line for each rule, with its file, line and key and the nearest corpus there is.

    corpora: the names that there are, those of the session and those that come with Model Lab.
    called: what the lines call the file; None is its path.
    """
    keys: list[tuple[str, ...]] = [
        ("models", model, corpus)
        for model, rules in thresholds.models.items()
        for corpus in rules
        if corpus != ANY_CORPUS
    ]
    keys += [("corpora", corpus) for corpus in thresholds.corpora]
    return [
        _said(key, file, corpora, called or str(file)) for key in keys if key[-1] not in corpora
    ]


def _said(key: tuple[str, ...], file: Path, corpora: Collection[str], called: str) -> str:
    close = difflib.get_close_matches(key[-1], sorted(corpora), n=1)
    hint = f" (the nearest is {close[0]})" if close else ""
    place = f"{called}:{yaml_file.line_of(file, key)}: {'.'.join(key)}"
    return f"{place}: no corpus of that name is in this session, so it holds nothing{hint}"
