"""Word and character errors against hand-worked tables and an independent alignment."""

from __future__ import annotations

from collections.abc import Sequence

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.measures.text.error_rate import character_counts, total, word_counts

WORDS = st.lists(st.sampled_from(["a", "b", "c", "dé", "日本", "١"]), max_size=8).map(" ".join)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "counts"),
    [
        ("a b c", "a b c", (3, 0, 0, 0)),
        ("a b c", "a x c", (2, 1, 0, 0)),
        ("a b c", "a c", (2, 0, 1, 0)),
        ("a b c", "a b x c", (3, 0, 0, 1)),
        ("a b c", "", (0, 0, 3, 0)),
        ("", "a b", (0, 0, 0, 2)),
        ("", "", (0, 0, 0, 0)),
        ("a b c d", "x a b d d", (3, 1, 0, 1)),
        ("set a timer", "set timer please", (2, 0, 1, 1)),
    ],
)
def test_words_by_hand(reference: str, hypothesis: str, counts: tuple[int, int, int, int]) -> None:
    found = tuple(word_counts([reference], [hypothesis])[0].tolist())
    if reference == "set a timer":  # two substitutions cost the same as one out, one in
        assert found in {counts, (1, 2, 0, 0)}
    else:
        assert found == counts


@pytest.mark.parametrize(
    ("reference", "hypothesis", "errors", "length"),
    [("abc", "abd", 1, 3), ("a b", "ab", 1, 3), ("naïve", "naive", 1, 5), ("abc", "", 3, 3)],
)
def test_characters_by_hand(reference: str, hypothesis: str, errors: int, length: int) -> None:
    edits = total(character_counts([reference], [hypothesis]))
    assert (edits.errors, edits.length) == (errors, length)


def test_corpus_rate_is_of_sums_not_a_mean_of_rates() -> None:
    # 1 error in 1 word and 0 in 9: the corpus is at 10 %, the mean of rates at 50 %.
    edits = total(word_counts(["a", "b b b b b b b b b"], ["x", "b b b b b b b b b"]))
    assert edits.rate == pytest.approx(0.1)


def test_rate_of_nothing_is_not_zero() -> None:
    assert total(word_counts([""], ["a"])).rate is None
    assert total(word_counts([], [])).rate is None


def _distance(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """Levenshtein's distance by the textbook's table (Wagner & Fischer 1974)."""
    table = np.zeros((len(reference) + 1, len(hypothesis) + 1), int)
    table[:, 0] = range(len(reference) + 1)
    table[0, :] = range(len(hypothesis) + 1)
    for i, r in enumerate(reference, 1):
        for j, h in enumerate(hypothesis, 1):
            table[i, j] = min(
                table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (r != h)
            )
    return int(table[-1, -1])


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5))
def test_equals_jiwer_and_the_textbook(pairs: list[tuple[str, str]]) -> None:
    references, hypotheses = [r for r, _ in pairs], [h for _, h in pairs]
    counts = word_counts(references, hypotheses)
    edits = total(counts)
    theirs = jiwer.process_words(references, hypotheses)
    assert (edits.hits, edits.substitutions, edits.deletions, edits.insertions) == (
        theirs.hits,
        theirs.substitutions,
        theirs.deletions,
        theirs.insertions,
    )
    for row, (reference, hypothesis) in zip(counts, pairs, strict=True):
        assert row[1:].sum() == _distance(reference.split(), hypothesis.split())
        assert row[:3].sum() == len(reference.split())
