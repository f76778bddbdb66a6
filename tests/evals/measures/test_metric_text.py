"""Figures in sentences: one unit for the value, its interval and its limit."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.gate.evaluation import describe
from evals.measures import metric_text
from evals.metrics import METRICS
from evals.records.measurement import Measurement

LIMITED = Measurement(
    "m", "asr", "c", "wer", 0.0625, "ratio", 200, "inconclusive", (0.027, 0.192),
    limit=0.1, bound="max", limit_source="tier production", gated=True, further_utterances=1414,
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, "wer 6.25 % [2.7, 19.2] is inconclusive (about 1,414 more utterances would decide), at most 10 % allowed by tier production"),
        ({"ci": None, "verdict": "fail"}, "wer 6.25 %, at most 10 % allowed by tier production"),
        ({"slice": "category=timer", "verdict": "fail"}, "wer/category=timer 6.25 % [2.7, 19.2], at most 10 %"),
        ({"metric": "success_rate", "bound": "min", "value": 0.9, "ci": (0.85, 0.951), "limit": 0.95}, "success_rate 90 % [85, 95.1] is"),
        ({"metric": "rtf", "value": 0.9, "ci": (0.8, 1.25), "limit": 1.0}, "rtf 0.9 [0.8, 1.25] is"),
        ({"metric": "latency_p95", "value": 2.5, "ci": None, "limit": 2.0}, "latency_p95 2.5 s is"),
        ({"metric": "peak_memory", "value": 12345.6, "ci": None, "limit": 4000.0}, "peak_memory 12,346 MB is"),
        ({"metric": "peak_memory", "value": 12345.6, "ci": None, "limit": 4000.0}, "at most 4,000 MB allowed"),
        ({"metric": "wer_drift", "slice": "reverb", "value": 0.2, "ci": (-0.01, 0.3)}, "wer_drift/reverb +20 points [-1, +30] is"),
        ({"metric": "wer_change", "limit": 0.005}, "at most 0.5 points allowed"),
        ({"metric": "loops", "value": 3.0, "ci": None, "limit": 0.0}, "loops 3 is"),
        ({"metric": "loudness", "value": -23.04, "ci": None, "limit": -30.0, "bound": "min"}, "loudness -23 LUFS is"),
        # What is near its limit is told from it.
        ({"value": 0.1000004, "ci": (0.0999996, 0.2)}, "wer 10.00004 % [9.99996, 20] is"),
        ({"value": 0.1, "ci": (0.1, 0.1)}, "wer 10 % [10, 10] is"),
    ],
)  # fmt: skip
def test_a_sentence_has_one_unit(change: dict[str, object], says: str) -> None:
    assert says in describe(replace(LIMITED, **change))  # type: ignore[arg-type]  # fields by name


def test_zeros_of_an_exponent_stay() -> None:
    """A ten-thousandth of a millionth was written as four tenths."""
    assert metric_text.figure("rtf", 4.608e-10, (4.6e-20, 1.5), 0.1) == "4.608e-10 [4.6e-20, 1.5]"


@given(st.sampled_from(sorted(METRICS)), st.floats(0, 1), st.floats(0, 1))
def test_every_metric_is_written_in_its_unit(metric: str, value: float, limit: float) -> None:
    """No per cent beside a part of 1, whatever the metric."""
    spec = METRICS[metric]
    row = replace(LIMITED, metric=metric, value=value, ci=(value, value), limit=limit)
    text = describe(replace(row, verdict="fail")).removeprefix(metric)
    numbers = [float(n.replace(",", "")) for n in re.findall(r"[+-]?[\d.,]*\d(?:e-\d+)?", text)]
    scale = spec.scale
    assert len(numbers) == 4
    for number in numbers[:3]:
        assert number == pytest.approx(
            scale * value, abs=0.5 if spec.unit in ("count", "MB") else 0.051
        )
    assert numbers[3] == pytest.approx(scale * limit, abs=1e-8)
    assert text.count("%") == (2 if spec.shown_unit == "%" else 0)


@pytest.mark.parametrize(
    ("metric", "number", "says"),
    [
        ("wer", 0.07, "7 %"),
        ("wer", 0.0025, "0.25 %"),
        ("rtf", 0.5, "0.5"),
        ("rtfx", 20, "20 \u00d7"),
        ("peak_memory", 4000, "4,000 MB"),
        ("wer_drift", -0.01, "-1 points"),
        ("hallucinated_words_per_minute", 1.5, "1.5 per minute"),
    ],
)
def test_a_limit_has_the_digits_that_it_was_given(metric: str, number: float, says: str) -> None:
    assert metric_text.limit(metric, number) == says
    assert metric_text.allowed(metric, "max", number) == f"at most {says}"


@pytest.mark.parametrize(
    ("metric", "number", "says"),
    [
        ("wer", None, "-"),
        ("wer", 0.0625, "6.25 %"),
        ("wer", -0.000001, "0.00 %"),
        ("rtf", 0.0351, "0.035"),
        ("rtf", 0.00042, "0.00042"),
        ("wer_change", -0.000001, "+0.00 points"),
        ("latency_p95", 0.31234, "0.3123 s"),
        ("peak_memory", 156.4, "156 MB"),
    ],
)
def test_a_value_with_its_unit(metric: str, number: float | None, says: str) -> None:
    assert metric_text.value(metric, number) == says
