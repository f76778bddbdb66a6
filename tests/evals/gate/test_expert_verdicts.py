"""Verdicts on plain inputs that were wrong at 948ee4c, each as an expert would give it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from evals.gate.paired_change import changes
from evals.gate.thresholds import load
from evals.gate.verdict import decide
from evals.measures.run_conditions import UNGATED
from evals.measures.statistics.further_evidence import further_evidence
from evals.measures.text.error_counts import Counted
from evals.records.measurement import FEW_SPEAKERS, Limit
from evals.records.predictions import Prediction
from evals.tasks.asr.scores import accuracy, accuracy_of
from evals.tasks.robustness.scores import drifts

PRODUCTION = load().limits(
    model="made-up", tier="production", task="asr", corpus="made-up", gate="tier"
)
TEN_PERCENT = Limit("max", 0.10, "made up")


def said(errors: Sequence[int], words: int, speakers: int | None = None) -> list[Prediction]:
    """Utterances of so many words, the first ones of each wrong."""
    reference = [chr(ord("a") + i) for i in range(words)]
    return [
        Prediction(
            str(i),
            " ".join(reference),
            " ".join(["wrong"] * wrong + reference[wrong:]),
            2.0,
            0.1,
            speaker=None if speakers is None else str(i % speakers),
        )
        for i, wrong in enumerate(errors)
    ]


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_one_wrong_word_is_no_worse_than_two(wrong: int) -> None:
    """WER up to 17.0 % and sentence errors up to 45 % were said of one wrong word in 800."""
    figures = accuracy(said([1] * wrong + [0] * (200 - wrong), 4), "none")
    assert decide(figures["wer"], PRODUCTION["wer"])[0] == "pass"
    wer, sentences = figures["wer"].ci, figures["sentence_error_rate"].ci
    assert wer is not None
    assert sentences is not None
    assert 0.003 < wer[1] < 0.028
    assert 0.01 < sentences[1] < 0.045


@pytest.mark.parametrize("errors", [[1] * 50, [2, *[1] * 49]])
def test_one_word_wrong_in_each_utterance_decides_no_limit_of_ten_percent(
    errors: list[int],
) -> None:
    """10.0 to 10.0 % passed, and 10.0 to 3,763 % asked for 7,333,650 more utterances."""
    wer = accuracy(said(errors, 10), "none")["wer"]
    assert wer.ci is not None
    assert 0.07 < wer.ci[0] < 0.095
    assert 0.105 < wer.ci[1] < 0.14
    assert decide(wer, [TEN_PERCENT])[0] == "inconclusive"
    further = further_evidence(wer, TEN_PERCENT)
    assert (further.utterances or 0) < 100_000


def test_two_speakers_tell_nothing_of_others() -> None:
    """0 to 98.8 % was said, and "24,662 more", which change nothing."""
    wer = accuracy(said([1] * 10 + [0] * 190, 4, speakers=2), "none")["wer"]
    assert wer.ci is not None
    assert 0.005 < wer.ci[0] < 0.007
    assert 0.02 < wer.ci[1] < 0.027
    assert wer.conditions == (FEW_SPEAKERS,)
    assert "2 speakers tell nothing of others" in (wer.reason or "")


@pytest.mark.parametrize("n", [1, 2, 8])
def test_no_difference_in_a_few_utterances_decides_nothing(n: int) -> None:
    """[0, 0] passed in the baseline's margin and in robustness alike."""
    before, after = (Counted(said([0] * n, 4), "none") for _ in range(2))
    change = changes(before, after)["wer_change"]
    assert decide(change, [Limit("max", 0.005, "margin")])[0] == "inconclusive"
    drift = drifts(said([0] * n, 4), {"reverb": said([0] * n, 4)}, "none")["reverb"]["wer_drift"]
    assert decide(drift, [Limit("max", 0.03, "made up")])[0] == "inconclusive"


def test_one_word_worse_in_each_of_two_utterances_is_no_regression() -> None:
    before, after = Counted(said([0, 0], 4), "none"), Counted(said([1, 1], 4), "none")
    change = changes(before, after)["wer_change"]
    assert change.value == 0.25
    assert decide(change, [Limit("max", 0.005, "margin")])[0] == "inconclusive"


def test_a_single_utterance_decides_no_rate() -> None:
    figures = accuracy_of(Counted(said([0], 4), "none"))
    for metric in ("wer", "cer"):
        assert decide(figures[metric], PRODUCTION[metric])[0] == "inconclusive"


def test_marks_of_few_speakers_keep_a_figure_gated() -> None:
    assert FEW_SPEAKERS not in UNGATED


def test_two_wrong_words_are_not_as_many_wrong_characters() -> None:
    """Characters are wrong by the word: two utterances break no CER limit either."""
    rows = [
        Prediction(str(i), "open the window now", "open the kitchen now", 2.0, 0.1)
        for i in range(2)
    ]
    figures = accuracy(rows, "none")
    for metric in ("wer", "cer"):
        assert decide(figures[metric], PRODUCTION[metric])[0] == "inconclusive"
