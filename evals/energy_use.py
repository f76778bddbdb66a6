"""How much electricity the answers took, where the machine counts it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from evals.measurement import Figure


def energy_use(answers: Iterable[tuple[float, float | None, str | None]]) -> Mapping[str, Figure]:
    """`energy` in Wh per hour of audio, over (audio seconds, joules, method); nothing where none.

    Joules per second of audio are watts, and so are watt-hours per hour. Answers that were
    not counted are left out of both sums. The figure's reason says who counted.
    """
    counted = [(audio, joules, method) for audio, joules, method in answers if joules is not None]
    audio = sum(seconds for seconds, _, _ in counted)
    if not counted or audio <= 0:
        return {}
    methods = " and ".join(sorted({method or "unknown" for _, _, method in counted}))
    watts = sum(joules for _, joules, _ in counted) / audio
    return {"energy": Figure(watts, len(counted), reason=f"counted by {methods}")}
