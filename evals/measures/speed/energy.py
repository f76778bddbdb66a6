"""How much electricity the answers took, where the machine counts it."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping

from evals.records.measurement import Figure


def energy_use(answers: Iterable[tuple[float, float | None, str | None]]) -> Mapping[str, Figure]:
    """`energy` in Wh per hour of audio, over (audio seconds, joules, method); nothing where none.

    Joules per second of audio are watts, and so are watt-hours per hour. Answers that were
    not counted are left out of both sums. The figure's reason says who counted.
    """
    counted = array("d")
    audio = array("d")
    methods: set[str] = set()
    for seconds, joules, method in answers:
        if joules is not None:
            audio.append(seconds)
            counted.append(joules)
            methods.add(method or "unknown")
    length = sum(audio)
    if not counted or length <= 0:
        return {}
    who = " and ".join(sorted(methods))
    return {"energy": Figure(sum(counted) / length, len(counted), reason=f"counted by {who}")}
