"""Batches by length: every item once, bounded, and none left waiting."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.models.batching import batches

pytestmark = pytest.mark.slow

LENGTHS = st.lists(st.floats(0.01, 60.0, allow_nan=False), max_size=60)
SIZES = st.integers(1, 12)


class Source:
    """Items that know how many of them have been read, and how long these last."""

    def __init__(self, lengths: list[float]) -> None:
        self.lengths = lengths
        self.read: list[int] = []

    def __iter__(self) -> Iterator[int]:
        for item in range(len(self.lengths)):
            self.read.append(item)
            yield item

    def seconds(self, item: int) -> float:
        return self.lengths[item]


def _cut(
    lengths: list[float], size: int, look_ahead: int, most_seconds: float = 1e9
) -> list[list[int]]:
    source = Source(lengths)
    return list(
        batches(
            source,
            size=lambda: size,
            seconds=source.seconds,
            look_ahead=look_ahead,
            most_seconds=most_seconds,
        )
    )


@given(LENGTHS, SIZES, st.integers(1, 40), st.floats(1.0, 200.0))
def test_each_item_once(
    lengths: list[float], size: int, look_ahead: int, most_seconds: float
) -> None:
    found = _cut(lengths, size, look_ahead, most_seconds)
    assert sorted(itertools.chain(*found)) == list(range(len(lengths)))
    assert all(1 <= len(batch) <= size for batch in found)
    assert all(lengths[a] >= lengths[b] for batch in found for a, b in itertools.pairwise(batch))


@given(LENGTHS, SIZES, st.integers(1, 40), st.floats(1.0, 200.0))
def test_what_is_read_ahead_is_bounded(
    lengths: list[float], size: int, look_ahead: int, most_seconds: float
) -> None:
    source = Source(lengths)
    given_out: set[int] = set()
    for batch in batches(
        source,
        size=lambda: size,
        seconds=source.seconds,
        look_ahead=look_ahead,
        most_seconds=most_seconds,
    ):
        # Those of the batch are still held when it is handed over.
        held = [item for item in source.read if item not in given_out]
        assert len(held) <= look_ahead
        assert sum(lengths[item] for item in held[:-1]) <= max(most_seconds, lengths[held[0]])
        given_out.update(batch)


@given(LENGTHS, SIZES, st.integers(1, 40))
def test_none_starves(lengths: list[float], size: int, look_ahead: int) -> None:
    """The oldest that is held is always among those given out next."""
    waiting = list(range(len(lengths)))
    for batch in _cut(lengths, size, look_ahead):
        assert waiting[0] in batch
        waiting = [item for item in waiting if item not in batch]


@given(LENGTHS, SIZES, st.integers(1, 8))
def test_batches_are_full_but_for_the_last(lengths: list[float], size: int, more: int) -> None:
    found = _cut(lengths, size, size * more)
    assert all(len(batch) == size for batch in found[:-1])


def test_like_goes_with_like() -> None:
    lengths = [1.0, 30.0] * 8
    assert all(len({lengths[item] for item in batch}) == 1 for batch in _cut(lengths, 4, 16))
    # Without a look ahead they are as they come, for want of better.
    assert _cut(lengths, 4, 4)[0] == [1, 3, 0, 2]


def test_there_is_less_to_pad() -> None:
    """Of what a batch of 8 is padded with, 8 batches of look-ahead leave less than a third."""
    rng = random.Random(0)
    lengths = [rng.uniform(0.5, 30.0) for _ in range(640)]

    def padding(found: list[list[int]]) -> float:
        return sum(len(b) * max(lengths[i] for i in b) for b in found) - sum(lengths)

    as_they_come = [list(range(i, i + 8)) for i in range(0, 640, 8)]
    assert padding(_cut(lengths, 8, 64)) < padding(as_they_come) / 3


def test_the_size_may_shrink() -> None:
    sizes = iter([4, 4, 2, 2, 1, 1, 1, 1])
    source = Source([1.0] * 16)
    found = batches(
        source,
        size=lambda: next(sizes),
        seconds=source.seconds,
        look_ahead=8,
        most_seconds=100.0,
    )
    assert [len(batch) for batch in found] == [4, 4, 2, 2, 1, 1, 1, 1]
    assert source.read == list(range(16))


def test_an_item_longer_than_the_bound_goes_alone() -> None:
    assert _cut([5.0, 100.0, 5.0, 5.0], 4, 8, 20.0) == [[0], [1], [2, 3]]


def test_nothing_is_read_before_it_is_asked_for() -> None:
    source = Source([1.0] * 10)
    found = batches(
        source, size=lambda: 2, seconds=source.seconds, look_ahead=4, most_seconds=100.0
    )
    assert source.read == []
    next(found)
    assert len(source.read) == 4
