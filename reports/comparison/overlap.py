"""Why a paired difference may say other than the two runs' own intervals do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from reports.comparison.result import Change

_SHOWN = (
    "they are of the same utterances: what is hard for both runs widens either interval and "
    "cancels in the difference"
)
_NOT_SHOWN = (
    "the difference comes from few of the utterances or speakers, or varies among them by as much "
    "as it is, so that others may not show it"
)


def explanations(changes: Sequence[Change]) -> Iterator[str]:
    """A sentence for each change that the two runs' own intervals seem to contradict."""
    for of, group in groupby(changes, key=lambda change: change.of):
        rows = [c for c in group if c.before_ci is not None and c.after_ci is not None]
        shown = [c.metric for c in rows if c.direction in ("worse", "better") and _overlap(c)]
        if shown:
            yield f"{of}: the runs' own intervals of {_listed(shown)} overlap, and the paired " + (
                f"difference is shown all the same: {_SHOWN}"
            )
        unclear = [c.metric for c in rows if c.direction == "unclear" and not _overlap(c)]
        if unclear:
            yield (
                f"{of}: the runs' own intervals of {_listed(unclear)} do not overlap, and the "
                + (f"paired difference is not shown all the same: {_NOT_SHOWN}")
            )


def _overlap(change: Change) -> bool:
    before, after = change.before_ci, change.after_ci
    assert before is not None
    assert after is not None
    return before[0] <= after[1] and after[0] <= before[1]


def _listed(metrics: Sequence[str]) -> str:
    *most, last = metrics
    return f"{', '.join(most)} and {last}" if most else last
