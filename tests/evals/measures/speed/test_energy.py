"""Watt-hours per hour of audio, by hand."""

from __future__ import annotations

import pytest

from evals.measures.speed.energy import energy_use


@pytest.mark.parametrize(
    ("answers", "watts", "n", "who"),
    [
        # 30 J for 10 s of audio are 3 W, and 3 Wh for an hour.
        ([(10.0, 30.0, "nvml")], 3.0, 1, "counted by nvml"),
        # Sums, not means of rates: 40 J for 30 s.
        ([(10.0, 30.0, "nvml"), (20.0, 10.0, "nvml")], 4 / 3, 2, "counted by nvml"),
        # What was not counted is in neither sum.
        ([(10.0, 30.0, "rapl"), (1000.0, None, None)], 3.0, 1, "counted by rapl"),
        ([(10.0, None, None)], None, 0, None),
        ([(0.0, 5.0, "rapl")], None, 0, None),
        ([], None, 0, None),
    ],
)
def test_energy_by_hand(
    answers: list[tuple[float, float | None, str | None]],
    watts: float | None,
    n: int,
    who: str | None,
) -> None:
    figures = energy_use(answers)
    if watts is None:
        assert figures == {}
    else:
        figure = figures["energy"]
        assert figure.value == pytest.approx(watts)
        assert (figure.n, figure.reason) == (n, who)
