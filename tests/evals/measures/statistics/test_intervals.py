"""Intervals of rates: finite, possible, monotone in the errors, and never without a width."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.measures.statistics.gamma_sums import chance_positive
from evals.measures.statistics.intervals import (
    Floats,
    proportion_interval,
    ratio_interval,
    ratio_sample,
)
from evals.measures.statistics.student_t import student_quantile, student_tail

#: The printed digit: a hundredth of a per cent.
DIGIT = 1e-4


def corpus(*errors: tuple[int, int], words: int) -> tuple[Floats, Floats]:
    """Utterances of so many words: (errors, how many such utterances)."""
    numbers = np.concatenate([np.full(n, float(e)) for e, n in errors])
    return numbers, np.full(len(numbers), float(words))


@pytest.mark.parametrize(
    # The 95 % interval of the WER: what an expert expects of its ends.
    ("errors", "words", "lower", "upper"),
    [
        ([(0, 200)], 4, (0, 0), (0.003, 0.02)),
        ([(1, 1), (0, 199)], 4, (0, 0.001), (0.005, 0.028)),
        ([(1, 2), (0, 198)], 4, (0, 0.002), (0.006, 0.03)),
        ([(1, 4), (0, 196)], 4, (0, 0.003), (0.009, 0.03)),
        ([(1, 1), (0, 49)], 4, (0, 0.004), (0.02, 0.11)),
        ([(1, 49), (2, 1)], 10, (0.075, 0.101), (0.103, 0.14)),
        ([(1, 12)], 10, (0.02, 0.095), (0.11, 0.25)),
        ([(1, 50)], 10, (0.07, 0.095), (0.105, 0.14)),
        ([(1, 9), (2, 3)], 4, (0.15, 0.28), (0.33, 0.6)),
        ([(0, 11), (399, 1)], 1, (0, 0.2), (34, math.inf)),
    ],
)
def test_expected_ends(
    errors: list[tuple[int, int]],
    words: int,
    lower: tuple[float, float],
    upper: tuple[float, float],
) -> None:
    interval = ratio_interval(*corpus(*errors, words=words))
    assert interval is not None
    assert lower[0] <= interval[0] <= lower[1]
    assert upper[0] <= interval[1] <= upper[1]
    assert math.isfinite(interval[1])


def test_upper_ends_rise_with_the_errors() -> None:
    ends = []
    for wrong in range(6):
        interval = ratio_interval(*corpus((1, wrong), (0, 200 - wrong), words=4))
        assert interval is not None
        ends.append(interval[1])
    assert ends == sorted(ends)
    assert all(b > a for a, b in pairwise(ends))


@pytest.mark.parametrize("speakers", [1, 2, 4])
def test_few_speakers_tell_nothing_of_others(speakers: int) -> None:
    """The interval is then of these people's utterances."""
    errors, words = corpus((1, 10), (0, 190), words=4)
    whose = (np.arange(200) % speakers).tolist()
    interval = ratio_interval(errors, words, whose)
    assert interval == ratio_interval(errors, words)
    assert interval is not None
    assert 0.005 <= interval[0] <= 0.007
    assert 0.021 <= interval[1] <= 0.027


def test_speakers_with_the_same_number_of_errors_leave_a_width() -> None:
    """12 speakers with 2 errors in 100 words each: 2.0 to 2.0 % was said."""
    errors, words = corpus((1, 24), (0, 96), words=10)
    interval = ratio_interval(errors, words, [i % 12 for i in range(120)])
    assert interval is not None
    assert 0.011 <= interval[0] <= 0.0145
    assert 0.027 <= interval[1] <= 0.034


utterances = st.lists(
    st.integers(1, 30).flatmap(lambda words: st.tuples(st.integers(0, words), st.just(words))),
    min_size=2,
    max_size=25,
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(utterances, st.booleans())
def test_ends_are_finite_possible_and_around_the_rate(
    rows: list[tuple[int, int]], loops: bool
) -> None:
    errors, words = np.array(rows, float).T
    if loops:
        errors[0] += 200
    interval = ratio_interval(errors, words)
    assert interval is not None
    low, high = interval
    assert 0 <= low <= errors.sum() / words.sum() <= high
    assert high - low > 0
    assert high <= 1 or loops
    assert math.isfinite(high)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(utterances, st.data())
def test_more_errors_never_lower_an_end(rows: list[tuple[int, int]], data: st.DataObject) -> None:
    errors, words = np.array(rows, float).T
    place = data.draw(st.integers(0, len(rows) - 1))
    speakers = data.draw(st.none() | st.just([i % 7 for i in range(len(rows))]))
    more = errors.copy()
    more[place] += 1
    before, after = (ratio_interval(e, words, speakers) for e in (errors, more))
    assert before is not None
    assert after is not None
    assert after[0] >= before[0] - DIGIT
    assert after[1] >= before[1] - DIGIT


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(utterances)
def test_error_free_utterances_bring_the_upper_end_down(rows: list[tuple[int, int]]) -> None:
    errors, words = np.array(rows, float).T
    mean = words.mean()
    before = ratio_interval(errors, words)
    after = ratio_interval(np.append(errors, 0.0), np.append(words, mean))
    assert before is not None
    assert after is not None
    assert after[1] <= before[1] + DIGIT


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(utterances)
def test_like_utterances_bring_both_ends_nearer(rows: list[tuple[int, int]]) -> None:
    errors, words = np.array(rows, float).T
    once, twice = ratio_interval(errors, words), ratio_interval(*np.tile([errors, words], 2))
    assert once is not None
    assert twice is not None
    assert twice[0] >= once[0] - DIGIT
    assert twice[1] <= once[1] + DIGIT


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(utterances, st.randoms(use_true_random=False), st.floats(0.001, 1_000))
def test_order_and_scale_change_nothing(
    rows: list[tuple[int, int]], random: Random, scale: float
) -> None:
    errors, words = np.array(rows, float).T
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert ratio_interval(*np.array(shuffled, float).T) == ratio_interval(errors, words)
    seconds = ratio_interval(errors, words, proportion=False)
    scaled = ratio_interval(errors * scale, words * scale, proportion=False)
    assert scaled == pytest.approx(seconds, abs=1e-6)


def test_width_is_that_of_the_normal_approximation() -> None:
    rng = np.random.default_rng(1)
    errors = rng.binomial(10, 0.1, size=2000).astype(float)
    interval = ratio_interval(errors, np.full(2000, 10.0))
    assert interval is not None
    standard_error = math.sqrt(0.1 * 0.9 / 20_000)
    assert interval[1] - interval[0] == pytest.approx(2 * 1.96 * standard_error, rel=0.1)
    assert interval[0] < 0.1 < interval[1]


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


def test_nothing_to_tell_from_has_no_interval() -> None:
    one = np.ones(1)
    assert ratio_interval(one, one) is None
    assert ratio_interval(np.ones(3), np.zeros(3)) is None
    assert proportion_interval(0, 0) is None


@pytest.mark.parametrize(("k", "n"), [(1, 200), (5, 400), (30, 300), (290, 300), (100, 2_000)])
def test_right_or_wrong_units_have_clopper_and_pearsons_ends(k: int, n: int) -> None:
    """But for the few per cent by which Student's quantile is wider than the normal one."""
    interval = ratio_interval(*corpus((1, k), (0, n - k), words=1))
    assert interval is not None

    def tail(at_least: int, p: float) -> float:
        ways = (
            math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in range(n + 1)
        )
        logs = [w + i * math.log(p) + (n - i) * math.log1p(-p) for i, w in enumerate(ways)]
        return math.fsum(math.exp(x) for x in logs[at_least:])

    assert tail(k, interval[0]) == pytest.approx(0.025, rel=0.15)
    assert 1 - tail(k + 1, interval[1]) == pytest.approx(0.025, rel=0.15)


def test_errors_of_one_utterance_are_not_many() -> None:
    """Ten errors in two utterances tell less than ten errors in ten."""
    words = np.full(200, 10.0)
    two, ten = np.zeros(200), np.zeros(200)
    two[:2], ten[:10] = 5.0, 1.0
    narrow, wide = ratio_interval(ten, words), ratio_interval(two, words)
    assert narrow is not None
    assert wide is not None
    assert wide[1] - wide[0] > 1.2 * (narrow[1] - narrow[0])


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(60, 400), st.floats(0.002, 0.2))
def test_chance_and_lower_end_agree(k: int, n: int, limit: float) -> None:
    sample = ratio_sample(*corpus((2, k), (0, n - k), words=5))
    assert sample is not None
    chance = sample.chance_below(limit)
    if sample.estimate <= limit:
        assert chance == 1.0
        return
    if 1e-9 < chance < 0.3:
        interval = sample.interval(1 - 2 * chance)
        assert interval is not None
        assert interval[0] == pytest.approx(limit, abs=2e-4)


def test_a_larger_corpus_is_forecast() -> None:
    errors, words = corpus((1, 6), (3, 2), (0, 42), words=8)
    sample = ratio_sample(errors, words)
    assert sample is not None
    five_times = ratio_interval(*np.tile([errors, words], 5))
    assert sample.repeated(5).interval() == pytest.approx(five_times, rel=0.02)


def test_many_different_rates_are_put_together_without_loss() -> None:
    """Seconds are all different: the interval of 3,000 is that of Student's t."""
    rng = np.random.default_rng(7)
    audio = rng.uniform(1, 20, 3_000)
    seconds = audio * rng.gamma(4, 0.02, 3_000)
    interval = ratio_interval(seconds, audio, proportion=False)
    rate = seconds.sum() / audio.sum()
    error = math.sqrt(float(((seconds - rate * audio) ** 2).sum())) / audio.sum()
    assert interval == pytest.approx((rate - 1.96 * error, rate + 1.96 * error), rel=0.005)


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


@pytest.mark.parametrize("shapes", [(3, 40), (1, 200), (30, 30), (2, 12)])
@pytest.mark.parametrize("rate", [0.02, 0.05, 0.2, 0.5])
def test_two_gamma_variables_are_a_beta_variable(shapes: tuple[float, float], rate: float) -> None:
    """Against a plain numerical integral of the beta density."""
    a, b = shapes
    x = np.linspace(0, 1, 200_001)[1:] - 0.5 / 200_000
    log_density = (a - 1) * np.log(x) + (b - 1) * np.log1p(-x)
    density = np.exp(log_density - np.max(log_density))
    exact = float(np.sum(density[x > rate])) / float(np.sum(density))
    found = chance_positive(np.array([1 - rate, -rate]), np.array([a, b], float))
    assert found == pytest.approx(exact, rel=0.03, abs=1e-9)


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
