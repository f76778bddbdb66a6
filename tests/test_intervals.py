"""Intervals: seeded, of the right width, wider where speakers hang together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.intervals import (
    Floats,
    chance_below,
    proportion_interval,
    ratio_interval,
)
from evals.student_t import student_quantile, student_tail


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


def _tail(k: int, n: int, p: float) -> float:
    """P(X >= k) of a binomial count."""
    return sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))


def _ones(k: int, n: int) -> tuple[Floats, Floats]:
    """n utterances of one word, k of them wrong."""
    return np.array([1.0] * k + [0.0] * (n - k)), np.ones(n)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(20, 400))
def test_few_errors_say_no_more_than_they_do(k: int, n: int) -> None:
    """The bounds for few errors are as far out as the exact ones (Clopper-Pearson), or nearly."""
    interval = ratio_interval(*_ones(k, n))
    assert interval is not None
    assert 0 < interval[0] < k / n < interval[1]
    assert 1 - _tail(k + 1, n, interval[1]) <= 0.025
    assert _tail(k, n, interval[0]) <= 0.028


def test_many_errors_equal_the_exact_bounds() -> None:
    interval = ratio_interval(*_ones(60, 600))
    assert interval is not None
    assert 1 - _tail(61, 600, interval[1]) == pytest.approx(0.025, rel=0.4)
    assert _tail(60, 600, interval[0]) == pytest.approx(0.025, rel=0.4)


def test_errors_of_one_utterance_are_not_many() -> None:
    """Ten errors in two utterances tell less than ten errors in ten."""
    words = np.full(200, 10.0)
    two, ten = np.zeros(200), np.zeros(200)
    two[:2], ten[:10] = 5.0, 1.0
    narrow, wide = ratio_interval(ten, words), ratio_interval(two, words)
    assert narrow is not None
    assert wide is not None
    assert wide[1] > 1.5 * narrow[1]


@pytest.mark.parametrize(
    ("k", "n", "limit"), [(30, 200, 0.10), (16, 200, 0.05), (60, 400, 0.12), (12, 400, 0.02)]
)
def test_chance_is_near_the_binomial_tail(k: int, n: int, limit: float) -> None:
    exact = _tail(k, n, limit)
    assert exact / 2.5 <= chance_below(*_ones(k, n), limit) <= exact * 2.5


@pytest.mark.parametrize(
    ("k", "n", "limit"), [(3, 100, 0.01), (5, 50, 0.02), (4, 400, 0.002), (1, 20, 0.001)]
)
def test_chance_of_few_errors_is_not_below_the_binomial_tail(k: int, n: int, limit: float) -> None:
    assert chance_below(*_ones(k, n), limit) >= 0.8 * _tail(k, n, limit)


def test_at_or_below_the_limit_there_is_nothing_to_show() -> None:
    assert chance_below(*_ones(10, 100), 0.10) == 1.0
    assert chance_below(*_ones(0, 100), 0.0) == 1.0
    assert chance_below(*_ones(1, 1), 0.0) == 1.0


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=4, max_size=40),
    st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted),
)
def test_chance_rises_with_the_limit(errors: list[int], limits: list[float]) -> None:
    numerators, words = np.array(errors, float), np.full(len(errors), 6.0)
    low, high = (chance_below(numerators, words, limit, resamples=500) for limit in limits)
    assert 0 <= low <= high <= 1


def test_alike_speakers_show_less() -> None:
    errors, words = np.repeat([0.0, 4.0], [90, 30]), np.full(120, 10.0)
    speakers = np.repeat(np.arange(12), 10).tolist()
    alone, together = (chance_below(errors, words, 0.05, who) for who in (None, speakers))
    assert together > 10 * alone


@pytest.mark.parametrize(
    ("p", "degrees", "t"),
    [  # from the printed tables of Student's t
        (0.975, 1, 12.7062),
        (0.975, 2, 4.30265),
        (0.999, 2, 22.3271),
        (0.975, 3, 3.18245),
        (0.9995, 5, 6.86883),
        (0.975, 10, 2.22814),
        (0.975, 30, 2.04227),
        (0.975, 999, 1.96234),
    ],
)
def test_students_t(p: float, degrees: int, t: float) -> None:
    assert student_quantile(p, degrees) == pytest.approx(t, rel=1e-5)
    assert student_tail(t, degrees) == pytest.approx(1 - p, rel=1e-4)
    assert student_tail(-t, degrees) == pytest.approx(p, rel=1e-4)
