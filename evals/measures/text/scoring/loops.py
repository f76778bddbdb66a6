"""Loops: a model that says the same again and again, found on the raw text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import regex

from evals.measures.text.scoring.characters import fold, standard
from evals.measures.text.scoring.words import UNSPACED_SCRIPTS

#: A loop is a sequence of tokens heard at least LEAST_REPEATS times in a row, at least
#: LEAST_WORDS tokens long in all.
LEAST_REPEATS, LEAST_WORDS = 4, 8
#: Within one token: at least this many times, this many characters in all.
_LEAST_WITHIN, _LEAST_CHARACTERS = 8, 24
#: Marks of one kind in a row, without a letter between; dots and lines are how forms are filled.
_MARKS = regex.compile(r"(?:([^\w\s.…_\-–—=*~])\s*)(?:\1\s*){23,}")
_SCRIPTS = "".join(rf"\p{{Script={script}}}" for script in UNSPACED_SCRIPTS) + "\u30fc"
_TOKEN = regex.compile(
    rf"(?=[{_SCRIPTS}])\X|[\p{{L}}\p{{M}}\p{{N}}--[{_SCRIPTS}]]+"
    rf"(?:'[\p{{L}}\p{{M}}\p{{N}}--[{_SCRIPTS}]]+)*",
    regex.V1,
)
_UNSPACED = regex.compile(f"[{_SCRIPTS}]")
_WITHIN = regex.compile(rf"(.{{1,12}}?)\1{{{_LEAST_WITHIN - 1},}}")


def raw_tokens(text: str, code: str = "") -> list[str]:
    """Every word and cluster of a text, hesitations and what stands in brackets included."""
    return list(_TOKEN.findall(fold(standard(text, code), code)))


def loops(reference: str, hypothesis: str, code: str = "") -> int:
    """1 where the hypothesis repeats itself as the reference does not, else 0; both raw.

    A sequence of any number of tokens that follows itself at least LEAST_REPEATS times, at
    least LEAST_WORDS tokens in all; where the reference repeats the same sequence, by as many
    more than it does. Also one token, or a row of marks, that repeats a few characters.
    """
    if reference == hypothesis or not _can_loop(hypothesis):
        return 0
    heard = raw_tokens(hypothesis, code)
    marks, own_marks = _MARKS.search(hypothesis), _MARKS.search(reference)
    if marks and not own_marks:
        return 1
    said: list[str] | None = None
    for start, size, repeats in _runs(heard):
        needed = max(LEAST_REPEATS, math.ceil(LEAST_WORDS / size))
        sequence = heard[start : start + size]
        if repeats < needed or _repeats_itself(sequence):
            continue
        if said is None:
            said = raw_tokens(reference, code)
        own = _most_repeats(said, sequence)
        if repeats - max(0, own - 1) >= needed:
            return 1
    return int(any(_within(token, reference) for token in set(heard)))


def _can_loop(text: str) -> bool:
    """Whether a text has anything like a repetition, at a glance."""
    if _UNSPACED.search(text):
        return True
    words = text.lower().split()
    if len(words) - len(set(words)) >= LEAST_REPEATS - 1:
        return True
    return len(text) >= _LEAST_CHARACTERS and max(map(len, words), default=0) >= _LEAST_CHARACTERS


def _within(token: str, reference: str) -> bool:
    if len(token) < _LEAST_CHARACTERS:
        return False
    found = _WITHIN.search(token)
    return bool(
        found and len(found[0]) >= _LEAST_CHARACTERS and found[0] not in reference.casefold()
    )


def _runs(words: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """(start, size, how often) of the sequences that follow themselves.

    The distances between occurrences of equal words are the only sizes to try: for each, the
    places where the words agree at that distance are walked through once.
    """
    places: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        places.setdefault(word, []).append(place)
    sizes: dict[int, int] = {}
    for found in places.values():
        if len(found) < LEAST_REPEATS:
            continue
        for one, other in pairwise(found):
            sizes[other - one] = sizes.get(other - one, 0) + 1
        # A word that a sequence holds twice comes back at the distance of the whole.
        for step in range(2, min(8, len(found) // LEAST_REPEATS) + 1):
            for one, other in zip(found, found[step:], strict=False):
                sizes[other - one] = sizes.get(other - one, 0) + 1
    for size, times in sorted(sizes.items()):
        if times < LEAST_REPEATS - 1 or size * LEAST_REPEATS > len(words):
            continue
        start = 0
        while start + size < len(words):
            end = start + size
            while end < len(words) and words[end] == words[end - size]:
                end += 1
            if (repeats := (end - start) // size) >= LEAST_REPEATS:
                yield start, size, repeats
            # A run that begins any earlier is part of this one.
            start = end - size + 1


def _repeats_itself(sequence: Sequence[str]) -> bool:
    """Whether a shorter sequence is all that it holds, which is looked at on its own."""
    size = len(sequence)
    return any(size % part == 0 and sequence[part:] == sequence[:-part] for part in range(1, size))


def _most_repeats(words: Sequence[str], sequence: Sequence[str]) -> int:
    """How often at most the sequence stands in the words without anything between."""
    size = len(sequence)
    most = 0
    for start in range(len(words) - size + 1):
        repeats = 0
        while words[start + repeats * size : start + (repeats + 1) * size] == list(sequence):
            repeats += 1
        most = max(most, repeats)
    return most
