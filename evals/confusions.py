"""The words that a model gets wrong most often, and as what."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from evals.alignment import Aligned


@dataclass(frozen=True, slots=True)
class Confusion:
    """reference None: an insertion; hypothesis None: a deletion."""

    reference: str | None
    hypothesis: str | None
    count: int


def confusions(aligned: Aligned, most: int = 20) -> list[Confusion]:
    """The `most` frequent word errors, the commonest first, then by the words themselves."""
    counter: Counter[tuple[str | None, str | None]] = Counter()
    for index, row in enumerate(aligned.words):
        if row[1:].any():
            counter.update(
                (e.reference, e.hypothesis) for e in aligned.edits(index) if not e.is_hit
            )
    ranked = sorted(counter.items(), key=lambda kv: (-kv[1], kv[0][0] or "", kv[0][1] or ""))
    return [Confusion(said, heard, count) for (said, heard), count in ranked[:most]]
