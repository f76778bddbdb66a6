"""Calibration against hand-worked tables and simulated runs whose noise is known."""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.catalog.yaml_file import ConfigError
from evals.gate import thresholds as thresholds_file
from evals.metrics import METRICS
from evals.records.measurement import Bound
from evals.records.predictions import Prediction, PredictionFile
from reports.commands import calibrate as calibrate_command
from reports.commands.calibrate import read_report, render, snippet
from reports.runs.calibration import (
    Calibrated,
    NotComparable,
    calibrate,
    flake_probability,
    propose,
)
from reports.runs.read_run import RunError, read_run
from reports.scorecard.scorecard import Scorecard
from reports.text.outward import outward

pytestmark = pytest.mark.slow

THRESHOLDS = thresholds_file.load()
MODEL, CORPUS = "some-model", "some-corpus"
RTFS = (0.10, 0.12, 0.14)
Row = dict[str, Any]


def row(
    metric: str, value: float | None, ci: tuple[float, float] | None = None, **more: Any
) -> Row:
    return {
        "model": MODEL,
        "task": "asr",
        "corpus": CORPUS,
        "metric": metric,
        "value": value,
        "unit": METRICS[metric].unit,
        "n": 200,
        "verdict": "not_measured" if value is None else "pass" if "limit" in more else "no_limit",
        "ci": ci,
        **more,
    }


def document(number: int, rows: Sequence[Row], tier: str = "candidate") -> dict[str, Any]:
    """What scorecard.json of a run holds."""
    return {
        "schema_version": 2,
        "run": {
            "id": f"run-{number}",
            "started": f"2026-11-23T0{number}:00:00+00:00",
            "seconds": 9.0,
            "exit_status": 0,
            "complete": True,
            "gate": "tier",
            "conditions": [],
        },
        "provenance": {
            "git_sha": f"{number}" * 40,
            "git_dirty": False,
            "python": "3.11.7",
            "packages": {},
            "platform": "Linux",
            "processor": "a processor",
            "cores": 2,
            "memory_bytes": 10**9,
            "command_line": [],
            "threads": 1,
            "seed": 0,
            "device_requested": "auto",
            "thresholds_sha256": "0" * 64,
            "corpora": [
                {
                    "name": CORPUS,
                    "content_hash": "c" * 64,
                    "utterances": 200,
                    "audio_seconds": 500.0,
                    "language": "en",
                }
            ],
        },
        "models": [
            {
                "name": MODEL,
                "engine": "an_engine",
                "checkpoint": "a/checkpoint",
                "checkpoint_sha256": "d" * 64,
                "revision": None,
                "tasks": ["asr"],
                "tier": tier,
                "licence": None,
                "parameters": None,
                "options": {"beam_size": 1},
                "device": "cpu",
                "device_note": None,
                "python": "3.11.7",
                "packages": {"an-engine": "1.0"},
            }
        ],
        "measurements": list(rows),
        "grades": [],
        "recommendation": {"use_case": "general", "model": None, "reason": "", "candidates": []},
    }


def cards(*rows: Sequence[Row], tier: str = "candidate") -> dict[str, Scorecard]:
    """A scorecard for each run's rows."""
    return {
        f"runs/{number}": Scorecard.model_validate(document(number, own, tier))
        for number, own in enumerate(rows, start=1)
    }


def rtfs(values: Sequence[float | None] = RTFS) -> list[list[Row]]:
    return [[row("rtf", value)] for value in values]


def only(figures: Sequence[Calibrated]) -> Calibrated:
    (figure,) = figures
    return figure


def save(folder: Path, *rows: Sequence[Row], **changes: Any) -> list[Path]:
    """Run folders on disk."""
    folders = []
    for number, own in enumerate(rows, start=1):
        run = folder / f"run-{number}"
        run.mkdir()
        text = json.dumps({**document(number, own), **changes})
        (run / "scorecard.json").write_text(text, encoding="utf-8")
        folders.append(run)
    return folders


# 1, 2, 3: mean 2, sd 1, and sqrt(1 + 1/3) = 1.1547.
@pytest.mark.parametrize(
    ("values", "limit", "bound", "probability"),
    [
        ((1, 2, 3), 2.0, "max", 0.5),
        ((1, 2, 3), 2 + 1.154701 * 4.30265, "max", 0.025),
        ((1, 2, 3), 2 - 1.154701 * 4.30265, "min", 0.025),
        ((1, 2, 3), 2 - 1.154701 * 4.30265, "max", 0.975),
        ((1, 2, 3), 2 + 1.154701 * 22.3271, "max", 0.001),
        ((5, 5, 5), 5.0, "max", 0.0),  # the limit itself is allowed
        ((5, 5, 5), 4.9, "max", 1.0),
        ((5, 5, 5), 5.1, "min", 1.0),
        ((5, 6), 9.0, "max", None),
        ((), 9.0, "max", None),
    ],
)
def test_flake_probability_by_hand(
    values: Sequence[float], limit: float, bound: Bound, probability: float | None
) -> None:
    found = flake_probability(values, limit, bound)
    assert found == (None if probability is None else pytest.approx(probability, rel=1e-4))


@pytest.mark.parametrize(
    ("values", "bound", "target", "limit"),
    [
        ((1, 2, 3), "max", 0.025, 7.0),  # 2 + 1.1547 * 4.30265 = 6.968
        ((1, 2, 3), "max", 0.001, 28.0),  # 2 + 1.1547 * 22.3271 = 27.78
        ((11, 12, 13), "min", 0.025, 7.0),  # 12 - 4.968 = 7.032, down
        ((1, 2, 3), "max", 0.4, 3.0),  # 2 + 1.1547 * 0.2887 = 2.33, below the worst seen
        ((0.0043, 0.0043, 0.0043), "max", 0.001, 0.0043),
        ((0.98115, 0.98115, 0.98115), "min", 0.001, 0.98),
        ((156.1, 156.1, 156.1), "max", 0.001, 160.0),
        ((0.0, 0.0, 0.0), "max", 0.001, 0.0),
        ((1, 2), "max", 0.001, None),
    ],
)
def test_proposal_by_hand(
    values: Sequence[float], bound: Bound, target: float, limit: float | None
) -> None:
    assert propose(values, bound, target=target) == limit


@given(st.floats(-1e12, 1e12), st.sampled_from(["max", "min"]))
def test_rounding_never_tightens(value: float, bound: Bound) -> None:
    rounded = outward(value, up=bound == "max", digits=2)
    assert rounded >= value if bound == "max" else rounded <= value
    assert abs(rounded - value) <= 0.1 * abs(value)
    assert outward(rounded, up=bound == "max", digits=2) == rounded


def test_prediction_is_exact_for_normal_noise() -> None:
    """The probability of going past the next value is itself uniform, for any n."""
    rng = random.Random(4)
    for n in (3, 5, 20):
        found = []
        for _ in range(2_000):
            *values, following = (rng.gauss(50.0, 3.0) for _ in range(n + 1))
            found.append(flake_probability(values, following, "max"))
        for part in (0.02, 0.5, 0.9):
            share = sum(p <= part for p in found if p is not None) / len(found)
            assert share == pytest.approx(part, abs=4 * (part * (1 - part) / len(found)) ** 0.5)


@pytest.mark.parametrize(
    ("n", "target", "bound"),
    [(3, 0.001, "max"), (3, 0.05, "min"), (8, 0.001, "min"), (8, 0.05, "max")],
)
def test_proposed_limits_flake_as_rarely_as_promised(n: int, target: float, bound: Bound) -> None:
    """Over many calibrations of a model whose noise is known, and not by being absurdly loose."""
    rng = random.Random(n)
    truth = statistics.NormalDist(10.0, 3.0)
    broken = []
    for _ in range(2_000):
        limit = propose(
            [rng.gauss(truth.mean, truth.stdev) for _ in range(n)], bound, target=target
        )
        assert limit is not None
        below = truth.cdf(limit)
        broken.append(1 - below if bound == "max" else below)
    assert 0.3 * target < statistics.fmean(broken) <= 1.1 * target


def test_speed_by_hand() -> None:
    figure = only(calibrate(cards(*rtfs()), THRESHOLDS))
    assert figure.values == [0.10, 0.12, 0.14]
    assert figure.mean == pytest.approx(0.12)
    assert figure.sd == pytest.approx(0.02)
    assert figure.limit is not None
    assert (figure.limit.bound, figure.limit.value) == ("max", 2.0)  # the candidate tier's
    # 0.12 + 22.3271 * 1.154701 * 0.02 = 0.6356
    assert figure.proposal == 0.64
    # (2 - 0.12) / (0.02 * 1.154701) = 81.41 of t with 2 degrees: 1 / (2 t^2), about
    assert figure.flake == pytest.approx(1 / (2 * 81.41**2), rel=0.01)


def test_speed_with_intervals_is_judged_by_the_end_that_the_policy_looks_at() -> None:
    runs = [[row("rtf", x, (x - 0.5, x + 0.5))] for x in (1.0, 1.1, 1.2)]
    lenient = only(calibrate(cards(*runs), THRESHOLDS))  # candidate, limit 2: fails above it
    strict = only(calibrate(cards(*runs, tier="production"), THRESHOLDS))  # limit 1
    assert lenient.flake == flake_probability((0.5, 0.6, 0.7), 2.0, "max")
    assert strict.flake == flake_probability((1.5, 1.6, 1.7), 1.0, "max")
    assert lenient.proposal == strict.proposal == propose((1.5, 1.6, 1.7), "max")


def test_deterministic_accuracy_has_no_noise_and_a_limit_from_sampling() -> None:
    runs = [[row("wer", 0.0043, (0.0014, 0.0082)), row("success_rate", 1.0, (0.981, 1.0))]] * 4
    wer, success = calibrate(cards(*runs), THRESHOLDS)
    assert (wer.sd, wer.flake, wer.is_constant) == (0.0, 0.0, True)
    assert (wer.sampling, wer.proposal) == ((0.0014, 0.0082), 0.0082)
    assert (success.bound, success.proposal) == ("min", 0.98)
    broken = [[row("wer", 0.25, (0.21, 0.30))]] * 3  # the candidate tier allows 0.20
    assert only(calibrate(cards(*broken), THRESHOLDS)).flake == 1.0


def test_accuracy_that_varies_gets_room_for_its_noise_too() -> None:
    highs = (0.030, 0.032, 0.034)
    runs = [[row("wer", 0.02, (0.01, high))] for high in highs]
    figure = only(calibrate(cards(*runs), THRESHOLDS))
    assert figure.proposal == propose(highs, "max") == 0.084  # 0.032 + 22.3271 * 1.1547 * 0.002
    assert not figure.is_constant


def test_counts_without_an_interval_get_no_limit() -> None:
    figure = only(calibrate(cards(*[[row("insertions", 3.0)]] * 3), THRESHOLDS))
    assert (figure.proposal, figure.why_not) == (None, "no sampling interval")


def test_no_limit_of_a_share_is_above_the_whole() -> None:
    rows = [[row("wer", wer, ci=(wer, wer))] for wer in (0.5, 0.9, 1.3)]
    figure = only(calibrate(cards(*rows), THRESHOLDS))
    assert (figure.proposal, figure.why_not) == (None, "too noisy or too bad: no limit below 100 %")


def test_lower_limits_stay_above_zero() -> None:
    figure = only(calibrate(cards(*[[row("rtfx", x)] for x in (1.0, 5.0, 9.0)]), THRESHOLDS))
    assert (figure.proposal, figure.why_not) == (None, "too noisy: no limit above 0")


def test_two_runs_are_not_enough() -> None:
    figure = only(calibrate(cards(*rtfs((0.1, 0.2))), THRESHOLDS))
    assert (figure.flake, figure.proposal) == (None, None)
    assert figure.why_not == "not enough runs: 2 of 3"


def test_contended_speed_and_missing_values_are_left_out_and_said() -> None:
    runs = rtfs((0.10, 0.12, 0.14, 9.0, None))
    runs[3][0]["conditions"] = ["contended"]
    runs[3].append(row("peak_memory", 100.0, conditions=["contended"]))
    runs.append([])
    rtf, memory = calibrate(cards(*runs), THRESHOLDS)
    assert rtf.values == [0.10, 0.12, 0.14]
    assert rtf.left_out == [
        "1 on a shared or busy machine",
        "1 without a value",
        "1 that did not measure it",
    ]
    assert memory.values == [100.0]  # sharing makes slower, not bigger


def test_slices_changes_and_other_normalizers_have_no_limits_to_calibrate() -> None:
    rows = [
        row("wer", 0.1, (0.0, 0.2)),
        row("wer", 0.2, (0.1, 0.3), slice="speaker=x"),
        row("wer_change", 0.0, (0.0, 0.0)),
        row("wer_by_normalizer", 0.3, (0.0, 0.4), normalizer="none"),
    ]
    assert only(calibrate(cards(rows, rows, rows), THRESHOLDS)).metric == "wer"


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("provenance.threads", 2, "threads is 2, and 1 in runs/1"),
        ("provenance.processor", "another", "processor is another, and a processor in runs/1"),
        ("provenance.cores", 4, "cores is 4, and 2 in runs/1"),
        (
            "provenance.corpora.0.content_hash",
            "e",
            "corpus some-corpus: content hash is e, and ccc",
        ),
        ("models.0.checkpoint_sha256", "e", "model some-model: checkpoint hash is e, and ddd"),
        ("models.0.checkpoint_sha256", None, "model some-model: checkpoint hash is none, and ddd"),
        ("models.0.options", {"beam_size": 5}, "options is {'beam_size': 5}, and {'beam_size': 1}"),
        ("models.0.device", "cuda:0", "device is cuda:0, and cpu"),
        ("models.0.revision", "v2", "revision is v2, and none"),
        ("models.0.packages", {}, "engine's packages is {}, and {'an-engine': '1.0'}"),
        ("measurements.0.normalizer", "lower", "rtf: normalizer is lower, and none in runs/1"),
        ("run", document(1, ())["run"], "runs/2: the same run as runs/1"),
    ],
)
def test_what_is_not_comparable_is_refused(path: str, value: Any, says: str) -> None:
    documents = [document(number, own) for number, own in enumerate(rtfs(), start=1)]
    _set(documents[1], path, value)
    runs = {f"runs/{i}": Scorecard.model_validate(d) for i, d in enumerate(documents, start=1)}
    with pytest.raises(NotComparable) as caught:
        calibrate(runs, THRESHOLDS)
    assert says in str(caught.value)
    assert str(caught.value).startswith("runs/2: ")
    assert len(str(caught.value).splitlines()) == 1


def test_every_mismatch_has_a_line() -> None:
    documents = [document(number, own) for number, own in enumerate(rtfs(), start=1)]
    _set(documents[1], "provenance.threads", 2)
    _set(documents[2], "models.0.device", "mps")
    runs = {f"runs/{i}": Scorecard.model_validate(d) for i, d in enumerate(documents, start=1)}
    with pytest.raises(NotComparable) as caught:
        calibrate(runs, THRESHOLDS)
    assert len(str(caught.value).splitlines()) == 2


def test_snippet_loads_when_merged_and_limits(tmp_path: Path) -> None:
    runs = [
        [
            row("rtf", x),
            row("wer", 0.02, (0.00001, 0.000034)),
            row("peak_memory", 200.0),
            row("load_time", 1 + x),
        ]
        for x in RTFS
    ]
    report = read_report(save(tmp_path, *runs), THRESHOLDS)
    text = snippet(report, only_limited=True)
    assert "load_time" not in text
    for evidence in ("run-1", "2026-11-23T01", "111111111111", "3 runs: mean 0.12, sd 0.02"):
        assert evidence in text
    limits = _merged(tmp_path, text).limits(
        model=MODEL, tier="baseline", task="asr", corpus=CORPUS, gate="tier"
    )
    # 200 and not 2E+2, which YAML 1.1 would read as a text.
    assert {m: [x.value for x in found] for m, found in limits.items()} == {
        "rtf": [0.64],
        "wer": [0.000034],
        "peak_memory": [200.0],
    }
    assert "load_time" in snippet(report, only_limited=False)


def test_snippet_of_hostile_names_loads(tmp_path: Path) -> None:
    """Names and ids come from files: none may become YAML of its own."""
    names = ("on", "a: b", "x\n    asr: {wer: {max: 9}}", "#", '"', "1.0", "é")
    folders = save(tmp_path, *[[row("rtf", x, corpus=name) for name in names] for x in RTFS])
    changed = json.loads((folders[0] / "scorecard.json").read_text())
    changed["run"]["id"] = "x\nmodels: {}"
    (folders[0] / "scorecard.json").write_text(json.dumps(changed))
    merged = _merged(tmp_path, snippet(read_report(folders, THRESHOLDS), only_limited=True))
    assert set(merged.models[MODEL]) == set(names)


def test_nothing_to_write_is_an_error(tmp_path: Path) -> None:
    report = read_report(save(tmp_path, *[[row("insertions", 1.0)]] * 3), THRESHOLDS)
    with pytest.raises(RunError, match="nothing to write"):
        snippet(report, only_limited=True)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("run.id", None, "run.id: "),
        ("provenance.threads", "many", "provenance.threads: "),
        ("measurements.0.value", "a lot", "measurements.0.value: "),
        ("measurements.0.value", float("nan"), "measurements.0.value: "),
        ("measurements.0.ci", [0.1, float("inf")], "measurements.0.ci"),
        ("measurements.0.ci", [0.1], "measurements.0.ci"),
        ("measurements.0.metric", "wre", "measurements.0.metric: unknown metric 'wre'"),
        ("measurements.0.model", "other", "measurements.0.model: 'other' is not among"),
        ("measurements.1", row("rtf", 0.1), "measurements.1: the same figure as measurements.0"),
        ("models.0.tier", "gold", "models.0.tier: unknown tier 'gold'"),
        ("surprise", 1, "surprise: "),
        ("schema_version", 3, "schema_version: "),
    ],
)
def test_malformed_scorecards_name_file_and_key(
    tmp_path: Path, path: str, value: Any, says: str
) -> None:
    made = document(1, [row("rtf", 0.1), row("wer", 0.1)])
    _set(made, path, value)
    file = tmp_path / "scorecard.json"
    file.write_text(json.dumps(made), encoding="utf-8")
    with pytest.raises(RunError) as caught:
        read_run(tmp_path)
    assert str(caught.value).startswith(f"{file}: ")
    assert says in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"null", b"\x00"])
def test_what_is_no_scorecard_names_the_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "scorecard.json").write_bytes(content)
    with pytest.raises(RunError, match=r"scorecard\.json: "):
        read_run(tmp_path)


def test_absent_scorecard_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"scorecard\.json: cannot be read: "):
        read_run(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=4,
)


@settings(deadline=None)
@given(st.data())
def test_any_damage_gives_an_error_or_a_report(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """One place of one of three scorecards replaced by any JSON: never a crash further on."""
    folder = tmp_path_factory.mktemp("damaged")
    folders = save(folder, *[[row("rtf", x), row("wer", 0.1, (0.0, x))] for x in RTFS])
    made = document(1, [row("rtf", 0.1), row("wer", 0.1, (0.0, 0.2))])
    path = data.draw(st.sampled_from(list(_paths(made))))
    _set(made, path, data.draw(JSON))
    (folders[0] / "scorecard.json").write_text(json.dumps(made), encoding="utf-8")
    with suppress(RunError, NotComparable):
        report = read_report(folders, THRESHOLDS)
        render(report)
        snippet(report, only_limited=False)


def _command(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    calibrate_command.add_command(parser.add_subparsers(required=True))
    options = parser.parse_args(["calibrate", *map(str, arguments)])
    status: int = options.run(options)
    return status


def test_command_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [[row("rtf", x), row("wer", 0.01, (0.0, 0.02))] for x in RTFS]
    runs[2][0]["conditions"] = ["contended"]
    folders = save(tmp_path, *runs)
    texts = (("turn on", "play"), ("turn on", "play"), ("turn on", "pray"))
    for folder, said in zip(folders, texts, strict=True):
        with PredictionFile(folder / MODEL / "asr" / f"{CORPUS}.jsonl") as file:
            for number, text in enumerate(said):
                file.append(Prediction(str(number), "x", text, 1.0, 0.1))
    target = tmp_path / "limits.yaml"
    assert _command(*folders, "--write", target) == 0
    out = capsys.readouterr().out
    assert _cells(out, "wer")[2:6] == ["3", "0.01", "0", "0.01"]
    assert "0 (all runs equal)" in out
    assert _cells(out, "rtf")[2] == "2"
    assert "not enough runs: 2 of 3" in out
    assert "runs left out: 1 on a shared or busy machine (rtf)" in out
    assert "texts differ between runs: 1" in out
    assert yaml.safe_load(target.read_text())["models"] == {
        MODEL: {CORPUS: {"asr": {"wer": {"max": 0.02}}}}
    }


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "nowhere/scorecard.json: cannot be read"),
        (["run-1", "run-1"], "named twice"),
        (["run-1", "--metric", "wre"], "--metric wre: no such metric"),
        (["run-1", "--thresholds", "no.yaml"], "no.yaml: no such file"),
        (["run-1", "--write", "limits.yaml"], "nothing to write"),
        (["run-1", "run-2", "run-3", "--write", "no/folder.yaml"], "no/folder.yaml"),
    ],
)
def test_command_refuses_in_words(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: Sequence[str],
    says: str,
) -> None:
    save(tmp_path, *rtfs())
    monkeypatch.chdir(tmp_path)
    assert _command(*arguments) == 1
    assert says in capsys.readouterr().err


def test_broken_predictions_name_their_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = save(tmp_path, *rtfs())
    for folder in folders:
        file = folder / MODEL / "asr" / f"{CORPUS}.jsonl"
        file.parent.mkdir(parents=True)
        file.write_bytes(b'{"id": 1}\n')
    assert _command(*folders) == 1
    assert f"{CORPUS}.jsonl:1: not a prediction" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "0.5", "-1", "nan", "often"])
def test_flake_target_is_a_probability(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        _command("run", "--flake", text)
    assert caught.value.code == 2
    assert "--flake" in capsys.readouterr().err


def test_metrics_can_be_chosen(tmp_path: Path) -> None:
    runs = [[row("latency_p50", x), row("latency_p95", x), row("rtf", x)] for x in RTFS]
    report = read_report(save(tmp_path, *runs), THRESHOLDS, metrics=["latency_*"])
    assert [f.metric for f in report.figures] == ["latency_p50", "latency_p95"]


def _merged(folder: Path, text: str) -> thresholds_file.Thresholds:
    """thresholds.yaml with the snippet's models in place of its own."""
    content = yaml.safe_load(thresholds_file.DEFAULT.read_text(encoding="utf-8"))
    added = yaml.safe_load(text)
    assert set(added) == {"models"}
    path = folder / "merged.yaml"
    path.write_text(yaml.safe_dump({**content, **added}, allow_unicode=True), encoding="utf-8")
    try:
        return thresholds_file.load(path)
    except ConfigError as error:
        pytest.fail(f"{error}\n{text}")


def _cells(out: str, metric: str) -> list[str]:
    (line,) = [line for line in out.splitlines() if line.split()[:1] == [metric]]
    return line.split()


def _set(made: Any, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for part in parents:
        made = made[int(part)] if isinstance(made, list) else made[part]
    made[int(last) if isinstance(made, list) else last] = value


def _paths(made: Any, at: str = "") -> Sequence[str]:
    """Every place in a document, as a path for `_set`."""
    inner: Mapping[str, Any]
    if isinstance(made, Mapping):
        inner = made
    elif isinstance(made, list):
        inner = {str(i): value for i, value in enumerate(made)}
    else:
        return []
    return [p for k, v in inner.items() for p in (f"{at}{k}", *_paths(v, f"{at}{k}."))]
