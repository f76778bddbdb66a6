"""Whole sessions seen from outside: options, exit codes, scorecards, serial and under xdist."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import jiwer
import pytest

from adapters.catalog.engine import resolve_engine
from evals.measures.text.normalizers import normalizer
from tests.conftest import Runs
from tests.support.sessions import (
    NOT_INSTALLED,
    ROOT,
    TEXTS,
    WORDS,
    Finished,
    card_of,
    prepare,
    row_of,
    shared_arguments,
)

Session = Callable[..., pytest.RunResult]


@pytest.fixture
def outside(pytester: pytest.Pytester) -> Path:
    return prepare(pytester.path)


@pytest.fixture
def session(pytester: pytest.Pytester, outside: Path) -> Session:
    """Runs the repo's evals in a process of its own, on the toy corpus and catalogue."""

    def run(*arguments: str, corpus: Path | None = None) -> pytest.RunResult:
        return pytester.runpytest_subprocess(*shared_arguments(outside, corpus), *arguments)

    return run


@pytest.fixture
def finished(request: pytest.FixtureRequest, sessions: Runs) -> Finished:
    return sessions[request.param].result()


def looks_at(name: str) -> pytest.MarkDecorator:
    """The test looks at the session of that name."""
    return pytest.mark.parametrize("finished", [name], indirect=True)


@looks_at("comparison")
def test_new_engine_is_evaluated_graded_and_compared(finished: Finished) -> None:
    """One engine file and a catalogue outside the repo are all it takes."""
    card = finished.card
    assert [m["name"] for m in card["models"]] == ["oracle", "rival"]
    assert row_of(card, "oracle", "wer")["value"] == 0
    # Every tenth word is dropped, counted over the whole corpus.
    assert row_of(card, "rival", "deletions")["value"] == WORDS // 10
    assert row_of(card, "rival", "wer")["value"] == pytest.approx(0.1)
    grades = {g["model"]: g["grade"] for g in card["grades"]}
    assert grades["oracle"] == "A"
    assert grades["rival"] in ("B", "C", "D")
    assert card["recommendation"]["model"] == "oracle"
    assert "rival" in card["recommendation"]["reason"]
    assert finished.result.ret == 0
    finished.result.stdout.fnmatch_lines(
        [
            "*Model Lab*",
            "*oracle*A*",
            "Recommended*: oracle; smoke, hallucination and robustness have not run",
            "Scorecard: *",
        ]
    )


@looks_at("comparison")
def test_scorecard_equals_jiwer_on_the_stored_predictions(finished: Finished) -> None:
    lines = (finished.folder / "runs/latest/rival/asr/toy.jsonl").read_text().splitlines()
    predictions = [json.loads(line) for line in lines]
    assert [p["reference"] for p in predictions] == TEXTS
    references = [p["reference"] for p in predictions]  # plain words, as the engine hears them
    hypotheses = [p["hypothesis"] for p in predictions]
    card = finished.card
    assert row_of(card, "rival", "wer")["value"] == jiwer.wer(references, hypotheses)
    said, heard = ([text.replace(" ", "") for text in side] for side in (references, hypotheses))
    assert row_of(card, "rival", "cer")["value"] == jiwer.cer(said, heard)
    normalize = normalizer("whisper-english")
    [published] = [
        m["value"]
        for m in card["measurements"]
        if (m["model"], m["metric"], m["normalizer"])
        == ("rival", "wer_by_normalizer", "whisper-english")
    ]
    said, heard = ([normalize(text) for text in side] for side in (references, hypotheses))
    assert published == jiwer.wer(said, heard)
    seconds = sum(p["processing_seconds"] for p in predictions)
    audio = sum(p["audio_seconds"] for p in predictions)
    assert row_of(card, "rival", "rtf")["value"] == pytest.approx(seconds / audio)


@looks_at("comparison")
def test_run_folder_is_as_promised(finished: Finished) -> None:
    card = finished.card
    latest = finished.folder / "runs" / "latest"
    assert latest.is_symlink()
    assert latest.resolve().name == card["run"]["id"]
    keys = {"schema_version", "run", "provenance", "models", "measurements", "grades"}
    assert keys | {"recommendation"} <= set(card)
    keys = {"model", "task", "corpus", "metric", "value", "ci", "unit", "n", "slice"}
    keys |= {"normalizer", "limit", "verdict"}
    for row in card["measurements"]:
        assert keys <= set(row)
    (corpus,) = card["provenance"]["corpora"]
    assert corpus["utterances"] == len(TEXTS)
    assert len(corpus["content_hash"]) == 64
    assert card["models"][0]["device"] == "cpu"


@pytest.mark.slow
def test_rules_for_a_corpus_that_nothing_has_are_said(session: Session, outside: Path) -> None:
    text = (ROOT / "thresholds.yaml").read_text(encoding="utf-8")
    own = "models:\n  oracle:\n    toi: {asr: {wer: {max: 1%}}}\n    toy: {asr: {wer: {max: 1%}}}\n"
    (outside / "own.yaml").write_text(text.replace("models:\n", own, 1), encoding="utf-8")
    result = session("-m", "smoke", "--model=oracle", f"--thresholds={outside / 'own.yaml'}")
    said = [line for line in result.stdout.lines if line.startswith("Note: ")]
    assert len(said) == 1
    assert "own.yaml:" in said[0]
    assert "models.oracle.toi: no corpus of that name" in said[0]
    assert said[0].endswith("(the nearest is toy)")
    assert result.ret == 0
    assert [f"Note: {note}" for note in card_of(outside)["run"]["notes"]] == said


@looks_at("comparison")
def test_terminal_is_quiet_when_piped(finished: Finished) -> None:
    output = finished.result.stdout.str() + finished.result.stderr.str()
    assert "utt/s" not in output
    assert "\x1b" not in output


@pytest.mark.slow
@looks_at("production")
def test_production_gate_names_each_broken_limit(finished: Finished) -> None:
    assert finished.result.ret == 1
    finished.result.stdout.fnmatch_lines(["*wer * % *at most 4 % allowed by tier production*"])
    finished.result.stdout.fnmatch_lines(["*cer * % *at most 3 % allowed by tier production*"])


@pytest.mark.slow
@looks_at("faulty")
def test_faulty_models_fail_alone_and_say_why(finished: Finished) -> None:
    """A bad utterance costs one utterance, a bad load one model; the others' figures stand."""
    on_one_utterance = {
        "raises": "RuntimeError: toy trouble",
        "number": "a Transcript with text is expected",
        "exits": "exit status 3",
        "segfaults": "SIGSEGV",
        "hangs": "no answer to 'transcribe' within 3 s",
    }
    on_loading = {"unloadable": "the toy checkpoint is broken", "dies-loading": "exit status 7"}
    result, outside, card = finished.result, finished.folder, finished.card
    assert result.ret == 1
    result.assert_outcomes(passed=6, failed=2, errors=3)
    result.stdout.fnmatch_lines([NOT_INSTALLED])
    for mode, says in on_one_utterance.items():
        lines = (outside / f"runs/latest/{mode}/asr/toy.jsonl").read_text().splitlines()
        predictions = [json.loads(line) for line in lines]
        errors = [p for p in predictions if p["error"]]
        assert [p["id"] for p in errors] == ["u23"]
        assert says in errors[0]["error"]
        assert errors[0]["hypothesis"] == ""
        assert errors[0]["processing_seconds"] is None
        assert row_of(card, mode, "success_rate")["value"] == pytest.approx(79 / 80)
        assert row_of(card, mode, "deletions")["value"] == 8  # all its words
    for mode, says in on_loading.items():
        result.stdout.fnmatch_lines([f"*{mode}: cannot be loaded: *{says}*"])
        row = row_of(card, mode, "wer")
        assert (row["value"], row["verdict"]) == (None, "error")
        assert says in row["reason"]
    # A model that dies on everything is given up, and what it owed is all deletions.
    predictions = (outside / "runs/latest/always-exits/asr/toy.jsonl").read_text().splitlines()
    assert len(predictions) == len(TEXTS)
    assert "died over 3 others, twice each" in json.loads(predictions[-1])["error"]
    assert row_of(card, "always-exits", "success_rate")["value"] == 0
    assert row_of(card, "always-exits", "wer")["value"] == 1
    assert row_of(card, "always-exits", "rtf")["verdict"] == "not_measured"
    assert row_of(card, "always-silent", "wer")["value"] == 1
    assert row_of(card, "oracle", "wer")["value"] == 0
    grades = {g["model"]: g["grade"] for g in card["grades"]}
    assert grades["always-silent"] == "D"
    # Latency was left out, so the best grade that can be had is capped.
    assert (grades["unloadable"], grades["oracle"]) == (None, "C")


@pytest.mark.slow
@pytest.mark.parametrize("finished", ["comparison -n 2"], indirect=True)
def test_xdist_gives_the_same_accuracy_and_no_speed(finished: Finished, sessions: Runs) -> None:
    serial, parallel = sessions["comparison"].result().card, finished.card
    assert finished.result.ret == 0
    for model in ("oracle", "rival"):
        for metric in ("wer", "cer", "substitutions", "deletions", "insertions", "success_rate"):
            ours, theirs = row_of(parallel, model, metric), row_of(serial, model, metric)
            if model == "rival":  # counts the words that it hears, and each worker has its own
                ours, theirs = ours["value"], theirs["value"]
            assert ours == theirs
        rtf = row_of(parallel, model, "rtf")
        assert (rtf["verdict"], rtf["gated"], rtf["conditions"]) == (
            "inconclusive",
            False,
            ["contended"],
        )
        latency = row_of(parallel, model, "latency_p95", "latency")
        assert (latency["value"], latency["verdict"]) == (None, "not_measured")
        assert row_of(serial, model, "latency_p95", "latency")["value"] > 0
    assert parallel["run"]["conditions"] == ["contended"]
    assert {g["grade"] for g in parallel["grades"]} <= {"C", "D"}  # capped for want of speed
    assert parallel["recommendation"]["model"] is None
    finished.result.stdout.fnmatch_lines(["*not measured*"])


@pytest.mark.slow
@looks_at("crash -n 2")
def test_crash_of_an_xdist_worker_is_an_error_row(finished: Finished) -> None:
    assert finished.result.ret == 1
    row = row_of(finished.card, "exits", "wer")
    assert (row["value"], row["verdict"]) == (None, "error")
    assert "crashed" in row["reason"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--model", "nobody"], "--model nobody: no model of that name"),
        (["--corpus", "nowhere.jsonl"], "--corpus nowhere.jsonl:"),
        (["--thresholds", "nowhere.yaml"], "--thresholds: nowhere.yaml: no such file"),
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


@pytest.mark.slow
def test_model_that_no_selected_test_evaluates_fails(session: Session) -> None:
    result = session("-m", "asr", "--model", "espeak")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["ERROR: espeak: no selected test evaluates it (it does: tts)"])


@pytest.mark.slow
@looks_at("globs")
def test_engine_that_is_not_installed(finished: Finished) -> None:
    """Met through a glob it is skipped, and shown; named, it fails (see the faulty models)."""
    assert finished.result.ret == 0
    finished.result.stdout.fnmatch_lines([NOT_INSTALLED])
    row = row_of(finished.card, "absent", "wer")
    assert (row["value"], row["verdict"]) == (None, "not_measured")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("finished", "verdict"),
    [("absent", "error"), ("absent glob", "not_measured")],
    indirect=["finished"],
)
def test_session_in_which_no_model_could_run_says_why(finished: Finished, verdict: str) -> None:
    assert finished.result.ret == 1
    output = finished.result.stdout.str() + finished.result.stderr.str()
    assert "INTERNALERROR" not in output
    assert "Traceback" not in output
    finished.result.stdout.fnmatch_lines(
        ["ERROR: none of the models*could be measured", f"ERROR: absent: {NOT_INSTALLED}"]
    )
    row = row_of(finished.card, "absent", "wer")
    assert (row["value"], row["verdict"]) == (None, verdict)
    (why,) = (x for x in finished.card["run"]["problems"] if x.startswith("absent: "))
    assert "uv sync --inexact --extra toy" in why


def test_package_that_no_extra_brings_is_named_with_a_command(tmp_path: Path) -> None:
    """An engine as docs/adding-a-model.md shows one: its package is neither here nor an extra's."""
    engine = (
        "from adapters.interface import Adapter, LoadSpec\n"
        "class Mine(Adapter):\n"
        "    modules = ('surely_not_there',){requirements}\n"
        "    def load(self, spec: LoadSpec) -> None: ...\n"
        "    def transcribe(self, audio): ...\n"
        "ADAPTER = Mine\n"
    )
    (tmp_path / "bare.py").write_text(engine.format(requirements=""), encoding="utf-8")
    required = "; requirements = ('not-there>=1',)"
    (tmp_path / "required.py").write_text(engine.format(requirements=required), encoding="utf-8")
    bare = resolve_engine("bare.py", tmp_path).missing()
    assert bare is not None
    assert bare.endswith("Install it with: uv pip install surely_not_there")
    missing = resolve_engine("required.py", tmp_path).missing()
    assert missing is not None
    assert "uv pip install 'not-there>=1'. Or give it an environment of its own with" in missing


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_run_in_which_nothing_is_evaluated_leaves_no_folder(
    session: Session, outside: Path, workers: Sequence[str]
) -> None:
    """pytest-xdist's workers are told of the run before it is known that there is no test."""
    result = session("-m", "tts", "--model", "oracle", *workers)
    assert result.ret == 1
    assert [path for path in outside.glob("runs/*") if path.is_dir()] == []


@pytest.mark.slow
def test_limit_of_a_model_that_is_not_there_is_refused(session: Session, outside: Path) -> None:
    text = (
        (ROOT / "thresholds.yaml").read_text().replace("  faster-whisper-micro:", "  fast-wisper:")
    )
    (outside / "typo.yaml").write_text(text)
    result = session("-m", "asr", "--model", "oracle", "--thresholds", "typo.yaml")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*typo.yaml:*: models.fast-wisper: no model of that name*"])


@pytest.mark.slow
@looks_at("stopped")
def test_stopped_session_is_marked_incomplete(finished: Finished) -> None:
    assert finished.result.ret == 1
    assert finished.card["run"]["complete"] is False
    assert [m["name"] for m in finished.card["models"]] == ["always-silent"]


@pytest.mark.slow
@looks_at("bad audio")
def test_bad_audio_ends_the_session_before_a_model_is_loaded(finished: Finished) -> None:
    assert finished.result.ret == pytest.ExitCode.USAGE_ERROR
    manifest = finished.folder / "bad" / "manifest.jsonl"
    finished.result.stderr.fnmatch_lines([f"*{manifest.name}:2: *1.wav*"])
    assert not (finished.folder / "runs").exists()


@pytest.mark.slow
@looks_at("no benchmark")
def test_latency_turned_off_by_hand_breaks_its_gate(finished: Finished) -> None:
    assert finished.result.ret == 1
    finished.result.stdout.fnmatch_lines(
        ["*latency_p95 not measured: pytest-benchmark is disabled*"]
    )


@pytest.mark.slow
@looks_at("smoke")
def test_smoke(finished: Finished) -> None:
    assert finished.result.ret == 0
    assert row_of(finished.card, "oracle", "success_rate", "smoke")["verdict"] == "pass"
    assert finished.card["grades"][0]["grade"] is None
    assert finished.card["recommendation"]["model"] is None
    ends = [line.partition(":")[0] for line in finished.result.outlines[-3:-1]]
    assert ends == ["Scorecard", "Page"]


@pytest.mark.slow
@looks_at("two corpora")
def test_models_load_once_each_over_two_corpora(finished: Finished) -> None:
    """Reordering by fixture must not load a model twice."""
    assert finished.result.ret == 0
    lines = finished.result.outlines
    assert len([x for x in lines if x.strip().startswith("SETUP    S model ")]) == 2
