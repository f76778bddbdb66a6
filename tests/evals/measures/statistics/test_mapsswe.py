"""MAPSSWE, the yardstick of the paired test, against an example worked by hand.

Two recognizers heard eight segments of ten words. Gillick and Cox (1989): Z is the mean of the
differences over its standard error.

    segment          1   2   3   4   5   6   7   8    sum
    errors of A      2   0   1   3   0   1   1   0
    errors of B      3   0   2   3   0   1   0   1
    B - A            1   0   1   0   0   0  -1   1      2
    its square       1   0   1   0   0   0   1   1      4

    mean             2 / 8 = 0.25
    variance         (4 - 2 * 2 / 8) / 7 = 3.5 / 7 = 0.5
    standard error   sqrt(0.5 / 8) = sqrt(1 / 16) = 0.25
    Z                0.25 / 0.25 = 1
"""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from evals.measures.statistics.student_t import student_quantile
from tests.benchmarks.paired_candidates import CANDIDATES, Interval, matched_pairs, summed

A = np.array([2, 0, 1, 3, 0, 1, 1, 0], float)
B = np.array([3, 0, 2, 3, 0, 1, 0, 1], float)
WORDS = np.full(8, 10.0)
#: Two segments of each: speakers change by 1, 1, 0 and 0.
SPEAKERS = np.array([0, 0, 1, 1, 2, 2, 3, 3])


def z(interval: Interval, quantile: float) -> float:
    """The statistic that an interval of so many standard errors on each side is made of."""
    low, high = interval
    return (low + high) / 2 / ((high - low) / 2 / quantile)


def test_the_hand_worked_example() -> None:
    low, high = matched_pairs(B - A, WORDS, 2.0)
    # A change of the WER of 2 in 80 words, 2.5 points, with a standard error of 2.5 points.
    assert (low, high) == pytest.approx((0.025 - 0.05, 0.025 + 0.05))
    assert z((low, high), 2.0) == pytest.approx(1.0)


def test_speakers_as_segments_by_hand() -> None:
    """Changes of 1, 1, 0, 0: mean 1 / 2, variance (2 - 4 / 4) / 3 = 1 / 3, Z = sqrt(3)."""
    changes, words = summed(B - A, WORDS, SPEAKERS)
    assert changes.tolist() == [1, 1, 0, 0]
    assert words.tolist() == [20, 20, 20, 20]
    assert z(matched_pairs(changes, words, 1.0), 1.0) == pytest.approx(3**0.5)


def test_the_candidates_of_the_benchmark_are_these() -> None:
    assert z(CANDIDATES["MAPSSWE z"](B - A, WORDS, SPEAKERS), 1.959964) == pytest.approx(1.0)
    found = CANDIDATES["speaker z"](B - A, WORDS, SPEAKERS)
    assert z(found, 1.959964) == pytest.approx(3**0.5)


@pytest.mark.engine  # scipy comes with some extras
def test_the_arithmetic_is_that_of_scipys_paired_t_test() -> None:
    stats = importlib.import_module("scipy.stats")
    rng = np.random.default_rng(3)
    quantile = student_quantile(0.975, 29)
    for _ in range(20):
        a = rng.integers(0, 5, 30).astype(float)
        b = a + rng.integers(-1, 4, 30)
        found = stats.ttest_rel(b, a)
        ends = found.confidence_interval(0.95)
        low, high = matched_pairs(b - a, np.full(30, 4.0), quantile)
        assert (low, high) == pytest.approx((ends.low / 4, ends.high / 4))
        assert z((low, high), quantile) == pytest.approx(found.statistic)
