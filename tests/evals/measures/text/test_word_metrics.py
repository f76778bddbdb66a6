"""Metrics beside WER and CER, against tables worked by hand and jiwer's own figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jiwer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.measures.text.alignment import align
from evals.measures.text.confusions import Confusion
from evals.measures.text.normalizers import NORMALIZERS, normalizer, normalizer_of
from evals.records.predictions import Prediction
from evals.tasks.asr.scores import accuracy, accuracy_of, details
from evals.tasks.asr.utterance_table import tabulate
from fixtures.corpora.corpus import Corpus, Utterance

WORDS = st.lists(st.sampled_from(["a", "b", "c", "dé", "日本"]), min_size=1, max_size=6).map(
    " ".join
)


def predictions(pairs: Sequence[tuple[str, str]], **extra: Any) -> list[Prediction]:
    return [
        Prediction(f"u{i}", said, heard, 1.0, 0.1, **extra) for i, (said, heard) in enumerate(pairs)
    ]


def value(
    pairs: Sequence[tuple[str, str]], metric: str, normalizer_name: str = "none"
) -> float | None:
    return accuracy(predictions(pairs), normalizer_name)[metric].value


@pytest.mark.parametrize(
    ("said", "heard", "mer", "wil", "ratio"),
    [
        ("a b c", "a b c", 0.0, 0.0, 1.0),
        ("a b c d", "a b x d", 1 / 4, 1 - (3 / 4) * (3 / 4), 1.0),
        ("a b c d", "a b c", 1 / 4, 1 - (3 / 4) * (3 / 3), 3 / 4),
        ("a b", "a b c c", 2 / 4, 1 - (2 / 2) * (2 / 4), 2.0),
        ("a b", "", 1.0, 1.0, 0.0),
        ("a", "x y z", 1.0, 1.0, 3.0),
    ],
)
def test_by_hand(said: str, heard: str, mer: float, wil: float, ratio: float) -> None:
    pairs = [(said, heard)]
    assert value(pairs, "mer") == pytest.approx(mer)
    assert value(pairs, "wil") == pytest.approx(wil)
    assert value(pairs, "length_ratio") == pytest.approx(ratio)


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(st.tuples(WORDS, st.one_of(st.just(""), WORDS)), min_size=1, max_size=8))
def test_as_jiwer_has_them(pairs: list[tuple[str, str]]) -> None:
    theirs = jiwer.process_words([a for a, _ in pairs], [b for _, b in pairs])
    assert value(pairs, "wer") == pytest.approx(theirs.wer)
    assert value(pairs, "mer") == pytest.approx(theirs.mer)
    assert value(pairs, "wil") == pytest.approx(theirs.wil)


def test_sentence_errors_and_hits() -> None:
    figures = accuracy(
        predictions([("a b", "a b"), ("a b", "a"), ("c", "c d"), ("e", "e")]), "none"
    )
    assert figures["sentence_error_rate"].value == 0.5
    assert figures["hits"].value == 5
    assert figures["sentence_error_rate"].ci is not None


def test_mer_never_passes_one_and_wer_may() -> None:
    pairs = [("a", "b c d e")]
    assert value(pairs, "wer") == 4.0
    assert value(pairs, "mer") == 1.0


@pytest.mark.parametrize(
    ("said", "heard", "rate"),
    [
        ("set it to twenty five", "set it to 25", 0.0),
        ("set it to twenty five", "set it to 26", 1.0),
        ("call 5 and 6", "call 5 and", 0.5),
        ("it costs five dollars", "it costs $5", 0.0),
        ("it costs five dollars", "it costs $50", 1.0),
        ("the third of may", "the 3rd of may", 0.0),
    ],
)
def test_numbers(said: str, heard: str, rate: float) -> None:
    table = tabulate(predictions([(said, heard)]), "whisper-english")
    assert details(table)["number_error_rate"].value == rate


def test_no_numbers_no_rate() -> None:
    assert "number_error_rate" not in details(
        tabulate(predictions([("a", "b")]), "whisper-english")
    )


@pytest.mark.parametrize(
    ("marked", "heard", "rate"),
    [
        (["Anna Lee"], "call anna lee now", 0.0),
        (["Anna Lee"], "call anna now", 1.0),
        (["Anna Lee", "Bob"], "call anna lee and rob", 0.5),
        (["Bob", "Bob"], "call bob", 0.5),  # marked twice, heard once
        (["Anna", "Anna Lee"], "call anna lee", 0.5),  # a word counts for one entity
        (["$5"], "call about five dollars", 0.0),
    ],
)
def test_entities(marked: list[str], heard: str, rate: float) -> None:
    rows = predictions([("call somebody", heard)], metadata={"entities": marked})
    assert details(tabulate(rows, "whisper-english"))["entity_error_rate"].value == rate


@pytest.mark.parametrize(
    ("said", "heard", "casing", "punctuation"),
    [
        ("Hello, Anna.", "Hello, Anna.", 0.0, 0.0),
        ("Hello, Anna.", "hello anna", 1.0, 1.0),
        ("Hello, Anna.", "Hello Anna.", 0.0, 0.5),
        ("Hello Anna.", "Hello, Anna.", 0.0, 1.0),  # one added, of one in the reference
        ("Is it Anna?", "Is it Anna.", 0.0, 1.0),
        ("It's half-past two, Anna.", "It's half-past two, anna.", 0.25, 0.0),
        ("Hello, Anna.", "Hello, Hannah!", 0.0, 0.0),  # a wrong word is a word error, nothing more
    ],
)
def test_capitals_and_punctuation(said: str, heard: str, casing: float, punctuation: float) -> None:
    found = details(tabulate(predictions([(said, heard)]), "whisper-english"))
    assert found["casing_error_rate"].value == pytest.approx(casing)
    assert found["punctuation_error_rate"].value == pytest.approx(punctuation)


def test_plain_references_have_no_orthography() -> None:
    found = details(tabulate(predictions([("hello anna", "Hello, Anna.")]), "whisper-english"))
    assert not {"casing_error_rate", "punctuation_error_rate"} & found.keys()


def test_confusions_by_frequency() -> None:
    pairs = [("a b", "a c"), ("b", "c"), ("d e", "d"), ("f", "f g"), ("b x", "b x")]
    found = tabulate(predictions(pairs), "none").confusions.most()
    assert found[0] == Confusion("b", "c", 2)
    assert set(found[1:]) == {Confusion("e", None, 1), Confusion(None, "g", 1)}
    assert tabulate(predictions([("a", "a")]), "none").confusions.most() == []
    assert tabulate(predictions(pairs), "none").confusions.most(1) == [Confusion("b", "c", 2)]


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=6))
def test_every_edit_is_a_confusion_once(pairs: list[tuple[str, str]]) -> None:
    table = tabulate(predictions(pairs), "none")
    assert sum(c.count for c in table.confusions.most(10**6)) == table.words[:, 1:].sum()


@pytest.mark.parametrize(
    ("name", "normalized"),
    [
        ("whisper-english", "it is $5 mr smith"),
        ("whisper-basic", "it s five dollars mr smith"),
        ("lower", "it's five dollars, mr. smith!"),
        ("none", "It's five dollars, Mr. Smith!"),
    ],
)
def test_normalizers(name: str, normalized: str) -> None:
    found = normalizer(name)(" It's five  dollars, Mr. Smith! ")
    assert found.replace("mister", "mr") == normalized


def _corpus(rows: Sequence[Mapping[str, Any]], lang: str | None = None) -> Corpus:
    from pathlib import Path

    utterances = [
        Utterance(f"u{i}", Path("x.wav"), "a", lang=lang, metadata=row)
        for i, row in enumerate(rows)
    ]
    return Corpus("c", Path("m.jsonl"), utterances)


def test_normalizer_of_a_corpus() -> None:
    assert normalizer_of(_corpus([{}, {}])) == "spoken"
    assert normalizer_of(_corpus([{}], "de")) == "spoken"
    assert normalizer_of(_corpus([{"normalizer": "lower"}] * 2)) == "lower"
    for rows in ([{"normalizer": "lower"}, {}], [{"normalizer": "lower"}, {"normalizer": "none"}]):
        with pytest.raises(ValueError, match="do not agree"):
            normalizer_of(_corpus(rows))
    with pytest.raises(ValueError, match="no normalizer is called 'mine'"):
        normalizer_of(_corpus([{"normalizer": "mine"}]))
    assert set(NORMALIZERS) == {"spoken", "whisper-english", "whisper-basic", "lower", "none"}


def test_loops_are_counted() -> None:
    pairs = [("stop", "stop " + "thank you " * 6), ("nine nine nine nine", "nine nine nine nine")]
    assert details(tabulate(predictions(pairs), "none"))["loops"].value == 1


def test_nothing_at_all() -> None:
    figures = accuracy_of(align([], "none"))
    assert figures["wer"].value is None
    assert figures["wil"].value is None
