"""The expressions of dialogues, held against Python's own, and their bounded time."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.tasks.chat.expectations import Context, check_all
from fixtures.dialogues.expectations import expectation
from fixtures.dialogues.safe_regex import LONGEST, MOST_SECONDS, PatternError, TooSlow, pattern

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


def found_or_why(source: str, text: str) -> bool | str:
    """Whether the pattern fits, or why nobody knows."""
    try:
        return pattern(source).search(text)
    except (PatternError, TooSlow) as error:
        return str(error)


@pytest.mark.parametrize(
    "source", ["(a*)*b", "(a|a)*b", "(a|aa)+$", "(.*a){20}b", "(a?){50}a{50}b", "(?R)b"]
)
def test_ends_where_python_takes_for_ever(source: str) -> None:
    """It fits nowhere, which is found out, or given up with a message that names the pattern."""
    started = time.process_time()
    found = found_or_why(source, "a" * 400 + "c")
    assert found is False or repr(source) in str(found)
    # Of this process alone, whatever else the machine does; a search checks its limit now and then.
    assert time.process_time() - started < 10 * MOST_SECONDS


def test_an_answer_that_takes_too_long_does_not_fit_and_says_so() -> None:
    expected = expectation({"regex": "(a|aa)+$"})
    (outcome,) = check_all([expected], "a" * 400 + "c", Context("en"))
    assert not outcome.passed
    assert "took longer than 1 s" in outcome.reason


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("(", "missing \\)"),
        ("(a", "missing \\)"),
        ("a)", "unbalanced"),
        ("[a", "unterminated"),
        ("*a", "nothing to repeat"),
        ("a**", "multiple repeat"),
        ("a{3,2}", "min repeat greater"),
        ("a{999999}", "repeats too much"),
        ("((a{40}){40}){400}", "repeats too much"),
        ("(?:a{99999}){99999}", "repeats too much"),
        ("(?:a{9,99999}){2,99999}", "repeats too much"),
        (r"(a)\2", "group"),
        ("(?P<x>a)(?P=y)", "group"),
        ("[z-a]", "range"),
        ("a\\", "end of pattern"),
        ("a" * (LONGEST + 1), "at most"),
    ],
)
def test_what_is_no_pattern(source: str, says: str) -> None:
    with pytest.raises(PatternError, match=says):
        pattern(source)


@given(st.text(max_size=60))
def test_any_text_is_a_pattern_or_an_error(source: str) -> None:
    assert found_or_why(source, "the answer is 42") != ""
