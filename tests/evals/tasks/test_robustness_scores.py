"""Drift under a condition: hand-worked, paired, and never of other utterances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from evals.measures.statistics.intervals import ratio_interval
from evals.measures.statistics.paired_interval import difference_interval
from evals.records.predictions import Prediction
from evals.tasks.robustness.scores import drifts

# id, speaker, reference, heard clean (errors), heard under noise (errors)
TABLE = [
    ("a", "s1", "set a timer", "set a timer", "set the timer"),  # 0 -> 1
    ("b", "s1", "call mom", "call tom", "call tom"),  # 1 -> 1
    ("c", "s2", "play some jazz music now", "play some jazz music now", ""),  # 0 -> 5
    ("d", "s2", "stop", "", "stop"),  # 1 -> 0
    ("e", "s3", "lock the front door", "lock the front door", "lock the front door oh"),  # 0 -> 1
]
WORDS, CLEAN_ERRORS, ERRORS = 15, 2, 8


def predictions(column: int, *, speakers: bool = True) -> list[Prediction]:
    return [
        Prediction(row[0], row[2], row[column], 2.0, 0.1, speaker=row[1] if speakers else None)
        for row in TABLE
    ]


CLEAN, NOISY = predictions(3), predictions(4)


def test_drift_by_hand() -> None:
    figures = drifts(CLEAN, {"white-0db": NOISY, "same": CLEAN}, "whisper-english")
    assert list(figures) == ["white-0db", "same"]
    noisy = figures["white-0db"]
    assert noisy["wer"].value == pytest.approx(ERRORS / WORDS)
    assert noisy["wer_drift"].value == pytest.approx((ERRORS - CLEAN_ERRORS) / WORDS)
    assert noisy["wer"].n == noisy["wer_drift"].n == len(TABLE)
    same = figures["same"]["wer_drift"]
    assert same.value == 0.0
    assert same.ci is not None
    assert same.ci[0] == -same.ci[1] < 0


@pytest.mark.parametrize("speakers", [True, False])
def test_intervals_are_paired_and_over_speakers_where_known(speakers: bool) -> None:
    clean, noisy = predictions(3, speakers=speakers), predictions(4, speakers=speakers)
    figures = drifts(clean, {"reverb": noisy}, "whisper-english")["reverb"]
    clusters = [row[1] for row in TABLE] if speakers else None
    lengths, errors = np.array([3.0, 2, 5, 1, 4]), np.array([1.0, 1, 5, 0, 1])
    changes = np.array([1.0, 0, 5, -1, 1])
    assert figures["wer_drift"].ci == difference_interval(changes, lengths, clusters, least=1.0)
    assert figures["wer"].ci == ratio_interval(errors, lengths, clusters)


def test_pairing_tells_what_the_rates_apart_cannot() -> None:
    # Half the utterances are hopeless either way; each of the others loses one word of ten.
    words = "one two three four five six seven eight nine ten"
    rows = [(f"u{i}", "" if i % 2 else words) for i in range(60)]
    clean = [Prediction(i, words, said, 2.0, 0.1) for i, said in rows]
    worse = [replace(p, hypothesis=p.hypothesis.removesuffix(" ten")) for p in clean]
    figures = drifts(clean, {"mp3": worse}, "whisper-basic")["mp3"]
    assert figures["wer_drift"].value == pytest.approx(0.05)
    low, high = figures["wer_drift"].ci or (0.0, 0.0)
    wer_low, wer_high = figures["wer"].ci or (0.0, 0.0)
    assert 0.03 < low < high < 0.07
    assert wer_high - wer_low > 4 * (high - low)


def test_order_does_not_matter() -> None:
    straight = drifts(CLEAN, {"opus": NOISY}, "whisper-english")
    assert drifts(CLEAN, {"opus": NOISY[::-1]}, "whisper-english") == straight


@pytest.mark.parametrize(
    ("clean", "noisy", "message"),
    [
        (CLEAN, NOISY[:-1], "mp3: not heard under it: e"),
        (CLEAN[:-1], NOISY, "mp3: not among the clean ones: e"),
        (CLEAN, [*NOISY, NOISY[0]], "mp3: mp3 holds more than once: a"),
        ([*CLEAN, CLEAN[1]], NOISY, "mp3: clean holds more than once: b"),
        (CLEAN, [replace(NOISY[0], reference="set a time"), *NOISY[1:]], "another reference.*: a"),
        (CLEAN, [], "not heard under it: a, b, c, d, e"),
    ],
)
def test_other_utterances_are_refused(
    clean: Sequence[Prediction], noisy: Sequence[Prediction], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        drifts(clean, {"telephone": clean, "mp3": noisy}, "whisper-basic")


def test_many_mismatches_are_named_shortly() -> None:
    clean = [Prediction(f"u{i}", "a", "a", 1.0, 0.1) for i in range(9)]
    with pytest.raises(ValueError, match="u0, u1, u2, u3, u4 and 4 more"):
        drifts(clean, {"mp3": []}, "whisper-basic")


def test_unanswered_under_the_condition_is_all_deletions() -> None:
    failed = [replace(CLEAN[0], hypothesis="", error="died"), *CLEAN[1:]]
    figures = drifts(CLEAN, {"chunks": failed}, "whisper-english")["chunks"]
    assert figures["wer_drift"].value == pytest.approx(3 / WORDS)


def test_unanswered_clean_leaves_nothing_to_drift_from() -> None:
    failed = [replace(CLEAN[0], hypothesis="", error="died"), *CLEAN[1:]]
    figures = drifts(failed, {"chunks": NOISY}, "whisper-english")["chunks"]
    assert figures["wer"].value == pytest.approx(ERRORS / WORDS)
    assert figures["wer_drift"].value is None
    assert "1 of 5 clean utterances were not answered" in (figures["wer_drift"].reason or "")


def test_references_without_words_have_no_drift() -> None:
    silent = [Prediction("a", "", "hello", 1.0, 0.1)]
    for figure in drifts(silent, {"opus": silent}, "whisper-basic")["opus"].values():
        assert figure.value is None
        assert figure.reason == "the references hold no words"
