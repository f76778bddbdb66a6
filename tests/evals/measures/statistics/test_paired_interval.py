"""The interval of a paired difference: honest, exact where it can be, and never without a width."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evals.measures.statistics.paired_interval import FEWEST_CLUSTERS, Floats, difference_interval
from evals.measures.statistics.student_t import student_quantile


def interval(
    changes: Sequence[float] | Floats,
    words: Sequence[float] | Floats | float,
    clusters: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
) -> tuple[float, float]:
    change = np.asarray(changes, float)
    whole = np.broadcast_to(np.asarray(words, float), change.shape)
    found = difference_interval(change, whole, clusters, least=1.0, confidence=confidence)
    assert found is not None
    return found


def test_equals_the_one_sample_t_test() -> None:
    """Of many utterances of one length, as scipy computes it."""
    stats = pytest.importorskip("scipy.stats")
    for n, rel in ((120, 0.05), (400, 1e-3)):
        change = np.random.default_rng(6).integers(-2, 4, size=n).astype(float)
        expected = stats.ttest_1samp(change / 8, 0.0).confidence_interval(0.95)
        low, high = interval(change, 8)
        assert high - low == pytest.approx(expected.high - expected.low, rel=rel)
        assert low == pytest.approx(expected.low, abs=0.03 * (high - low))


def test_agrees_with_sign_flips() -> None:
    """A permutation test of the same clusters, exact but for its draws, by scipy."""
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(2)
    for shift in (0.6, 0.8, 1.0, 1.2):
        change = np.round(rng.normal(shift, 2.0, 24) * 2)
        p = stats.permutation_test(
            (change,), np.mean, permutation_type="samples", n_resamples=9_999, rng=rng
        ).pvalue
        assert interval(change, 40, confidence=1 - 1.5 * p)[0] > 0
        assert interval(change, 40, confidence=1 - p / 3)[0] < 0


@pytest.mark.slow
@pytest.mark.parametrize("n", [40, 200, 2_000])
@pytest.mark.parametrize("contrary", range(6))
def test_changes_of_one_size_are_shown_where_the_sign_test_shows_them(
    n: int, contrary: int
) -> None:
    for agreeing in range(6, min(41, n + 1 - contrary), 3):
        k = agreeing + contrary
        change = np.zeros(n)
        change[:agreeing], change[agreeing:k] = 1.0, -1.0
        p = 2 * sum(math.comb(k, i) for i in range(contrary + 1)) / 2**k
        shown = interval(change, 4)[0] > 0
        if p > 0.08:
            assert not shown
        if p < 0.02:
            assert shown


# What the issue saw go wrong.


def test_a_model_that_breaks_is_a_regression() -> None:
    """17 clips of read speech at a WER of 2.3 %, and of 51.8 % once broken."""
    words = np.array([8, 11, 14, 9, 12, 17, 10, 13, 7, 15, 21, 9, 12, 10, 16, 18, 14], float)
    before = np.zeros(17)
    before[[2, 5, 10, 14, 15]] = 1.0
    share = np.array([0.1, 1, 0, 0.8, 0.3, 1, 0, 0.6, 1, 0.2, 0.7, 0.4, 1, 0.1, 0.7, 0.3, 0.4])
    after = np.round(words * share)
    assert before.sum() / words.sum() == pytest.approx(0.023, abs=0.001)
    assert after.sum() / words.sum() == pytest.approx(0.518, abs=0.02)
    low, high = interval(after - before, words)
    assert 0.25 < low < high < 0.75


def test_naming_five_speakers_does_not_switch_the_gate_off() -> None:
    """A WER of 2.3 % and of 32 %: each of the five speakers lost something."""
    words = np.full(85, 10.0)
    speakers = np.repeat(np.arange(5), 17).tolist()
    change = np.concatenate([np.resize(lost, 17) for lost in ([0, 2], [3, 3], [0, 8], [5, 1], [2])])
    alone, named = interval(change, words), interval(change, words, speakers)
    assert 0.02 < named[0] < named[1] < 0.60
    assert 0.1 < alone[0] < alone[1]
    small = np.arange(17) % 5
    assert interval(np.resize([0, 2, 5], 17), np.full(17, 10.0), small.tolist())[0] > 0.005


def test_twenty_seven_speakers_who_agree_are_believed() -> None:
    """A difference of 5.8 points, with most of it from a few speakers who differ more."""
    rng = np.random.default_rng(1)
    each = np.array([0] * 9 + [1] * 8 + [2] * 5 + [4] * 3 + [9, 14])
    sizes = np.full(27, 9)
    change, speakers = [], []
    for number, (lost, size) in enumerate(zip(each, sizes, strict=True)):
        change += np.bincount(rng.integers(size, size=lost), minlength=size).tolist()
        speakers += [number] * int(size)
    low, high = interval(change, 4.3, speakers)
    value = each.sum() / (sizes.sum() * 4.3)
    assert value == pytest.approx(0.058, abs=0.01)
    half = student_quantile(0.975, 26) * float(each.std(ddof=1)) / math.sqrt(27) / (9 * 4.3)
    assert 0 < low < high < value + 1.15 * half


@pytest.mark.parametrize("n", [2, 8])
def test_no_difference_in_few_utterances_has_a_width(n: int) -> None:
    low, high = interval(np.zeros(n), 4)
    assert low == -high
    assert high > 0.1


@pytest.mark.parametrize("change", [1.0, -1.0, 4.0, -4.0, 40.0, -40.0, 0.0])
def test_two_utterances_decide_no_margin(change: float) -> None:
    low, high = interval([change, change], 4)
    assert low < -0.5
    assert high > 0.5


@pytest.mark.parametrize(("changed", "n"), [(k, n) for n in (5, 60) for k in range(6) if k <= n])
def test_under_six_changes_show_no_difference(changed: int, n: int) -> None:
    """All of five point one way in one sample of sixteen."""
    change = np.zeros(n)
    change[:changed] = 4.0
    low, high = interval(change, 4)
    assert low <= 0 < high


def test_thousands_without_a_difference_keep_a_small_margin() -> None:
    assert interval(np.zeros(2_000), 10)[1] < 0.0005
    assert interval(np.zeros(2_000), 10, (np.arange(2_000) % 40).tolist())[1] < 0.0005
    assert interval(np.zeros(200), 10)[1] < 0.005


def test_a_word_more_in_each_utterance_has_a_width() -> None:
    low, high = interval(np.ones(12), 4)
    assert 0.1 < low < 0.2 < 0.3 < high < 0.4


def test_one_loop_shows_nothing() -> None:
    change = np.zeros(300)
    change[7] = 399.0
    low, high = interval(change, 10)
    assert low < 0 < 0.133 < high


def test_changes_of_one_speaker_are_not_many() -> None:
    words, speakers = np.full(200, 10.0), np.repeat(np.arange(20), 10).tolist()
    one, each = np.zeros(200), np.zeros(200)
    one[:10], each[::20] = 1.0, 1.0
    assert interval(one, words, speakers)[0] <= 0
    assert interval(each, words, speakers)[0] > 0


def test_few_speakers_say_nothing_of_others() -> None:
    """Then the interval is of utterances."""
    change = np.random.default_rng(1).integers(-1, 3, 60).astype(float)
    few = (np.arange(60) % (FEWEST_CLUSTERS - 1)).tolist()
    assert interval(change, 10, few) == interval(change, 10)
    enough = (np.arange(60) % FEWEST_CLUSTERS).tolist()
    assert interval(change, 10, enough) != interval(change, 10)


def test_one_large_cluster_leaves_few_degrees_of_freedom() -> None:
    """Half of the words from one of twenty speakers: the others cannot average it out."""
    rng = np.random.default_rng(3)
    sizes = np.array([190] + [10] * 19)
    speakers = np.repeat(np.arange(20), sizes)
    change = rng.integers(-1, 2, len(speakers)).astype(float)
    words = np.full(len(speakers), 10.0)
    low, high = interval(change, words, speakers.tolist())
    even = interval(change, words, (np.arange(len(speakers)) % 20).tolist())
    assert high - low > 0
    assert even[1] - even[0] > 0
    totals = np.bincount(speakers, weights=change)
    residuals = totals - sizes * change.sum() / sizes.sum()
    naive = student_quantile(0.975, 19) * math.sqrt(20 / 19 * (residuals**2).sum()) / words.sum()
    assert (high - low) / 2 > 1.3 * naive


def test_nothing_to_compare_has_no_interval() -> None:
    one = np.ones(1)
    assert difference_interval(one, one) is None
    assert difference_interval(np.zeros(0), np.zeros(0)) is None
    assert difference_interval(np.ones(3), np.zeros(3)) is None


# Properties.

CHANGES = st.lists(
    st.tuples(st.integers(-5, 5), st.integers(0, 12), st.integers(0, 7)), min_size=2, max_size=60
).filter(lambda rows: sum(row[1] for row in rows) > 0)


def _columns(rows: list[tuple[int, int, int]]) -> tuple[Floats, Floats, list[int]]:
    change, words, speakers = zip(*rows, strict=True)
    return np.array(change, float), np.array(words, float), list(speakers)


@settings(max_examples=25, deadline=None)
@given(CHANGES, st.booleans())
def test_the_other_way_round_is_the_mirror_image(
    rows: list[tuple[int, int, int]], named: bool
) -> None:
    change, words, speakers = _columns(rows)
    who = speakers if named else None
    low, high = interval(change, words, who)
    assert interval(-change, words, who) == pytest.approx((-high, -low), rel=1e-12, abs=1e-15)


@settings(max_examples=25, deadline=None)
@given(CHANGES, st.booleans())
def test_it_is_finite_and_has_a_width(rows: list[tuple[int, int, int]], named: bool) -> None:
    change, words, speakers = _columns(rows)
    low, high = interval(change, words, speakers if named else None)
    value = change.sum() / words.sum()
    assert math.isfinite(low)
    assert math.isfinite(high)
    assert high - low > 1e-6
    assert low < value < high


@settings(max_examples=25, deadline=None)
@given(CHANGES, st.booleans(), st.randoms(use_true_random=False))
def test_order_and_names_change_nothing(
    rows: list[tuple[int, int, int]], named: bool, random: object
) -> None:
    change, words, speakers = _columns(rows)
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]  # hypothesis' own Random
    shuffled = [f"speaker {speakers[i]}" for i in order]
    assert interval(change[order], words[order], shuffled if named else None) == pytest.approx(
        interval(change, words, speakers if named else None), rel=1e-12
    )


@settings(max_examples=25, deadline=None)
@given(CHANGES, st.booleans(), st.sampled_from([0.001, 3.0, 1e6]))
@example(
    [*[(0, 0, 0)] * 2, (4, 0, 0), (5, 2, 0), *[(0, 0, 0)] * 3, (-4, 0, 0), (-5, 1, 0)], False, 0.001
)
def test_another_unit_changes_nothing(
    rows: list[tuple[int, int, int]], named: bool, factor: float
) -> None:
    change, words, speakers = _columns(rows)
    who = speakers if named else None
    plain = difference_interval(change, words, who)
    scaled = difference_interval(change * factor, words * factor, who)
    assert plain is not None
    assert scaled == pytest.approx(plain, rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(CHANGES, st.booleans(), st.sampled_from([(0.5, 0.8), (0.9, 0.95), (0.95, 0.999)]))
def test_more_confidence_is_wider(
    rows: list[tuple[int, int, int]], named: bool, levels: tuple[float, float]
) -> None:
    change, words, speakers = _columns(rows)
    who = speakers if named else None
    less, more = (interval(change, words, who, confidence=level) for level in levels)
    assert more[0] <= less[0] < less[1] <= more[1]


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-5, 5), st.integers(1, 12)), min_size=12, max_size=40),
    st.booleans(),
    st.integers(2, 5),
)
def test_more_of_the_like_is_narrower(rows: list[tuple[int, int]], named: bool, times: int) -> None:
    """Of other speakers, where they are named."""
    change, words = (np.array(column, float) for column in zip(*rows, strict=True))
    who = [i // 2 for i in range(len(rows))] if named else None
    more_of_them = [i // 2 for i in range(len(rows) * times)] if named else None
    low, high = interval(change, words, who)
    less, more = interval(np.tile(change, times), np.tile(words, times), more_of_them)
    assert more - less < high - low
