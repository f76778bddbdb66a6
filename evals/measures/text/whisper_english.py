"""Whisper's English normalizer, as packaged, spared the steps that a text gives nothing to do.

It tries some fifty contractions and titles on each text, and each word of it for a number. Most
texts hold none of them; to look first takes a third of the time, and the result is the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import copy

#: whisper-normalizer spells these out, OpenAI's own does not, and published WERs used that one.
_NOT_OPENAIS = ("kinda", "sorta", "dunno", "cause")
#: What contractions are written with, and what encloses what is taken out before they are looked
#: for, which may bring together what stood apart.
_TELLING = frozenset("'<[(")
_DIGIT = re.compile(r"\d")


def whisper_english() -> Callable[[str], str]:
    """The normalizer of Whisper's paper (Radford et al. 2022, appendix C) for English."""
    from whisper_normalizer.english import EnglishTextNormalizer

    whole = EnglishTextNormalizer()
    for word in _NOT_OPENAIS:
        whole.replacers.pop(rf"\b{word}\b", None)
    numbers = whole.standardize_numbers

    def standardize_numbers(text: str) -> str:
        words = text.split()
        # Each of its numbers has a digit or one of its words; "and a half" is looked for as text.
        if _DIGIT.search(text) or "half" in text or not numbers.words.isdisjoint(words):
            return str(numbers(text))
        return " ".join(words)

    whole.standardize_numbers = standardize_numbers
    without = copy(whole)
    without.replacers = {}
    titles = re.compile("|".join(p for p in whole.replacers if "'" not in p))

    def normalize(text: str) -> str:
        lower = text.lower()
        some = not _TELLING.isdisjoint(lower) or titles.search(lower)
        return str((whole if some else without)(text))

    return normalize
