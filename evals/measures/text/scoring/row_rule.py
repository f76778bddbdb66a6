"""What a manifest's row has to hold so that it can be scored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from unicodedata import name

from evals.measures.text.scoring.scoring import scoring_for
from evals.measures.text.scoring.wordless import missing_entities, without_words
from fixtures.corpora.corpus import Utterance
from fixtures.safe_text import shown


def check_row(texts: Sequence[str], entities: Sequence[str], lang: str | None) -> None:
    """Refuse texts that say nothing and entities that no text of the row has.

    An empty text is of a clip without speech. Raises ValueError.
    """
    for text in texts:
        why = without_words(text, lang or "en") if text and not text.isspace() else None
        if why is not None:
            raise ValueError(
                f"'text' {why}: write what is said, or an empty text where nobody speaks"
            )
    if not entities:
        return
    language = scoring_for(lang or "en").language
    absent = set.intersection(*(set(missing_entities(t, entities, language)) for t in texts))
    for entity in entities:
        if entity in absent:
            raise ValueError(f"'entities': {shown(entity)} is not in the text")


def rows_not_english(rows: Iterable[Utterance]) -> int:
    """How many rows name no language, and have a text most letters of which are not Latin."""
    return sum(row.lang is None and _is_foreign(row.text) for row in rows)


def _is_foreign(text: str) -> bool:
    if text.isascii():
        return False
    letters = [letter for letter in text if letter.isalpha()]
    return 2 * sum(name(c, "").startswith(("LATIN", "FULLWIDTH LATIN")) for c in letters) < len(
        letters
    )
