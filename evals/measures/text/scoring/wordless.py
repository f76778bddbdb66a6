"""Texts that say nothing where there is sound, and entities that their text does not have."""

from __future__ import annotations

from collections.abc import Sequence

from evals.measures.text.scoring.annotations import without_annotations
from evals.measures.text.scoring.scoring import scoring_for
from fixtures.corpora.languages import Language

#: What tools write where they have no text. In these cases only: "nan" and "null" are words.
PLACEHOLDERS = frozenset(
    {
        "N/A",
        "n/a",
        "N.A.",
        "n.a.",
        "NA",
        "#N/A",
        "NaN",
        "<NA>",
        "<na>",
        "<N/A>",
        "#NA",
        "TBD",
        "TODO",
    }
)


def without_words(text: str, language: Language | str) -> str | None:
    """Why a text says nothing: the words of an error, or None where it holds a word.

    Nothing is said by an empty text, by marks alone ("-", "..."), by annotations alone
    ([noise], <unk>), and by a placeholder such as "N/A". Hesitations are said, though they
    count as nothing.
    """
    stripped = text.strip()
    if not stripped:
        return "is empty"
    if stripped in PLACEHOLDERS:
        return f"is {stripped!r}, which stands for no text"
    spoken, annotations = without_annotations(stripped)
    # Tokens are the dearer question by far, and every row of a corpus is asked.
    if any(map(str.isalnum, spoken)) or scoring_for(language).words(spoken):
        return None
    if annotations:
        return f"holds only marks of non-speech: {stripped!r}"
    return f"holds no word: {stripped!r}"


def missing_entities(text: str, entities: Sequence[str], language: Language | str) -> list[str]:
    """The entities that a text does not have, word for word or in another writing of them.

    One that is marked twice must be there twice.
    """
    scoring = scoring_for(language)
    left: list[str | None] = list(scoring.words(text))
    missing: list[str] = []
    found: set[tuple[str, ...]] = set()
    for entity in sorted(entities, key=lambda e: -len(scoring.words(e))):
        words = scoring.words(entity)
        place = _place(words, left)
        if place is not None:
            left[place : place + len(words)] = [None] * len(words)
            found.add(words)
        elif words in found or not _written_otherwise(entity, text, scoring_for(language).code):
            missing.append(entity)
    return missing


def _place(words: Sequence[str], text: Sequence[str | None]) -> int | None:
    if not words:
        return None
    for start in range(len(text) - len(words) + 1):
        if tuple(text[start : start + len(words)]) == tuple(words):
            return start
    return None


def _written_otherwise(entity: str, text: str, code: str) -> bool:
    """Whether every word of an entity is heard in a text, one after the other."""
    scored = scoring_for(code).score(entity, text)
    if not scored.hits or scored.substitutions or scored.deletions:
        return False
    places = [place for place, pair in enumerate(scored.pairs) if pair.is_hit]
    return places[-1] - places[0] + 1 == len(places)
