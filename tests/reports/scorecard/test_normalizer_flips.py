"""Rankings that another normalizer turns round, worked by hand."""

from __future__ import annotations

from evals.records.measurement import Measurement
from reports.scorecard.normalizer_flips import flips
from reports.scorecard.scorecard import Flip


def _row(
    model: str,
    wer: float | None,
    normalizer: str = "whisper-english",
    corpus: str = "c",
    slice_name: str = "all",
) -> Measurement:
    """The model's own WER, or that under another normalizer."""
    metric = "wer" if normalizer == "whisper-english" else "wer_by_normalizer"
    verdict = "pass" if wer is not None else "error"
    return Measurement(
        model, "asr", corpus, metric, wer, "ratio", 20, verdict,  # type: ignore[arg-type]  # one of its words
        normalizer=normalizer, slice=slice_name,
    )  # fmt: skip


def test_order_that_turns_round_is_told() -> None:
    rows = [
        _row("one", 0.20),
        _row("two", 0.10),
        _row("one", 0.30, "none"),
        _row("two", 0.40, "none"),
    ]
    assert flips(rows) == [
        Flip(
            corpus="c",
            better="two",
            worse="one",
            wer=(0.10, 0.20),
            normalizer="none",
            wer_there=(0.40, 0.30),
        )
    ]


def test_order_that_stays_is_not() -> None:
    rows = [
        _row("one", 0.20),
        _row("two", 0.10),
        _row("one", 0.60, "none"),
        _row("two", 0.40, "none"),
    ]
    assert flips(rows) == []


def test_equal_rates_have_no_order_to_turn() -> None:
    equal, other = [_row("one", 0.10), _row("two", 0.10)], [_row("one", 0.10), _row("two", 0.20)]
    assert flips([*equal, _row("one", 0.30, "none"), _row("two", 0.40, "none")]) == []
    assert flips([*equal, _row("one", 0.40, "none"), _row("two", 0.30, "none")]) == []
    assert flips([*other, _row("one", 0.30, "none"), _row("two", 0.30, "none")]) == []


def test_model_without_a_rate_under_a_normalizer_is_left_out_there() -> None:
    rows = [
        *(_row("one", 0.10), _row("two", 0.20), _row("three", 0.30)),
        *(_row("one", 0.50, "none"), _row("two", None, "none"), _row("three", 0.40, "none")),
        *(_row("one", 0.50, "lower"), _row("two", 0.40, "lower")),
    ]
    assert [(f.better, f.worse, f.normalizer) for f in flips(rows)] == [
        ("one", "three", "none"),
        ("one", "two", "lower"),
    ]
    assert flips([row for row in rows if row.metric == "wer_by_normalizer"]) == []


def test_each_corpus_has_its_own_order() -> None:
    here = [
        _row("one", 0.10),
        _row("two", 0.20),
        _row("one", 0.50, "none"),
        _row("two", 0.40, "none"),
    ]
    there = [
        _row("one", 0.20, corpus="d"),
        _row("two", 0.10, corpus="d"),
        _row("one", 0.50, "none", corpus="d"),
        _row("two", 0.40, "none", corpus="d"),
    ]
    assert [(f.corpus, f.better) for f in flips(here + there)] == [("c", "one")]
    assert [f.corpus for f in flips(here + [r for r in there if r.metric == "wer"])] == ["c"]


def test_slices_turn_nothing_round() -> None:
    rows = [_row("one", 0.10), _row("two", 0.20)]
    rows += [_row("one", 0.50, "none", slice_name="s"), _row("two", 0.40, "none", slice_name="s")]
    assert flips(rows) == []
