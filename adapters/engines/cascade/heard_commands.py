"""What a recogniser wrote, as the words of commands: what people forgive is taken out of it.

How something is written says nothing of what was said: capitals, punctuation, digits, "to-day". Nor
do words of courtesy and articles. What is left is as it was heard: a mishearing stays one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set

from adapters.engines.cascade.number_words import ORDINALS

#: Words that change nothing. Recognisers lose the articles first, or hear one for another.
_IDLE = frozenset((
    "the", "a", "an", "some", "my", "your", "our", "please", "thanks", "no", "yes", "okay", "ok",
    "now", "actually", "just", "then", "hey", "hello", "hi", "well", "so", "um", "uh", "er",
    "oclock",
))  # fmt: skip
#: Words that no grammar has, and that still turn round what is wanted, or when, or where.
_MATTER = frozenset((
    "not", "dont", "never", "nobody", "nothing", "without", "except", "only", "instead", "if",
    "unless", "until", "before", "after", "when", "while", "why", "where", "who", "how", "should",
    "did", "was", "were", "isnt", "arent", "wont", "cant", "cannot", "later", "soon", "yesterday",
    "once", "twice", "every", "half", "quarter", "almost", "outside", "upstairs", "downstairs",
    "everywhere", "all", "both", "none",
))  # fmt: skip
#: In their order. A point or colon between digits is of a time, or of digits one by one.
_WRITTEN: Sequence[tuple[re.Pattern[str], str]] = tuple(
    (re.compile(pattern), into)
    for pattern, into in (
        (r"['\u2019]", ""),
        (r"%|\bper cent\b", " percent"),
        (r"\bto-(day|night|morrow)\b", r"to\1"),
        (r"(?<=\d)\s?a\.?m\b\.?", " in the morning"),
        (r"(?<=\d)\s?p\.?m\b\.?", " in the evening"),
        (r"\b(what|how|when|where)s\b", r"\1 is"),
        (
            r"\b(?:can|could|would|will) you\b|\bthank you\b|\bi (?:want|would like|need) you to\b",
            "",
        ),
        *((rf"\b{n}(?:st|nd|rd|th)\b", word) for n, word in enumerate(ORDINALS, start=1)),
    )
)
_WORD = re.compile(r"[a-z]+|\d+")


def commands(text: str) -> list[str]:
    """The commands of a turn, which "and" joins, each as its words without the idle ones."""
    text = text.lower()
    for pattern, into in _WRITTEN:
        text = pattern.sub(into, text)
    found: list[list[str]] = [[]]
    for word in _WORD.findall(text):
        if word == "and":
            found.append([])
        elif word not in _IDLE:
            found[-1].append(word)
    return [" ".join(words) for words in found if words]


def without_extra(command: str, known: Set[str]) -> Iterator[str]:
    """The command, then without a word before it, after it, and on both sides.

    known: the words that mean something to who is told. One of these in the wrong place, a number
    and a word that may turn the meaning round are never left out.
    """
    yield command
    words = command.split()
    first, last = (_is_extra(words[end], known) for end in (0, -1))
    for before, after in ((1, 0), (0, 1), (1, 1)):
        kept = words[before : len(words) - after]
        if kept and (first or not before) and (last or not after):
            yield " ".join(kept)


def _is_extra(word: str, known: Set[str]) -> bool:
    return word not in known and word not in _MATTER and not word.isdigit()


def words_of(patterns: Mapping[str, object] | Sequence[str]) -> frozenset[str]:
    """The words that regular expressions are made of; of "lights?" and "closed?" both forms."""
    found: set[str] = set()
    for pattern in patterns:
        for word, optional in re.findall(
            r"([a-z]+)(\??)", re.sub(r"\(\?P<\w+>|<\w+>", "(", pattern)
        ):
            found |= {word, word[:-1]} if optional else {word}
    return frozenset(found)
