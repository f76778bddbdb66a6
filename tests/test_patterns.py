"""The expressions of dialogues, held against Python's own, and their bounded time."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.patterns import LONGEST, PatternError, pattern

ATOMS = st.sampled_from(
    [
        "a",
        "b",
        "A",
        ".",
        r"\d",
        r"\w",
        r"\s",
        r"\W",
        "[ab]",
        "[^a]",
        "[a-c1]",
        r"[\d\s]",
        r"\.",
        " ",
        r"\b",
        r"\B",
        "^",
        "$",
        "1",
    ]
)


def _bigger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda p: f"({p[0]}|{p[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "*?", "{2}", "{1,}", "{0,2}"])).map(
            lambda p: f"(?:{p[0]}){p[1]}"
        ),
    )


@settings(deadline=None)
@given(st.recursive(ATOMS, _bigger, max_leaves=6), st.text("abAB1. \t", min_size=1, max_size=12))
def test_finds_what_python_finds(source: str, text: str) -> None:
    # Not in no text at all, where Python before 3.14 has no \\B. Its "$" also fits before a last line break, of which there is none here.
    assert pattern(source).search(text) == bool(re.search(source, text, re.IGNORECASE))


@pytest.mark.parametrize(
    "source", ["(a*)*b", "(a|a)*b", "(a|aa)+$", "(.*a){20}b", "(a?){50}a{50}b"]
)
def test_takes_no_time_where_python_takes_for_ever(source: str) -> None:
    assert not pattern(source).search("a" * 400 + "c")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("(", "ends too early|without its"),
        ("(a", "without its"),
        ("a)", "without a"),
        ("[a", "ends too early"),
        ("*a", "nothing before"),
        ("a**", "two repeats"),
        ("a{x}", r"is expected"),
        ("a{3,2}", "below its least"),
        ("a{9999}", "repeats too much"),
        ("((a{40}){40}){40}", "repeats too much"),
        (r"(a)\1", "not in the language"),
        ("(?=a)", "not in the language"),
        ("(?P<x>a)", "not in the language"),
        (r"\p", "not in the language"),
        ("[z-a]", "is empty"),
        ("a\\", "ends too early"),
        ("a" * (LONGEST + 1), "at most"),
    ],
)
def test_what_is_not_in_the_language(source: str, says: str) -> None:
    with pytest.raises(PatternError, match=says):
        pattern(source)
