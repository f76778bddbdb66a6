"""Which letters a recognizer can write, by the languages that it knows."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import langcodes
import regex

#: Scripts that are several of Unicode's.
_PARTS = {
    "Jpan": ("Hira", "Kana", "Hani"),
    "Kore": ("Hang", "Hani"),
    "Hans": ("Hani",),
    "Hant": ("Hani",),
}


def can_write(text: str, languages: Iterable[str]) -> bool:
    """Whether every letter of a text is of a script in which one of the languages is written.

    languages: codes such as "en". One that nobody knows is taken to be in Latin letters.
    """
    scripts = {part for language in languages for part in _scripts(language)}
    return _others(frozenset(scripts)).search(text) is None


@cache
def _scripts(language: str) -> tuple[str, ...]:
    try:
        script = langcodes.Language.get(language).maximize().script or "Latn"
    except ValueError:  # no language tag
        script = "Latn"
    return _PARTS.get(script, (script,))


@cache
def _others(scripts: frozenset[str]) -> regex.Pattern[str]:
    known = "".join(rf"\p{{Script_Extensions={script}}}" for script in sorted(scripts))
    return regex.compile(rf"(?V1)[\p{{L}}--[{known}\p{{Script=Common}}]]")
