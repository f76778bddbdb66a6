"""Whether a time was fairly taken, or the machine was busy with something else.

An engine that waits for a CPU which others hold looks slower than it is, never faster.
So a busy figure that keeps its limit keeps it; one that breaks it shows nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evals.measures.run_conditions import BUSY
from evals.records.measurement import Figure

#: More of the time than this spent waiting for a CPU makes a time unfair. The bands of
#: speed are a factor of two apart: what is below moves a letter only at its very border.
BUSY_SHARE = 0.10


def share_waited(
    seconds: Sequence[float | None] | NDArray[np.float64], waited: Sequence[float | None]
) -> float | None:
    """Sum of the seconds waited / sum of the seconds, over the calls that know both."""
    spent = lost = 0.0
    for s, w in zip(seconds, waited, strict=True):
        if s and w is not None:
            spent += s
            lost += w
    return lost / spent if spent else None


def marked(figure: Figure, *shares: float | None) -> Figure:
    """The figure, busy where any of the shares is past BUSY_SHARE."""
    worst = max((share for share in shares if share is not None), default=0.0)
    if worst <= BUSY_SHARE or figure.value is None:
        return figure
    reason = (
        f"the engine waited {worst:.0%} of its time for a CPU that other processes held: "
        "run again on an idle machine"
    )
    return replace(figure, reason=reason, conditions=(*figure.conditions, BUSY))


def timed_once(seconds: float | None, waited: float | None) -> Figure:
    """The figure of a single time."""
    return marked(Figure(seconds, 1), share_waited([seconds], [waited]))
