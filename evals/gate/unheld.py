"""Rules of thresholds.yaml for a corpus that nothing has: a mistyped name would hold nothing."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence

from evals.gate.limit_files import LimitFiles
from evals.gate.thresholds import ANY_CORPUS


def unheld(limits: LimitFiles, corpora: Collection[str], *, short: bool = False) -> Sequence[str]:
    """A line for each rule, with its file, line and key and the nearest corpus there is.

    corpora: the names that there are, those of the session and those that come with Model Lab.
    short: the lines name the file without its folders.
    """
    thresholds = limits.thresholds
    keys: list[tuple[str, ...]] = [
        ("models", model, corpus)
        for model, rules in thresholds.models.items()
        for corpus in rules
        if corpus != ANY_CORPUS
    ]
    keys += [("corpora", corpus) for corpus in thresholds.corpora]
    return [
        _said(key, limits.place(key, short=short), corpora)
        for key in keys
        if key[-1] not in corpora
    ]


def _said(key: tuple[str, ...], place: str, corpora: Collection[str]) -> str:
    close = difflib.get_close_matches(key[-1], sorted(corpora), n=1)
    hint = f" (the nearest is {close[0]})" if close else ""
    why = "no corpus of that name is in this session, so it holds nothing"
    return f"{place}: {'.'.join(key)}: {why}{hint}"
