"""Numbers as words, held against other implementations that know them."""

from __future__ import annotations

import random

import pytest
from indic_numtowords import num2words as indic_words
from text_to_num import text2num

from evals.measures.text.scoring import score, scoring_for
from evals.measures.text.scoring.lattices.lattice import Compact, Lattice
from tests.support.speech_faults import need_libraries

pytestmark = pytest.mark.slow

#: Languages that text2num reads.
READABLE = ("en", "de", "fr", "es", "it", "nl", "pt")
ANY = random.Random(7)
NUMBERS = [*range(101), 110, 199, 200, 999, 1000, 1001, 1999, 2024, *ANY.sample(range(10**6), 12)]


def _ways(compact: Compact) -> set[tuple[str, ...]]:
    """Everything that a lattice says."""
    ends: list[set[tuple[str, ...]]] = [set() for _ in compact.steps]
    for node in range(len(compact.steps) - 1, -1, -1):
        if node in compact.accepting:
            ends[node].add(())
        for step in compact.steps[node]:
            ends[node] |= {(step.token, *rest) for rest in ends[step.end]}
    return ends[0]


def _cardinals(number: int, language: str) -> set[tuple[str, ...]]:
    scoring = scoring_for(language)
    assert scoring.grammar is not None
    lattice = Lattice()
    lattice.add(scoring.grammar.cardinal(number), scoring.words)
    return _ways(lattice.compact())


@pytest.mark.parametrize("language", READABLE)
def test_text2num_reads_each_number_as_what_it_is(language: str) -> None:
    read = 0
    for number in NUMBERS:
        # Compounds that are written apart in part are beyond it.
        gap = "" if language in ("de", "nl") and number < 10**6 else " "
        for text in sorted({gap.join(words) for words in _cardinals(number, language)}):
            try:
                theirs = text2num(text, language)
            except ValueError:
                continue
            assert theirs == number, text
            read += 1
    assert read >= len(NUMBERS)


def test_hindi_as_indic_numtowords_has_it() -> None:
    for number in NUMBERS:
        assert score(str(number), indic_words(number, lang="hi"), "hi").errors == 0


@pytest.mark.parametrize("language", [*READABLE, "hi", "ja", "zh"])
def test_no_two_numbers_are_said_alike(language: str) -> None:
    scoring = scoring_for(language)
    owner: dict[tuple[str, ...], int] = {}
    for number in (*range(240), *range(300, 1000, 37), *range(1000, 10_000, 991)):
        for words in _ways(scoring.tokens(str(number)).lattice.compact()):
            assert owner.setdefault(words, number) == number, words


@pytest.mark.parametrize("language", [*READABLE, "hi", "ja", "zh", "sv"])
def test_a_digit_lost_or_changed_is_an_error(language: str) -> None:
    for number in ("7", "30", "201", "417", "1430", "5550142"):
        for other in (f"0{number}", f"-{number}", f"{number}%", number[:-1] + "9", f"{number}8"):
            assert score(number, other, language).errors > 0, (number, other)


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "it", "pt", "nl", "ja"])
def test_num2words_says_nothing_that_is_not_known(language: str) -> None:
    need_libraries("num2words")
    from num2words import num2words

    for number in NUMBERS:
        said = num2words(number, lang=language)
        if "dicotto" in said or "einstausend" in said:
            continue  # misspelt there: diciotto, eintausend
        assert score(str(number), said, language).errors == 0, said


@pytest.mark.parametrize("text", ["1" * 3000, "9 " * 3000, "1,1" * 2000, "1." * 3000 + "5"])
def test_a_row_of_digits_grows_no_faster_than_its_length(text: str) -> None:
    lattice = scoring_for("en").tokens(text).lattice
    assert sum(map(len, lattice.arcs)) < 60 * len(text)
