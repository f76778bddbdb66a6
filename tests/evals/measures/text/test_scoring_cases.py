"""The default scoring against texts with the right answer, in many languages and scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evals.measures.text.scoring import score, scoring_for

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent / "cases.jsonl").read_text("utf-8").splitlines()
]
#: (language, one text, another, errors): the same either way round.
PAIRS = [
    tuple(json.loads(line))
    for line in (Path(__file__).parent / "pairs.jsonl").read_text("utf-8").splitlines()
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_the_errors_that_were_made(case: dict[str, Any]) -> None:
    hypothesis = case["hyp"]
    if "then" in case:
        word, times = case["then"]
        hypothesis += f" {word}" * times
    scored = score(case["ref"], hypothesis, case["lang"])
    assert scored.errors == case["errors"], scored.pairs
    if case["tokens"] is not None:
        assert len(scored.reference) == case["tokens"]
    if "loops" in case:
        assert scored.loops == case["loops"]


@pytest.mark.parametrize(("language", "one", "other", "errors"), PAIRS)
def test_either_way_round(language: str, one: str, other: str, errors: int) -> None:
    assert score(one, other, language).errors == errors
    assert score(other, one, language).errors == errors


@pytest.mark.slow
@pytest.mark.parametrize("case", [c for c in CASES if not c["errors"]], ids=lambda c: c["id"])
def test_a_text_equals_itself_and_its_other_writing(case: dict[str, Any]) -> None:
    for text in (case["ref"], case["hyp"]):
        assert score(text, text, case["lang"]).errors == 0
    assert score(case["hyp"], case["ref"], case["lang"]).errors == 0


@pytest.mark.parametrize(
    ("language", "reference", "hypothesis", "total", "wrong", "added"),
    [
        ("en", "the code is 0417", "the code is 417", 1, 1, 0),
        ("en", "it is five degrees", "it is -5 degrees", 1, 1, 0),
        ("de", "50% Rabatt", "50 Rabatt", 1, 1, 0),
        ("en", "call 911", "call 911 22", 1, 0, 1),
        ("en", "call nine one one", "call 9 1 1", 1, 0, 0),
        ("en", "at six thirty pm", "at 6:30 pm", 1, 0, 0),
        ("en", "it costs twenty one dollars fifty", "it costs $21.50", 2, 0, 0),
        ("en", "no number here", "no 5 here", 0, 0, 1),
        ("en", "this one is fine", "this is fine", 0, 0, 0),
        ("en", "minus five", "five", 1, 1, 0),
        ("en", "fifty percent", "fifty", 1, 1, 0),
        ("de", "zwanzig Minuten", "30 Minuten", 1, 1, 0),
        ("ru", "дом 12", "дом 13", 1, 1, 0),
        ("zh", "三十六度", "36度", 1, 0, 0),
    ],
)
def test_numbers_count_whole(
    language: str, reference: str, hypothesis: str, total: int, wrong: int, added: int
) -> None:
    counts = score(reference, hypothesis, language).numbers
    assert (counts.total, counts.wrong, counts.added) == (total, wrong, added)


def test_of_several_references_the_one_with_the_fewest_errors() -> None:
    scored = score(["turn of the light", "turn on the light"], "Turn on the light.", "en")
    assert (scored.errors, scored.used) == (0, 1)
    with pytest.raises(ValueError, match="at least one reference"):
        score([], "turn on", "en")


def test_annotations_are_counted_and_no_words() -> None:
    scored = score("turn on [noise] the light", "turn on (laughs) the light [MUSIC]", "en")
    assert (scored.errors, scored.annotations, len(scored.reference)) == (0, 2, 4)
    assert score("", "(Thank you for watching!)", "en").insertions == 4
    assert score("", "[Music] <unk> *coughs* ♪ 【音乐】 <|en|>", "en").annotations == 6


def test_characters_without_spaces_and_marks() -> None:
    assert score("今天，天气。", "今天天汽", "zh").characters == (3, 1, 0, 0)
    assert score("ice cream", "icecream!", "en").characters == (8, 0, 0, 0)


def test_a_language_without_a_grammar_keeps_digits() -> None:
    assert scoring_for("sv").grammar is None
    assert score("rum 12", "rum tolv", "sv").errors == 1
