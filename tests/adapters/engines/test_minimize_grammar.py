"""Making grammars small must not change what they accept."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.engines.pocketsphinx.minimize_grammar import Automaton, parse_fsg, smallest, write_fsg

pytestmark = pytest.mark.engine

STATES = 5
ARC = st.tuples(st.integers(0, STATES - 1), st.sampled_from("ab"), st.integers(0, STATES - 1))
EPSILON = st.tuples(st.integers(0, STATES - 1), st.integers(0, STATES - 1))
AUTOMATA = st.builds(
    Automaton,
    st.just(STATES),
    st.just(0),
    st.frozensets(st.integers(0, STATES - 1), min_size=1),
    st.frozensets(ARC, max_size=12),
    st.frozensets(EPSILON, max_size=5),
)
SENTENCES = [s for n in range(6) for s in itertools.product("ab", repeat=n)]


def _accepts(automaton: Automaton, sentence: tuple[str, ...]) -> bool:
    """By simulation of all paths at once, which knows nothing of the code under test."""

    def silent(states: set[int]) -> set[int]:
        while True:
            more = {b for a, b in automaton.epsilons if a in states} - states
            if not more:
                return states
            states = states | more

    now = silent({automaton.start})
    for word in sentence:
        now = silent({b for a, w, b in automaton.arcs if a in now and w == word})
    return bool(now & automaton.finals)


@given(AUTOMATA)
def test_same_sentences_before_and_after(automaton: Automaton) -> None:
    small = smallest(automaton)
    assert not small.epsilons
    assert len({(a, w) for a, w, _ in small.arcs}) == len(small.arcs)
    for sentence in SENTENCES:
        assert _accepts(small, sentence) == _accepts(automaton, sentence)


@given(AUTOMATA)
def test_twice_is_no_smaller_and_the_file_keeps_it(automaton: Automaton) -> None:
    small = smallest(automaton)
    assert smallest(small).states == small.states
    again = parse_fsg(write_fsg(small, "g"))
    for sentence in SENTENCES:
        assert _accepts(again, sentence) == _accepts(small, sentence)


def test_by_hand() -> None:
    # "a b" and "c b" written out apart: 3 states do, one of them dead ends excepted.
    apart = Automaton(
        5, 0, frozenset({2, 4}), frozenset({(0, "a", 1), (1, "b", 2), (0, "c", 3), (3, "b", 4)})
    )
    assert smallest(apart).states == 3
