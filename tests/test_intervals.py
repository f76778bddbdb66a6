"""Intervals: seeded, of the right width, wider where speakers hang together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.intervals import proportion_interval, ratio_interval


def test_width_is_that_of_the_normal_approximation() -> None:
    rng = np.random.default_rng(1)
    errors = rng.binomial(10, 0.1, size=2000).astype(float)
    words = np.full(2000, 10.0)
    interval = ratio_interval(errors, words)
    assert interval is not None
    standard_error = math.sqrt(0.1 * 0.9 / 20_000)
    assert interval[1] - interval[0] == pytest.approx(2 * 1.96 * standard_error, rel=0.1)
    assert interval[0] < 0.1 < interval[1]


def test_same_seed_same_interval() -> None:
    errors, words = np.random.default_rng(3).uniform(size=50), np.full(50, 6.0)
    assert ratio_interval(errors, words, seed=4) == ratio_interval(errors, words, seed=4)
    assert ratio_interval(errors, words, seed=4) != ratio_interval(errors, words, seed=5)


def test_speakers_that_hang_together_widen_it() -> None:
    rng = np.random.default_rng(2)
    per_speaker = rng.uniform(0.0, 0.4, size=20)
    errors = rng.binomial(10, np.repeat(per_speaker, 30)).astype(float)
    words = np.full(600, 10.0)
    alone = ratio_interval(errors, words)
    together = ratio_interval(errors, words, np.repeat(np.arange(20), 30).tolist())
    assert alone is not None
    assert together is not None
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])


def test_single_speaker_falls_back_to_utterances() -> None:
    errors, words = np.array([0.0, 1.0, 2.0]), np.full(3, 5.0)
    assert ratio_interval(errors, words, ["x"] * 3) == ratio_interval(errors, words)


def test_nothing_to_draw_has_no_interval() -> None:
    one = np.ones(1)
    assert ratio_interval(one, one) is None
    assert ratio_interval(np.ones(3), np.zeros(3)) is None
    assert proportion_interval(0, 0) is None


@pytest.mark.parametrize(
    # Newcombe 1998, table I: Wilson's score method without continuity correction.
    ("successes", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_equals_published_values(successes: int, n: int, low: float, high: float) -> None:
    interval = proportion_interval(successes, n)
    assert interval == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_estimate(pair: tuple[int, int]) -> None:
    interval = proportion_interval(*pair)
    assert interval is not None
    assert 0 <= interval[0] <= pair[0] / pair[1] <= interval[1] <= 1
