"""Limits of speed: broken only by times that were fairly taken; cold times and warm ones apart."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile

from adapters.catalog.engine import EngineRef
from adapters.catalog.model import Model
from adapters.interface import Audio
from adapters.worker.results import WorkerError
from evals.gate.case import Case
from evals.gate.evaluation import Evaluation, GateBroken
from evals.gate.thresholds import load
from evals.gate.verdict import decide
from evals.measures.run_conditions import BUSY, CONTENDED
from evals.measures.speed.cpu_contention import BUSY_SHARE, timed_once
from evals.models.loaded import LoadedModel, Settings, running
from evals.models.transcribe import transcribe_corpus
from evals.records.measurement import TOO_FEW, Figure, Limit, Measurement, from_property
from evals.records.predictions import Prediction, PredictionFile, read_predictions
from evals.tasks.asr.scores import latency, speed
from fixtures.corpora.corpus import Corpus, Utterance
from reports.recommendation.recommend import recommend
from reports.scorecard.grades import grade_models
from reports.scorecard.scorecard import Provenance, Recommendation, Run, Scorecard
from reports.terminal import summary
from tests.support import slow_start_engine

ENGINE = EngineRef("slow_start_engine", slow_start_engine.__file__)
THRESHOLDS = load()
RATE = 16_000
CLIP = Audio(np.zeros(RATE // 2, np.float32), RATE)
FIRST = 0.2
Start = Callable[..., LoadedModel]


def _prediction(
    seconds: float, waited: float | None, *, audio: float = 1.0, first: float | None = None
) -> Prediction:
    return Prediction(
        "u", "a", "a", audio, seconds, first_token_seconds=first, waited_seconds=waited
    )


@pytest.mark.parametrize(
    ("waited", "busy"),
    [
        ((0.0, 0.0), False),
        ((0.1, 0.299), False),  # less than a tenth of four seconds
        ((0.1, 0.301), True),
        ((0.9, 2.7), True),
        ((None, None), False),  # a system that does not tell
        ((None, 0.31), True),  # of what is known
    ],
)
def test_border(waited: tuple[float | None, float | None], busy: bool) -> None:
    predictions = [
        _prediction(1.0, waited[0], first=0.5),
        _prediction(3.0, waited[1], first=0.6),
    ]
    figures = speed(predictions)
    names = {"rtf", "rtfx", "processing_time", "latency_p50", "latency_p95", "latency_p99"}
    assert set(figures) == names | {"first_token_p50", "first_token_p95"}
    assert figures["processing_time"].value == 4.0
    for name, figure in figures.items():
        assert figure.conditions == ((BUSY,) if busy else ()), name
        assert ("run again on an idle machine" in (figure.reason or "")) is busy
    fair = speed([_prediction(1.0, None, first=0.5), _prediction(3.0, None, first=0.6)])
    values = {name: (figure.value, figure.ci, figure.n) for name, figure in figures.items()}
    assert values == {name: (figure.value, figure.ci, figure.n) for name, figure in fair.items()}


def test_reason_says_how_much() -> None:
    figures = speed([_prediction(2.0, 0.7)])
    reason = figures["rtf"].reason
    assert reason is not None
    assert reason.startswith("the engine waited 35% of its time for a CPU")


def test_calls_that_waited_are_all_that_a_high_percentile_says() -> None:
    """Of 200 calls the slowest three waited: nothing for the total, all for the 99th percentile."""
    waited = [0.0] * 197 + [4.0] * 3
    figures = speed([_prediction(1.0 + w, w) for w in waited])
    assert sum(waited) < BUSY_SHARE * sum(1.0 + w for w in waited)
    busy = {name for name, figure in figures.items() if figure.conditions}
    assert busy == {"latency_p99"}


def test_unanswered_utterances_wait_for_nothing() -> None:
    lost = Prediction("u", "a", "", 1.0, None, error="broke")
    figures = speed([lost, _prediction(1.0, 0.5), lost])
    assert figures["rtf"].conditions == (TOO_FEW, BUSY)
    assert speed([lost])["rtf"].conditions == ()


AT_MOST, AT_LEAST = Limit("max", 1.0, "test"), Limit("min", 1.0, "test")


@pytest.mark.parametrize(
    ("limit", "good", "bad"), [(AT_MOST, 0.5, 2.0), (AT_LEAST, 2.0, 0.5)], ids=["rtf", "rtfx"]
)
def test_a_busy_figure_keeps_a_limit_and_breaks_none(limit: Limit, good: float, bad: float) -> None:
    for value, fair, busy in ((good, "pass", "pass"), (bad, "fail", "inconclusive")):
        for ci in (None, (0.9 * value, 1.1 * value)):
            assert decide(Figure(value, 9, ci), [limit])[0] == fair
            assert decide(Figure(value, 9, ci, conditions=(BUSY,)), [limit])[0] == busy
    between = Figure(1.0, 9, (0.8, 1.3), conditions=(BUSY,))
    assert decide(between, [limit])[0] == "inconclusive"


def _evaluation(tier: str, task: str = "asr") -> Evaluation:
    return Evaluation(Case("m", tier, task, "c"), THRESHOLDS, "tier", emit=lambda m: None)


def _recorded(
    tier: str, predictions: Sequence[Prediction], *, contended: bool = False
) -> tuple[Evaluation, Measurement]:
    """With everything but speed as good as can be."""
    evaluation = _evaluation(tier)
    evaluation.conditions = [CONTENDED] if contended else []
    good = {"wer": 0.0, "cer": 0.0, "peak_memory": 10.0, "success_rate": 1.0}
    evaluation.record({metric: Figure(value, 10) for metric, value in good.items()})
    evaluation.record(speed(predictions))
    (rtf,) = [m for m in evaluation.recorded if m.metric == "rtf"]
    return evaluation, rtf


SLOW = [_prediction(3.0 + i / 10, 1.5) for i in range(10)]


def test_fair_times_break_the_gate() -> None:
    evaluation, rtf = _recorded("candidate", [_prediction(3.0, 0.3)] * 10)
    assert (rtf.verdict, rtf.conditions) == ("fail", ())
    with pytest.raises(GateBroken, match="rtf 3"):
        evaluation.check()


def test_busy_times_are_evidence_of_nothing() -> None:
    """What no evidence does to the exit code is set per tier; the reader is told what to do."""
    evaluation, rtf = _recorded("candidate", SLOW)
    assert (rtf.verdict, rtf.conditions, rtf.gated) == ("inconclusive", (BUSY,), True)
    assert rtf.further_utterances is None  # more of the same would decide nothing
    evaluation.check()
    evaluation, _ = _recorded("production", SLOW)
    with pytest.raises(GateBroken, match=r"rtf .* is inconclusive.*waited 4\d%.*idle machine"):
        evaluation.check()


def test_limits_kept_on_a_busy_machine_are_kept() -> None:
    evaluation, rtf = _recorded("production", [_prediction(0.5, 0.3)] * 10)
    assert (rtf.verdict, rtf.conditions) == ("pass", (BUSY,))
    assert from_property(rtf.as_property()[1]) == rtf
    evaluation.check()


def test_contended_says_it_already() -> None:
    _, rtf = _recorded("production", SLOW, contended=True)
    assert (rtf.conditions, rtf.gated) == (("contended",), False)


@pytest.mark.parametrize(
    ("seconds", "waited", "conditions"),
    [(2.0, 0.2, ()), (2.0, 0.201, (BUSY,)), (2.0, None, ()), (None, None, ())],
)
def test_times_taken_once(
    seconds: float | None, waited: float | None, conditions: Sequence[str]
) -> None:
    figure = timed_once(seconds, waited)
    assert (figure.value, figure.conditions) == (seconds, conditions)


def test_latency_of_the_clip() -> None:
    times = [1.0] * 10
    assert latency(times, [0.1] * 10)["latency_p95"].conditions == ()
    assert latency(times, [0.2] * 10)["latency_p95"].conditions == (BUSY,)
    assert latency(times)["latency_p95"].conditions == ()


def test_predictions_from_before_it_was_asked(tmp_path: Path) -> None:
    row = asdict(_prediction(1.0, 0.4))
    del row["waited_seconds"]
    file = tmp_path / "old.jsonl"
    file.write_text(json.dumps(row) + "\n")
    (old,) = read_predictions(file)
    assert old.waited_seconds is None
    assert speed([old, old])["rtf"].conditions == ()


def _card_rows(rtf: float, *, busy: bool) -> list[Measurement]:
    values = {"wer": 0.0, "cer": 0.0, "rtf": rtf, "peak_memory": 10.0, "success_rate": 1.0}
    rows = [Measurement("m", "asr", "c", k, v, "", 10, "pass") for k, v in values.items()]
    rows.append(Measurement("m", "latency", "clip", "latency_p95", 0.1, "s", 10, "pass"))
    why = "the engine waited" if busy else None
    marks = (BUSY,) if busy else ()
    return [
        Measurement(**{**asdict(m), "reason": why, "conditions": marks}) if m.metric == "rtf" else m
        for m in rows
    ]


@pytest.mark.parametrize(
    ("rtf", "busy", "letter", "capped"),
    [
        (0.1, True, "A", False),
        (0.8, True, "B", False),
        (1.5, True, "C", False),
        (9.0, False, "D", False),
        (9.0, True, "C", True),  # D or better is what a missing figure says, and that is a C
    ],
)
def test_a_busy_letter_is_the_worst_that_it_can_be(
    rtf: float, busy: bool, letter: str, capped: bool
) -> None:
    rows = _card_rows(rtf, busy=busy)
    (grade,) = grade_models(rows, ["m"], THRESHOLDS, "tier", frozenset())
    assert grade.grade == letter
    assert grade.corpora[0].capped_by == (["asr/rtf"] if capped else [])


def test_recommendation_knows_what_a_busy_figure_shows() -> None:
    def of(rtf: float, *, busy: bool) -> Recommendation:
        rows = _card_rows(rtf, busy=busy)
        return recommend(rows, ["m"], frozenset(), THRESHOLDS, "general")

    assert "breaks the production limit" in of(9.0, busy=False).reason
    assert "is not shown to keep the production limit" in of(9.0, busy=True).reason
    assert of(9.0, busy=True).model is None
    assert of(0.1, busy=True).model == "m"
    assert "the machine was busy, so that m may be faster" in of(0.1, busy=True).reason
    assert "busy" not in of(0.1, busy=False).reason


@pytest.mark.parametrize("busy", [True, False])
def test_table_marks_what_was_busy(busy: bool) -> None:
    rows = _card_rows(0.1, busy=busy)
    card = Scorecard.model_construct(
        run=Run.model_construct(conditions=[], problems=[]),
        provenance=Provenance.model_construct(corpora=[], seed=0),
        models=[],
        measurements=rows,
        grades=grade_models(rows, ["m"], THRESHOLDS, "tier", frozenset()),
        recommendation=recommend(rows, ["m"], frozenset(), THRESHOLDS, "general"),
    )
    text = summary.render(card, THRESHOLDS, Path("x"), width=200, color=False)
    assert ("0.100 A ~" in text) is busy
    assert ("~: the machine was busy" in text) is busy


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Loads the engine that starts slowly, and warms it up as the fixture of the tasks does."""
    begun = []

    def start(*, isolated: bool = True, **options: object) -> LoadedModel:
        options = {**slow_start_engine.SlowStart.options, "first": FIRST, **options}
        entry = Model("slow", ENGINE, "builtin", ("asr",), "candidate", options=options)
        context = running(entry, Settings(device="cpu", isolated=isolated), tmp_path / "log")
        loaded = context.__enter__()
        begun.append(context)
        loaded.warm_up("asr", lambda: loaded.transcribe(CLIP))
        return loaded

    yield start
    for context in begun:
        context.__exit__(None, None, None)


def _run(model: LoadedModel, folder: Path, deadly: Sequence[bool]) -> Sequence[Prediction]:
    """Predictions for a corpus of so many utterances, some of which the engine dies of."""
    utterances = []
    for number, dies in enumerate(deadly):
        path = folder / f"{number}.wav"
        soundfile.write(path, np.full(RATE if dies else RATE // 2, 0.1), RATE)
        utterances.append(Utterance(str(number), path, "a"))
    corpus = Corpus("c", folder / "manifest.jsonl", utterances)
    with PredictionFile(folder / "predictions.jsonl") as file:
        transcribe_corpus(model, corpus, file)
    return read_predictions(folder / "predictions.jsonl")


@pytest.mark.slow
def test_cold_answers_are_counted_nowhere_else(start: Start, tmp_path: Path) -> None:
    """Neither the first of all nor the first of a process that was started anew."""
    model = start()
    predictions = _run(model, tmp_path, [False, False, True, False, False])
    # Answers count from 1 in each process, and 1 was the warm-up.
    assert [p.hypothesis for p in predictions] == ["2", "3", "", "2", "3"]
    cold = model.cold_figures()
    assert (cold["first_inference"].value or 0.0) >= FIRST
    assert cold["load_time"].value == model.load_seconds
    assert speed(predictions)["rtf"].n == 4


def test_cold_answers_in_the_harness_s_own_process(start: Start, tmp_path: Path) -> None:
    predictions = _run(start(isolated=False), tmp_path, [False, False])
    assert [p.hypothesis for p in predictions] == ["2", "3"]


def test_a_warm_up_that_fails_leaves_nothing_cold_behind(start: Start, tmp_path: Path) -> None:
    """The process would be alive and cold, and its next answer counted."""
    model = start(isolated=False, stumbles=str(tmp_path / "stone"))
    (tmp_path / "stone").touch()
    with pytest.raises(WorkerError, match="stumbled"):
        model.restart()
    assert not model.alive
    (prediction,) = _run(model, tmp_path, [False])
    assert prediction.hypothesis == "2"


def test_predictions_carry_what_the_worker_said(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "adapters.meters.cpu_wait.CpuWait.within", lambda self, seconds: seconds / 4
    )
    model = start(isolated=False, first=0.0)
    (prediction,) = _run(model, tmp_path, [False])
    assert prediction.processing_seconds is not None
    assert prediction.waited_seconds == prediction.processing_seconds / 4
    assert {f.conditions for f in model.cold_figures().values()} == {(BUSY,)}
