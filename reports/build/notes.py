"""What to know of a session that changes no verdict: limits that held nothing."""

from __future__ import annotations

from collections.abc import Collection

from evals.gate.limit_files import LimitFiles
from evals.gate.unheld import unheld
from fixtures.builtin.synthesize import CLIP
from fixtures.source import known_names


def notes(limits: LimitFiles, corpora: Collection[str]) -> list[str]:
    """A line for each rule of a corpus that there is not.

    corpora: those of the session; the ones that come with Model Lab are known beside them. A run
    that is scored again elsewhere says the same, so that the file goes by its name alone.
    """
    return list(unheld(limits, {*corpora, *known_names(), CLIP}, short=True))
