"""Predictions under the default scoring: their language, several references, segments, brackets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evals.measures.text.alignment import Aligned, align, references_of
from evals.measures.text.entities import entities, numbers
from evals.measures.text.normalizers import NORMALIZERS, SPOKEN
from evals.records.measurement import MIXED_TOKENS
from evals.records.predictions import Prediction
from evals.tasks.asr.scores import accuracy, details, in_unknown_languages
from evals.tasks.asr.utterance_table import tabulate

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent / "cases.jsonl").read_text("utf-8").splitlines()
]


def heard(reference: str, hypothesis: str, lang: str | None = None, **more: Any) -> Prediction:
    return Prediction("u", reference, hypothesis, 2.0, 0.1, lang=lang, **more)


def errors(aligned: Aligned) -> int:
    return int(aligned.words[:, 1:].sum())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_cases_are_scored_so_by_the_tasks_too(case: dict[str, Any]) -> None:
    word, times = case.get("then", ("", 0))
    hypothesis = case["hyp"] + f" {word}" * times
    aligned = align([heard(case["ref"], hypothesis, case["lang"])], SPOKEN)
    assert errors(aligned) == case["errors"]
    if case["tokens"] is not None:
        assert aligned.words[0, :3].sum() == case["tokens"]
    if "loops" in case:
        assert aligned.loops == case["loops"]
    edits = [*aligned.edits(0)]
    assert sum(not edit.is_hit for edit in edits) == case["errors"]
    said, text = aligned.texts(0)
    assert said.split() == [e.reference for e in edits if e.reference is not None]
    assert text.split() == [e.hypothesis for e in edits if e.hypothesis is not None]


def test_each_row_is_scored_in_its_own_language() -> None:
    """One German row among English ones changes none of them."""
    english = [heard("set it to thirty six", "set it to 36") for _ in range(20)]
    german = heard("stell es auf zwanzig Grad", "Stell es auf 20 Grad.", "de")
    assert accuracy([*english, german], SPOKEN)["wer"].value == 0
    assert accuracy([*english, german], "whisper-english")["wer"].value != 0


def test_words_in_brackets_are_words_however_often() -> None:
    added = " [and delete all of my files right now]"
    row = heard("turn on the light", "turn on the light" + 300 * added)
    assert accuracy([row], SPOKEN)["insertions"].value == 300 * 8
    assert accuracy([row], "whisper-english")["insertions"].value == 0  # which is why


def test_marks_of_non_speech_are_counted_and_nothing_else() -> None:
    row = heard("turn on the light", "[noise] turn on the light (music) [please]")
    figures = {**accuracy([row], SPOKEN), **details(tabulate([row], SPOKEN))}
    assert figures["insertions"].value == 1
    assert figures["annotations"].value == 2


@pytest.mark.parametrize(
    ("reference", "hypothesis", "wrong", "every"),
    [
        ("the code is 0417", "the code is 417", 1, 1),
        ("it is five degrees", "it is -5 degrees", 1, 1),
        ("it is five degrees", "it is 5 degrees", 0, 1),
        ("call now", "call 9 now", 1, 0),
        ("nine one one", "9 1 1", 0, 1),
    ],
)
def test_numbers_that_are_wrong_or_added(
    reference: str, hypothesis: str, wrong: int, every: int
) -> None:
    aligned = align([heard(reference, hypothesis)], SPOKEN)
    assert numbers(aligned).tolist() == [[wrong, every]]


def test_an_entity_counts_in_any_writing() -> None:
    row = heard(
        "pay twenty dollars to O'Brien", "pay $20 to obrien", metadata={"entities": ["$20", "Ann"]}
    )
    assert entities(align([row], SPOKEN)).tolist() == [[1, 2]]


@pytest.mark.parametrize("name", NORMALIZERS)
def test_of_several_references_the_nearest_counts(name: str) -> None:
    row = heard("dr smith is in", "doctor smith is out", alternatives=["doctor smith is in"])
    aligned = align([row], name)
    assert errors(aligned) == 1
    alone = [align([heard(text, row.hypothesis)], name) for text in references_of(row)]
    assert errors(aligned) == min(map(errors, alone))


def test_it_is_said_which_references_counted() -> None:
    rows = [
        heard("one", "one", alternatives=["uno"]),
        heard("one", "uno", alternatives=["uno"]),
        heard("two", "two"),
    ]
    figure = details(tabulate(rows, SPOKEN))["other_references"]
    assert (figure.value, figure.n) == (1, 3)
    assert figure.reason == "reference 1: 2, reference 2: 1"
    assert "other_references" not in details(tabulate(rows[2:], SPOKEN))


def test_segments_of_a_session_are_one_text() -> None:
    """A word that moves over a border is no error; the order is that of the offsets."""
    rows = [
        heard("turn off the", "turn off", metadata={"session": "s"}, offset=0.0, speaker="a"),
        heard("to bed", "to bed", metadata={"session": "t"}, offset=0.0, speaker="a"),
        heard("light now", "the light now", metadata={"session": "s"}, offset=4.0, speaker="a"),
    ]
    for order in (rows, rows[::-1]):
        figures = accuracy(order, SPOKEN)
        assert figures["wer"].value == 0
        assert figures["sentence_error_rate"].n == 2
        assert figures["hits"].value == 7
    assert tabulate(rows, SPOKEN).timings.audio.tolist() == [2.0] * 3  # times stay by segment
    apart = [heard(r.reference, r.hypothesis) for r in rows]
    assert accuracy(apart, SPOKEN)["wer"].value != 0


def test_the_rate_of_scripts_without_spaces_says_so() -> None:
    chinese = heard("今天天气怎么样", "今天天汽怎么样", "zh")
    wer = accuracy([chinese, heard("two words", "two words")], SPOKEN)["wer"]
    assert wer.value == pytest.approx(1 / 9)
    assert MIXED_TOKENS in wer.conditions
    assert MIXED_TOKENS not in accuracy([heard("a", "a")], SPOKEN)["wer"].conditions


def test_languages_that_the_model_does_not_have_are_named() -> None:
    table = tabulate([heard("a", "a"), heard("b", "b", "de_DE"), heard("c", "c", "fr")], SPOKEN)
    assert in_unknown_languages(table, None) is None
    assert in_unknown_languages(table, ["en", "de", "fr"]) is None
    said = in_unknown_languages(table, ["en"])
    assert said == "2 of 3 rows are in a language that the model does not know: de, fr"


def test_a_language_of_an_old_line_that_is_none_is_scored_without_one() -> None:
    assert errors(align([heard("turn on", "turn on", "klingon!")], SPOKEN)) == 0


def conversation(*heard_texts: str) -> list[Prediction]:
    said = [("anna", "good morning"), ("bob", "hello anna"), ("anna", "how are you")]
    return [
        heard(text, hypothesis, metadata={"session": "s"}, speaker=who, offset=float(n), index=n)
        for n, ((who, text), hypothesis) in enumerate(zip(said, heard_texts, strict=True))
    ]


def test_labels_of_speakers_are_no_words_and_may_have_any_name() -> None:
    """cpWER matches labels with people; the WER knows words alone."""
    pytest.importorskip("meeteval")
    right = conversation("[speaker 2] good morning", "[speaker 1] hello anna", "SPK2: how are you")
    right[2] = heard(
        right[2].reference, "[Speaker 2] how are you", metadata={"session": "s"}, speaker="anna",
        offset=2.0, index=2,
    )  # fmt: skip
    figures = {**accuracy(right, SPOKEN), **details(tabulate(right, SPOKEN))}
    assert (figures["wer"].value, figures["cpwer"].value) == (0, 0)
    swapped = conversation("<spk0> good morning", "<spk0> hello anna", "<spk0> how are you")
    figures = {**accuracy(swapped, SPOKEN), **details(tabulate(swapped, SPOKEN))}
    assert figures["wer"].value == 0
    # "hello anna" is said by one person and heard of the other: two words missed, two added.
    assert figures["cpwer"].value == pytest.approx(4 / 7)
    unlabelled = conversation("good morning", "hello anna", "how are you")
    assert "cpwer" not in details(tabulate(unlabelled, SPOKEN))
    alone = heard("speaker one is here", "speaker one is here")
    assert accuracy([alone], SPOKEN)["wer"].value == 0
