"""Which errors are shown where there are too many: a fixed rule, the same for each rendering."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def shares(wanted: Sequence[int], most: int) -> list[int]:
    """How many of each group's may be shown, `most` in all.

    What a small group leaves is shared by the others, so that all groups are shown alike.
    """
    given = [0] * len(wanted)
    left = most
    waiting = sorted(range(len(wanted)), key=lambda i: wanted[i])
    for place, group in enumerate(waiting):
        given[group] = min(wanted[group], left // (len(waiting) - place))
        left -= given[group]
    return given


def sample(ids: Sequence[str], errors: Sequence[int], most: int, *, seed: int = 0) -> list[int]:
    """The places of those that are shown, the worst first.

    All where there are no more than `most`. Else the half with the most errors, and of the others
    those whose ids have the lowest SHA-256 under the seed: the same utterances for each model.
    """
    ranked = sorted(range(len(ids)), key=lambda i: -errors[i])
    if len(ranked) <= most:
        return ranked
    worst, rest = ranked[: (most + 1) // 2], ranked[(most + 1) // 2 :]
    drawn = sorted(rest, key=lambda i: hashlib.sha256(f"{seed}\0{ids[i]}".encode()).digest())
    kept = set(drawn[: most - len(worst)])
    return worst + [i for i in rest if i in kept]
