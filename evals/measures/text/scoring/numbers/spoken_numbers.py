"""Numbers of a text counted whole: wrong ones, and ones that were added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from evals.measures.text.scoring.characters import standard
from evals.measures.text.scoring.lattices.alignment import Pair
from evals.measures.text.scoring.numbers.grammar import Grammar, _collect, vocabulary
from evals.measures.text.scoring.words import plain_tokens


@dataclass(frozen=True, slots=True)
class NumberCounts:
    """total: numbers of the reference. wrong: those not heard as they are. added: further ones
    in the hypothesis."""

    total: int = 0
    wrong: int = 0
    added: int = 0

    @property
    def errors(self) -> int:
        return self.wrong + self.added


_NONE = NumberCounts()


def count_numbers(pairs: Sequence[Pair], grammar: Grammar | None, code: str) -> NumberCounts:
    """Count numbers in an alignment, in digits or in words.

    A number is a written one with its sign and unit, or the number words that follow each
    other. It is wrong where any token of it is no hit, or where the hypothesis has more to it.
    """
    words, beside, ambiguous = (
        _words(grammar, code) if grammar else (frozenset(), frozenset(), frozenset())
    )
    said_tokens, heard_tokens, said_groups, heard_groups = (
        zip(*pairs, strict=True) if pairs else ((), (), (), ())
    )
    if (
        words.isdisjoint(said_tokens)
        and words.isdisjoint(heard_tokens)
        and max(said_groups, default=-1) < 0
        and max(heard_groups, default=-1) < 0
    ):
        return _NONE
    said = _runs([(p.reference, p.reference_group) for p in pairs], words, beside, ambiguous)
    heard = _runs([(p.hypothesis, p.hypothesis_group) for p in pairs], words, beside, ambiguous)
    owner = {place: number for number, places in enumerate(said) for place in places}
    hit = [p.reference == p.hypothesis for p in pairs]
    wrong = {number for number, places in enumerate(said) if not all(hit[p] for p in places)}
    added = 0
    for places in heard:
        if all(hit[place] for place in places):
            continue
        touched = {owner[place] for place in places if place in owner}
        wrong |= touched
        added += not touched
    return NumberCounts(len(said), len(wrong), added)


def _runs(
    tokens: Sequence[tuple[str | None, int]],
    words: frozenset[str],
    beside: frozenset[str],
    ambiguous: frozenset[str],
) -> list[list[int]]:
    """The places of each number."""
    found: list[list[int]] = []
    current: list[int] = []
    kind = -2
    sure = False
    for place, (token, group) in enumerate(tokens):
        if token is None:
            continue
        own = group if group >= 0 else -1 if token in words or token in beside else -2
        if own != kind or own == -2:
            if current and sure:
                found.append(current)
            current, sure = [], False
        kind = own
        if own != -2:
            current.append(place)
            sure = sure or own >= 0 or (token in words and token not in ambiguous)
    if current and sure:
        found.append(current)
    return found


@lru_cache(maxsize=64)
def _words(grammar: Grammar, code: str) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Number words, words that belong to a number beside such, and words of another meaning."""

    def tokens(words: set[str] | frozenset[str]) -> frozenset[str]:
        return frozenset(t for w in words for t in plain_tokens(standard(w, code), code))

    said: set[str] = set()
    for expression in (grammar.minus, grammar.percent):
        _collect(expression, said)
    ambiguous = tokens(set(grammar.ambiguous.split()))
    return tokens(vocabulary(grammar)), tokens(said), ambiguous
