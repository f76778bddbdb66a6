"""From figure and limit to verdict, grade and exit code."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from evals.gate.case import Case, heading, missing_measurements
from evals.gate.evaluation import Evaluation, GateBroken
from evals.gate.thresholds import DEFAULT, Gate, load
from evals.gate.verdict import breaks_gate, concern, decide
from evals.measures.run_conditions import BUSY, CONTENDED, RESUMED, UNGATED
from evals.metrics import METRICS
from evals.records.measurement import (
    ALL,
    MISSING,
    Figure,
    Limit,
    Measurement,
    Verdict,
    from_property,
)
from evals.records.predictions import Prediction
from evals.tasks.asr.scores import accuracy, latency, speed

MAX = Limit("max", 0.10, "test")
MIN = Limit("min", 0.95, "test")
THRESHOLDS = load()


@pytest.mark.parametrize(
    ("value", "ci", "limit", "verdict"),
    [
        (0.05, (0.03, 0.08), MAX, "pass"),
        (0.05, (0.03, 0.10), MAX, "pass"),  # the limit itself is allowed
        (0.05, (0.03, 0.11), MAX, "inconclusive"),
        (0.15, (0.09, 0.20), MAX, "inconclusive"),
        (0.15, (0.11, 0.20), MAX, "fail"),
        (0.10, None, MAX, "pass"),
        (0.1000001, None, MAX, "fail"),
        (1.0, (0.96, 1.0), MIN, "pass"),
        (1.0, (0.80, 1.0), MIN, "inconclusive"),
        (0.5, (0.40, 0.60), MIN, "fail"),
        (None, None, MAX, "not_measured"),
    ],
)
def test_verdicts(
    value: float | None, ci: tuple[float, float] | None, limit: Limit, verdict: str
) -> None:
    assert decide(Figure(value, 10, ci), [limit]) == (verdict, limit)


def test_no_limit_is_no_pass() -> None:
    assert decide(Figure(0.0, 10, (0.0, 0.0)), []) == ("no_limit", None)
    assert decide(Figure(None, 0), []) == ("not_measured", None)
    rows: list[Measurement] = []
    evaluation = Evaluation(Case("m", "production", "asr", "c"), THRESHOLDS, "off", rows.append)
    evaluation.record({"mer": Figure(0.0, 10), "wer": Figure(0.0, 10)})
    assert [(m.metric, m.verdict, m.limit) for m in rows] == [
        ("mer", "no_limit", None),
        ("wer", "pass", 0.10),
    ]


def test_strictest_limit_decides() -> None:
    strict = Limit("max", 0.02, "model")
    assert decide(Figure(0.05, 10), [MAX, strict]) == ("fail", strict)
    looser = Limit("min", 0.5, "model")
    assert decide(Figure(0.7, 10), [MIN, looser]) == ("fail", MIN)


def test_nan_cannot_become_a_figure() -> None:
    with pytest.raises(ValueError, match="finite"):
        Figure(float("nan"), 1)


def _evaluation(tier: str = "production", gate: Gate = "tier", task: str = "asr") -> Evaluation:
    case = Case("m", tier, task, "c")
    return Evaluation(case, THRESHOLDS, gate, emit=lambda m: None)


def _good(key: str) -> Figure:
    """A value that any band calls an A."""
    return Figure(1.0 if METRICS[key.partition("/")[0]].bound == "min" else 0.0, 10)


def _bad(key: str) -> Figure:
    return Figure(0.0 if METRICS[key.partition("/")[0]].bound == "min" else 1e9, 10)


def _record(evaluation: Evaluation, figures: Mapping[str, Figure]) -> None:
    """Figures by the names that limits go by."""
    for key, figure in figures.items():
        metric, _, part = key.partition("/")
        evaluation.record({metric: figure}, slice_name=part or ALL)


GATED = [
    (tier, task, metric)
    for tier, spec in THRESHOLDS.tiers.items()
    for task, limits in spec.limits.items()
    for metric in limits
]


@pytest.mark.parametrize(("tier", "task", "metric"), GATED)
def test_every_gate_of_the_file(tier: str, task: str, metric: str) -> None:
    """Each limit in thresholds.yaml passes, and fails when broken, null, or never recorded."""
    good = {m: _good(m) for m in THRESHOLDS.tiers[tier].limits[task]}  # type: ignore[index]  # a tier by its name
    kept = _evaluation(tier, task=task)
    _record(kept, good)
    kept.check()
    without = {m: figure for m, figure in good.items() if m != metric}
    broken = {**good, metric: _bad(metric)}
    missing = {**good, metric: Figure(None, 0, reason="lost")}
    for figures in (broken, missing, without):
        evaluation = _evaluation(tier, task=task)
        _record(evaluation, figures)
        with pytest.raises(GateBroken, match=re.escape(metric)):
            evaluation.check()


def test_a_part_of_the_corpus_is_limited_by_its_name(tmp_path: Path) -> None:
    text = DEFAULT.read_text(encoding="utf-8")
    ours = "wer: {max: 0.10}\n        wer/category=timer: {max: 0.02}"
    file = tmp_path / "thresholds.yaml"
    file.write_text(text.replace("wer: {max: 0.10}", ours, 1), encoding="utf-8")

    def judged(**parts: float) -> Evaluation:
        evaluation = Evaluation(Case("m", "production", "asr", "c"), load(file), "tier", print)
        limits = evaluation.thresholds.tiers["production"].limits["asr"]
        evaluation.record({m: _good(m) for m in limits if "/" not in m})
        for name, value in parts.items():
            evaluation.record({"wer": Figure(value, 10)}, slice_name=f"category={name}")
        return evaluation

    judged(timer=0.02, lights=0.9).check()
    with pytest.raises(GateBroken, match=r"wer/category=timer 3 %, at most 2 % allowed"):
        judged(timer=0.03).check()
    with pytest.raises(GateBroken, match="wer/category=timer not measured: no utterance of c has"):
        judged(lights=0.0).check()
    owed = missing_measurements(
        judged().case, judged(timer=0.5).recorded, "error", "why", load(file), "tier"
    )
    assert not owed
    owed = missing_measurements(judged().case, (), "error", "why", load(file), "tier")
    assert "wer/category=timer" in {m.key for m in owed}


def test_models_own_limits_apply_beside_the_tiers() -> None:
    limits = THRESHOLDS.limits(
        model="faster-whisper-micro",
        tier="candidate",
        task="asr",
        corpus="voice-commands",
        gate="tier",
    )
    assert sorted(limit.value for limit in limits["wer"]) == [0.03, 0.2]


@pytest.mark.parametrize(
    ("tier", "gate", "breaks"),
    [
        ("candidate", "tier", False),
        ("production", "tier", True),
        ("candidate", "production", True),
        ("production", "off", False),
    ],
)
def test_inconclusive_follows_the_tiers_policy(tier: str, gate: Gate, breaks: bool) -> None:
    evaluation = _evaluation(tier, gate)
    limits = THRESHOLDS.limits(model="m", tier=tier, task="asr", corpus="c", gate=gate)
    figures = {metric: _good(metric) for metric in limits}
    limit = limits["wer"][0].value
    figures["wer"] = Figure(limit, 10, (limit / 2, limit * 2))
    evaluation.record(figures)
    assert [m.verdict for m in evaluation.recorded if m.metric == "wer"] == ["inconclusive"]
    if breaks:
        with pytest.raises(GateBroken, match=r"wer .*inconclusive"):
            evaluation.check()
    else:
        evaluation.check()


@pytest.mark.parametrize("condition", sorted(UNGATED))
def test_unfair_speed_never_gates(condition: str) -> None:
    evaluation = _evaluation()
    evaluation.conditions = [condition]
    figures = {m: _good(m) for m in THRESHOLDS.tiers["production"].limits["asr"]}
    evaluation.record({**figures, "rtf": Figure(5.0, 10)})
    evaluation.check()
    (rtf,) = [m for m in evaluation.recorded if m.metric == "rtf"]
    assert (rtf.value, rtf.verdict, rtf.gated, rtf.conditions) == (
        5.0,
        "inconclusive",
        False,
        (condition,),
    )


def test_memory_of_a_run_in_pieces_never_gates() -> None:
    """Nobody knows what the session that died had taken."""
    for condition, verdict in ((CONTENDED, "fail"), (RESUMED, "inconclusive")):
        evaluation = _evaluation()
        evaluation.conditions = [condition]
        evaluation.record({"peak_memory": Figure(1e9, 1), "wer": Figure(0.9, 10, (0.8, 1.0))})
        rows = {m.metric: m for m in evaluation.recorded}
        assert rows["peak_memory"].verdict == verdict
        assert rows["wer"].verdict == "fail"


def test_measurement_survives_the_journey() -> None:
    evaluation = _evaluation()
    evaluation.record({"wer": Figure(0.05, 7, (0.01, 0.09))}, normalizer="whisper-english")
    (sent,) = evaluation.recorded
    name, text = sent.as_property()
    json.loads(text)
    assert isinstance(name, str)
    assert from_property(text) == sent


@pytest.mark.parametrize("verdict", ["error", "not_measured"])
def test_a_test_that_died_leaves_rows_for_all_it_owed(verdict: Verdict) -> None:
    case = Case("m", "production", "asr", "c")
    rows = missing_measurements(case, (), verdict, "why", THRESHOLDS, "tier")
    owed = set(THRESHOLDS.tiers["production"].limits["asr"]) | set(THRESHOLDS.bands["asr"])
    assert {m.metric for m in rows} == owed
    assert {(m.value, m.verdict, m.reason) for m in rows} == {(None, verdict, "why")}
    kept = Measurement("m", "asr", "c", "wer", 0.1, "ratio", 1, "pass")
    rest = missing_measurements(case, [kept], verdict, "why", THRESHOLDS, "tier")
    assert {m.metric for m in rest} == owed - {"wer"}


def _predict(
    reference: str, hypothesis: str, seconds: float | None = 0.5, error: str | None = None
) -> Prediction:
    return Prediction("u", reference, hypothesis, 2.0, seconds, error)


def test_accuracy_by_hand() -> None:
    figures = accuracy(
        [
            _predict("Turn on the lights.", "turn on the light"),  # one substitution in 4
            _predict("call mom", "call call mom"),  # one insertion in 2
            _predict("play some jazz", "", None, "broke"),  # an error is all deletions: 3 in 3
        ],
        "whisper-english",
    )
    assert figures["wer"].value == pytest.approx(5 / 9)
    assert figures["substitutions"].value == 1
    assert figures["insertions"].value == 1
    assert figures["deletions"].value == 3
    assert figures["success_rate"].value == pytest.approx(2 / 3)


def test_speed_by_hand() -> None:
    # 0.5 + 1.5 seconds for 4 seconds of audio; the failed utterance has no time to count.
    done = [_predict("a", "a", 0.5), _predict("b", "b", 1.5), _predict("c", "", None, "broke")]
    figures = speed(done)
    assert figures["rtf"].value == pytest.approx(0.5)
    assert figures["rtfx"].value == pytest.approx(2.0)
    assert figures["latency_p50"].value == pytest.approx(1.0)
    assert figures["rtf"].n == 2


def test_speed_of_nothing_is_not_measured() -> None:
    figures = speed([_predict("a", "", None, "broke")])
    assert {f.value for f in figures.values()} == {None}


def test_percentiles_by_hand() -> None:
    figures = latency([float(n) for n in range(101)])
    assert [figures[f"latency_p{p}"].value for p in (50, 95, 99)] == [50.0, 95.0, 99.0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("one\ntwo", "one"),
        ("m on c (asr):\n  wer 0.2, at most 0.1\n  cer", "m on c (asr): wer 0.2, at most 0.1"),
        ("corpus c:", "corpus c:"),
        ("\n  \n", ""),
    ],
)
def test_a_reason_says_more_than_that_there_is_one(text: str, said: str) -> None:
    assert heading(text) == said


def _row(verdict: Verdict, *, metric: str = "wer", gated: bool = True, **more: Any) -> Measurement:
    value = None if verdict in MISSING else 0.2
    return Measurement(
        "m", "asr", "c", metric, value, "ratio", 10, verdict, gated=gated, limit=0.1, **more
    )


@pytest.mark.parametrize(
    ("verdict", "tier", "breaks"),
    [
        ("pass", "production", False),
        ("no_limit", "production", False),
        ("fail", "candidate", True),
        ("error", "candidate", True),
        ("not_measured", "candidate", True),
        ("inconclusive", "production", True),
        ("inconclusive", "baseline", False),
    ],
)
def test_what_breaks_the_gate(verdict: Verdict, tier: str, breaks: bool) -> None:
    rules = load()
    assert breaks_gate(_row(verdict), rules, tier, "tier") is breaks
    assert not breaks_gate(_row(verdict, gated=False), rules, tier, "tier")
    assert not breaks_gate(_row(verdict), rules, tier, "off")


def test_a_change_is_held_by_the_baselines_rule_and_not_the_tiers() -> None:
    row = _row("inconclusive", metric="wer_change")
    for policy in ("fail", "pass"):
        rules = load().model_copy()
        rules.baseline = rules.baseline.model_copy(update={"inconclusive": policy})
        assert breaks_gate(row, rules, "production", "tier") is (policy == "fail")


def test_what_a_reader_has_to_look_at() -> None:
    assert concern(_row("fail", gated=False)) == "broken"
    assert concern(_row("error", gated=False)) is None
    assert concern(_row("error", gated=False), needed=True) == "missing"
    assert concern(_row("inconclusive")) == "undecided"
    assert concern(_row("inconclusive", conditions=(CONTENDED,))) is None
    assert concern(_row("inconclusive", conditions=(BUSY,))) == "undecided"
    assert concern(_row("pass")) is None
