"""Texts without a word, and entities that their text does not have."""

from __future__ import annotations

import pytest

from evals.measures.text.scoring import missing_entities, without_words


@pytest.mark.parametrize(
    "text",
    ["", "  ", "-", "—", "...", "…", "?", "N/A", "n/a", "#N/A", "NaN", "[noise]", "<unk> [noise]",
     "(laughs)", "♪", "。", "\u200b", "\ufeff", "<|en|>"],
)  # fmt: skip
def test_nothing_is_said(text: str) -> None:
    assert without_words(text, "en")


@pytest.mark.parametrize(
    ("text", "language"),
    [("5", "en"), ("a", "en"), ("好", "zh"), ("[one]", "en"), ("null", "de"), ("nan", "zh"),
     ("uh oh", "en"), ("um, uh...", "en"), ("$5", "en"), ("हाँ", "hi"), ("none", "en")],
)  # fmt: skip
def test_something_is_said(text: str, language: str) -> None:
    assert without_words(text, language) is None


@pytest.mark.parametrize(
    ("text", "entities", "language", "missing"),
    [
        ("call anna lee", ["Anna Leigh"], "en", ["Anna Leigh"]),
        ("Call Anna Lee.", ["anna lee"], "en", []),
        ("call Berlin", ["Berlin", "Berlin"], "en", ["Berlin"]),
        ("pay twenty dollars to O'Brien", ["$20", "obrien"], "en", []),
        ("pay twenty dollars", ["$30"], "en", ["$30"]),
        ("我要去北京", ["北京"], "zh", []),
        ("call Berlin", [""], "en", [""]),
        ("das Ice Cream", ["icecream"], "de", []),
    ],
)
def test_entities_in_any_writing(
    text: str, entities: list[str], language: str, missing: list[str]
) -> None:
    assert missing_entities(text, entities, language) == missing
