"""The languages whose numbers are understood as words."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from evals.measures.text.scoring.numbers.grammar import Grammar
from evals.measures.text.scoring.numbers.languages import (
    chinese,
    dutch,
    english,
    french,
    german,
    hindi,
    italian,
    japanese,
    portuguese,
    spanish,
)
from fixtures.corpora.languages import Language

#: Languages with a grammar; numbers of all others are compared as digits.
LANGUAGES = ("de", "en", "es", "fr", "hi", "it", "ja", "nl", "pt", "yue", "zh")
_GRAMMARS: dict[str, Grammar] = {
    "de": german.GRAMMAR,
    "en": english.GRAMMAR,
    "es": spanish.GRAMMAR,
    "fr": french.GRAMMAR,
    "it": italian.GRAMMAR,
    "ja": japanese.GRAMMAR,
    "nl": dutch.GRAMMAR,
    "pt": portuguese.GRAMMAR,
    "yue": chinese.GRAMMAR,
    "zh": chinese.GRAMMAR,
}
#: Where Spanish has a point before a fraction and a comma between thousands.
_POINT_IN_SPANISH = frozenset({"MX", "US", "GT", "HN", "NI", "PA", "DO", "SV", "PR", "PE"})


@cache
def grammar_of(language: Language) -> Grammar | None:
    """How a language says numbers; None where they are compared as digits."""
    if language.code == "hi":
        return _hindi()
    grammar = _GRAMMARS.get(language.code)
    if grammar is not None and language.code == "es" and language.region in _POINT_IN_SPANISH:
        return _spanish_with_points()
    return grammar


@cache
def _hindi() -> Grammar:
    return hindi.grammar()


@cache
def _spanish_with_points() -> Grammar:
    return replace(spanish.GRAMMAR, decimal=".", groups=",", point=["punto", "coma"])
