"""Whole sessions seen from outside: options, exit codes, scorecards, serial and under xdist."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jiwer
import jsonschema
import pytest

from evals.normalizers import normalizer
from reports import scorecard
from tests import toy_engine
from tests.toy_engine import toy_corpus

ROOT = Path(__file__).parents[1]
#: Enough utterances for a perfect one's success rate to be shown to be above 95 %.
TEXTS = [
    f"turn on light {letter} in the {room} please"
    for room in ("kitchen", "garden", "office", "hall")
    for letter in "abcdefghijklmnopqrst"
]
WORDS = 8 * len(TEXTS)

CATALOG = """schema_version: 1
models:
  oracle: {{engine: {engine}, tasks: [asr], default: true, tier: production}}
  rival: {{engine: {engine}, tasks: [asr], default: true, options: {{mode: drops}}}}
  guarded: {{engine: {engine}, tasks: [asr], tier: baseline, options: {{mode: drops}}}}
  {faults}
"""
FAULTS = ("raises", "number", "exits", "segfaults", "hangs", "unloadable", "dies-loading", "silent")

Session = Callable[..., pytest.RunResult]


@pytest.fixture
def outside(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder outside the repo with a catalogue, an engine file and a corpus of its own."""
    folder = pytester.path
    (folder / "their_engine.py").write_text(Path(toy_engine.__file__).read_text(encoding="utf-8"))
    faults = "\n  ".join(
        f"{mode}: {{engine: their_engine.py, tasks: [asr], options: {{mode: {mode}, on: light d in the garden}}}}"
        for mode in FAULTS
    )
    catalog = CATALOG.format(engine="their_engine.py", faults=faults)
    (folder / "catalog.yaml").write_text(catalog, encoding="utf-8")
    toy_corpus(folder / "toy", TEXTS)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return folder


@pytest.fixture
def session(pytester: pytest.Pytester, outside: Path) -> Session:
    """Runs the repo's evals in a process of its own, on the toy corpus and catalogue."""

    def run(*arguments: str, corpus: Path | None = None) -> pytest.RunResult:
        manifest = corpus or outside / "toy" / "manifest.jsonl"
        return pytester.runpytest_subprocess(
            f"--rootdir={ROOT}",
            f"-c{ROOT / 'pyproject.toml'}",
            str(ROOT / "evals"),
            f"--catalog={outside / 'catalog.yaml'}",
            f"--corpus={manifest}",
            "--runs-dir=runs",
            *arguments,
        )

    return run


def _card(folder: Path) -> dict[str, Any]:
    text = (folder / "runs" / "latest" / "scorecard.json").read_text(encoding="utf-8")
    card: dict[str, Any] = json.loads(text)
    schema = json.loads(scorecard.SCHEMA_FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(card)
    return card


def _row(card: dict[str, Any], model: str, metric: str, task: str = "asr") -> dict[str, Any]:
    rows = [
        m
        for m in card["measurements"]
        if (m["model"], m["task"], m["metric"]) == (model, task, metric)
    ]
    assert len(rows) == 1, f"{len(rows)} rows for {model} {task} {metric}"
    row: dict[str, Any] = rows[0]
    return row


def test_new_engine_is_evaluated_graded_and_compared(session: Session, outside: Path) -> None:
    """One engine file and a catalogue outside the repo are all it takes."""
    result = session("-m", "asr", "--model", "oracle", "--model", "rival")
    assert result.ret == 0
    card = _card(outside)
    assert [m["name"] for m in card["models"]] == ["oracle", "rival"]
    assert _row(card, "oracle", "wer")["value"] == 0
    # Every tenth word is dropped, counted over the whole corpus.
    assert _row(card, "rival", "deletions")["value"] == WORDS // 10
    assert _row(card, "rival", "wer")["value"] == pytest.approx(0.1)
    grades = {g["model"]: g["grade"] for g in card["grades"]}
    assert grades["oracle"] == "A"
    assert grades["rival"] in ("B", "C")
    assert card["recommendation"]["model"] == "oracle"
    assert "rival" in card["recommendation"]["reason"]
    result.stdout.fnmatch_lines(
        ["*Model Lab*", "*oracle*toy*A*", "Recommended*: oracle", "Scorecard: *"]
    )


def test_scorecard_equals_jiwer_on_the_stored_predictions(session: Session, outside: Path) -> None:
    assert session("-m", "asr", "--model", "rival").ret == 0
    lines = (outside / "runs/latest/rival/asr/toy.jsonl").read_text().splitlines()
    predictions = [json.loads(line) for line in lines]
    assert [p["reference"] for p in predictions] == TEXTS
    normalize = normalizer("whisper-english")
    references = [normalize(p["reference"]) for p in predictions]
    hypotheses = [normalize(p["hypothesis"]) for p in predictions]
    card = _card(outside)
    assert _row(card, "rival", "wer")["value"] == jiwer.wer(references, hypotheses)
    assert _row(card, "rival", "cer")["value"] == jiwer.cer(references, hypotheses)
    seconds = sum(p["processing_seconds"] for p in predictions)
    audio = sum(p["audio_seconds"] for p in predictions)
    assert _row(card, "rival", "rtf")["value"] == pytest.approx(seconds / audio)


def test_production_gate_names_each_broken_limit(session: Session, outside: Path) -> None:
    assert session("-m", "asr", "--model", "guarded").ret == 0
    (outside / "strict.yaml").write_text(
        (ROOT / "thresholds.yaml")
        .read_text()
        .replace("wer: {max: 0.10}", "wer: {max: 0.04}")
        .replace("cer: {max: 0.05}", "cer: {max: 0.03}")
    )
    result = session(
        "-m", "asr", "--model", "guarded", "--gate", "production", "--thresholds", "strict.yaml"
    )
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*wer 0.1*at most 0.04 allowed by tier production*"])
    result.stdout.fnmatch_lines(["*cer 0.1*at most 0.03 allowed by tier production*"])
    assert session("-m", "asr", "--model", "guarded", "--gate", "off").ret == 0


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("unloadable", "the toy checkpoint is broken"),
        ("dies-loading", "exit status 7"),
    ],
)
def test_model_that_cannot_be_loaded(session: Session, outside: Path, mode: str, says: str) -> None:
    result = session("-m", "asr", "--model", mode, "--model", "oracle")
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"*{mode} cannot be loaded: *{says}*"])
    card = _card(outside)
    row = _row(card, mode, "wer")
    assert (row["value"], row["verdict"]) == (None, "error")
    assert says in row["reason"]
    assert [g["grade"] for g in card["grades"]] == [None, "A"]
    assert card["recommendation"]["model"] == "oracle"


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("raises", "RuntimeError: toy trouble"),
        ("number", "a Transcript with text is expected"),
        ("exits", "exit status 3"),
        ("segfaults", "SIGSEGV"),
        ("hangs", "no answer to 'transcribe' within 1 s"),
    ],
)
def test_one_bad_utterance_costs_one_utterance(
    session: Session, outside: Path, mode: str, says: str
) -> None:
    result = session("-m", "asr and not latency", "--model", mode, "--time-limit", "1")
    lines = (outside / f"runs/latest/{mode}/asr/toy.jsonl").read_text().splitlines()
    predictions = [json.loads(line) for line in lines]
    errors = [p for p in predictions if p["error"]]
    assert [p["id"] for p in errors] == ["u23"]
    assert says in errors[0]["error"]
    assert errors[0]["hypothesis"] == ""
    assert errors[0]["processing_seconds"] is None
    card = _card(outside)
    assert _row(card, mode, "success_rate")["value"] == pytest.approx(79 / 80)
    assert _row(card, mode, "deletions")["value"] == 8  # all its words
    assert result.ret == 0


def test_model_that_always_dies_is_given_up_and_fails(session: Session, outside: Path) -> None:
    text = (
        (outside / "catalog.yaml")
        .read_text()
        .replace("mode: exits, on: light d in the garden", "mode: exits")
    )
    (outside / "catalog.yaml").write_text(text)
    result = session("-m", "asr", "--model", "exits", "--model", "oracle")
    assert result.ret == 1
    predictions = (outside / "runs/latest/exits/asr/toy.jsonl").read_text().splitlines()
    assert len(predictions) == len(TEXTS)
    assert "died 3 times" in json.loads(predictions[-1])["error"]
    card = _card(outside)
    assert _row(card, "exits", "success_rate")["value"] == 0
    assert _row(card, "exits", "wer")["value"] == 1
    assert _row(card, "exits", "rtf")["verdict"] == "not_measured"
    assert _row(card, "oracle", "wer")["value"] == 0


def test_silent_model_scores_all_deletions(session: Session, outside: Path) -> None:
    text = (
        (outside / "catalog.yaml")
        .read_text()
        .replace("mode: silent, on: light d in the garden", "mode: silent")
    )
    (outside / "catalog.yaml").write_text(text)
    assert session("-m", "asr", "--model", "silent").ret == 1
    card = _card(outside)
    assert _row(card, "silent", "wer")["value"] == 1
    assert card["grades"][0]["grade"] == "D"


def test_xdist_gives_the_same_accuracy_and_no_speed(session: Session, outside: Path) -> None:
    models = ("--model", "oracle", "--model", "rival")
    assert session("-m", "asr", *models).ret == 0
    serial = _card(outside)
    result = session("-m", "asr", *models, "-n", "2")
    assert result.ret == 0
    parallel = _card(outside)
    assert parallel["run"]["id"] != serial["run"]["id"]
    for model in ("oracle", "rival"):
        for metric in ("wer", "cer", "substitutions", "deletions", "insertions", "success_rate"):
            assert _row(parallel, model, metric) == _row(serial, model, metric)
        rtf = _row(parallel, model, "rtf")
        assert (rtf["verdict"], rtf["gated"], rtf["conditions"]) == (
            "inconclusive",
            False,
            ["contended"],
        )
        latency = _row(parallel, model, "latency_p95", "latency")
        assert (latency["value"], latency["verdict"]) == (None, "not_measured")
        assert _row(serial, model, "latency_p95", "latency")["value"] > 0
    assert parallel["run"]["conditions"] == ["contended"]
    assert {g["grade"] for g in parallel["grades"]} <= {"C", "D"}  # capped for want of speed
    assert parallel["recommendation"]["model"] is None
    result.stdout.fnmatch_lines(["*not measured*"])


def test_crash_of_an_xdist_worker_is_an_error_row(session: Session, outside: Path) -> None:
    result = session(
        "-m", "asr and not latency", "--model", "exits", "--isolation", "none", "-n", "2"
    )
    assert result.ret == 1
    row = _row(_card(outside), "exits", "wer")
    assert (row["value"], row["verdict"]) == (None, "error")
    assert "crashed" in row["reason"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--model", "nobody"], "--model nobody: no model of that name"),
        (["--device", "tpu"], "--device tpu: not a device"),
        (["--device", "cuda:99"], "--device cuda:99: this machine has"),
        (["--corpus", "nowhere.jsonl"], "--corpus nowhere.jsonl:"),
        (["--thresholds", "nowhere.yaml"], "--thresholds: nowhere.yaml: no such file"),
        (["--catalog", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["--threads", "0"], "--threads: at least 1"),
        (["--time-limit", "-1"], "--time-limit: a positive number"),
        (["--gate", "strict"], "invalid choice: 'strict'"),
    ],
)
def test_wrong_options_are_usage_errors(
    session: Session, outside: Path, arguments: Sequence[str], says: str
) -> None:
    result = session(*arguments)
    assert result.ret == 4
    output = result.stdout.str() + result.stderr.str()
    assert says in output
    assert "Traceback" not in output
    assert not (outside / "runs").exists()


def test_model_that_no_selected_test_evaluates_fails(session: Session) -> None:
    result = session("-m", "asr", "--model", "espeak")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["ERROR: espeak: no selected test evaluates it (it does: tts)"])


def test_bad_audio_is_an_error_of_the_corpus(session: Session, outside: Path) -> None:
    manifest = toy_corpus(outside / "bad", TEXTS[:3])
    (outside / "bad" / "1.wav").write_bytes(b"RIFF")
    result = session("-m", "asr and not latency", "--model", "oracle", corpus=manifest)
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"*{manifest}:2: *1.wav*"])
    assert _row(_card(outside), "oracle", "wer")["verdict"] == "error"


def test_smoke(session: Session, outside: Path) -> None:
    assert session("-m", "smoke", "--model", "oracle").ret == 0
    card = _card(outside)
    assert _row(card, "oracle", "success_rate", "smoke")["verdict"] == "pass"
    assert card["grades"][0]["grade"] is None
    assert card["recommendation"]["model"] is None


def test_run_folder_is_as_promised(session: Session, outside: Path) -> None:
    assert session("-m", "asr", "--model", "oracle").ret == 0
    latest = outside / "runs" / "latest"
    assert latest.is_symlink()
    card = _card(outside)
    assert latest.resolve().name == card["run"]["id"]
    assert sorted(card) == sorted(
        [
            "schema_version",
            "run",
            "provenance",
            "models",
            "measurements",
            "grades",
            "recommendation",
        ]
    )
    keys = {"model", "task", "corpus", "metric", "value", "ci", "unit", "n", "slice"}
    keys |= {"normalizer", "limit", "verdict"}
    for row in card["measurements"]:
        assert keys <= set(row)
    (corpus,) = card["provenance"]["corpora"]
    assert corpus["utterances"] == len(TEXTS)
    assert len(corpus["content_hash"]) == 64
    assert card["models"][0]["device"] == "cpu"


def test_default_models_load_once_each_over_two_corpora(session: Session, outside: Path) -> None:
    """Reordering by fixture must not load a model twice."""
    other = toy_corpus(outside / "other", TEXTS[:40])
    arguments = ("-m", "asr", "--model", "oracle", "--model", "rival", "--setup-show")
    result = session(*arguments, f"--corpus={other}")
    assert result.ret == 0
    setups = [line for line in result.outlines if "SETUP    S model[" in line.replace("'", "")]
    assert len(setups) == 2
