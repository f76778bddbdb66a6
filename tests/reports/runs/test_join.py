"""A gate from several runs: what has not run is said, and runs of the same models are joined."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from evals.gate.thresholds import DEFAULT, load
from reports.__main__ import main
from reports.recommendation.recommend import recommend
from reports.scorecard import scorecard
from reports.scorecard.scorecard import Scorecard
from tests.support.sessions import (
    TEXTS,
    as_written,
    card_of,
    check_rescored,
    run_toys,
    shared_arguments,
    write_toys,
)
from tests.support.toy_engine import toy_corpus

pytestmark = pytest.mark.slow

#: The toy hears nothing through any condition, so it is good in asr alone.
FRAGILE = "oracle"
OF_RECOGNIZERS = ["smoke", "asr", "latency", "hallucination", "robustness"]


@dataclass(frozen=True)
class Sessions:
    """Two sessions of one model, and what the first one printed."""

    folder: Path
    asr: Path
    conditions: Path
    said: str


@pytest.fixture(scope="module")
def sessions_of(tmp_path_factory: pytest.TempPathFactory) -> Sessions:
    folder = tmp_path_factory.mktemp("join")
    write_toys(folder, {FRAGILE: {}, "spare": {}}, tier="production")
    toy_corpus(folder / "toy", TEXTS)
    model = f"--model={FRAGILE}"
    done = run_toys(folder, "-m", "asr or smoke", model)
    assert done.returncode == 0, done.stdout + done.stderr
    asr = (folder / "runs" / "latest").resolve()
    run_toys(folder, "-m", "robustness or hallucination", model, "--robustness-utterances=4")
    return Sessions(folder, asr, (folder / "runs" / "latest").resolve(), done.stdout)


def card_in(run: Path) -> Scorecard:
    return scorecard.read(run / scorecard.FILE_NAME)


def rows(card: Scorecard) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in as_written(card)["measurements"])


def copies(found: Sessions, folder: Path) -> tuple[Path, Path]:
    """Both runs, to change at will."""
    for run, name in ((found.asr, "first"), (found.conditions, "second")):
        shutil.copytree(run, folder / name, symlinks=True)
    return folder / "first", folder / "second"


def test_what_has_not_run_is_said_first(sessions_of: Sessions) -> None:
    """A model that nobody has heard through a telephone is not told to be fit for production."""
    best = card_in(sessions_of.asr).recommendation
    lead = "hallucination and robustness have not run"
    assert (best.model, best.not_run) == (FRAGILE, ["hallucination", "robustness"])
    assert best.reason.startswith(f"{lead}; ")
    assert f"Recommended for production (general): {FRAGILE}; {lead}" in sessions_of.said
    assert "Page: could not" not in sessions_of.said, sessions_of.said
    page = (sessions_of.asr / "scorecard.html").read_text(encoding="utf-8")
    assert f"{lead}; " in page
    from reports.ci import markdown

    summary = markdown.summary(card_in(sessions_of.asr), load())
    assert f"**{FRAGILE}**: {lead}; " in summary


def test_joined_runs_have_one_answer(
    sessions_of: Sessions, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every figure of both, and a recommendation that counts the conditions too."""
    first, second = copies(sessions_of, tmp_path)
    status = main(["join", str(first), str(second), f"--runs-dir={tmp_path / 'runs'}"])
    said = capsys.readouterr().out
    run = (tmp_path / "runs" / "latest").resolve()
    card, cards = card_in(run), [card_in(first), card_in(second)]
    assert status == card.run.exit_status == 1  # robustness is broken, and so is the gate
    assert card.run.joined == ["first", "second"]
    assert rows(card) == sorted(row for one in cards for row in rows(one))
    best = card.recommendation
    assert (best.model, best.not_run) == (None, [])
    assert "drift" in best.reason
    assert "Recommended for production (general): none\n" in said
    assert (run / "scorecard.html").is_file()
    assert (run / FRAGILE / "asr" / "toy.jsonl").is_file()
    assert card.rescored is None
    check_rescored(run)


@pytest.mark.parametrize(
    "words",
    [
        ["html", "RUN"],
        ["compare", "RUN", "FIRST"],
        ["history", "--runs-dir", "RUNS"],
        ["rescore", "RUN", "--dry-run"],
    ],
)
def test_a_joined_run_is_read_like_any(
    sessions_of: Sessions, tmp_path: Path, words: list[str]
) -> None:
    first, second = copies(sessions_of, tmp_path)
    main(["join", str(first), str(second), f"--runs-dir={tmp_path / 'runs'}"])
    run = (tmp_path / "runs" / "latest").resolve()
    places = {"RUN": str(run), "FIRST": str(first), "RUNS": str(run.parent)}
    status = main([places.get(word, word) for word in words])
    assert status in (0, card_in(run).run.exit_status)


def of_model(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda card: card["models"][0].update({key: value})


def of_run(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda card: card["run"].update({key: value})


def of_provenance(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda card: card["provenance"].update({key: value})


def another_corpus(card: dict[str, Any]) -> None:
    card["provenance"]["corpora"][0]["content_hash"] = "f" * 64


def another_place(card: dict[str, Any]) -> None:
    card["models"][0] |= {"checkpoint": "other/place", "checkpoint_sha256": None}


def another_name(card: dict[str, Any]) -> None:
    card["models"].append({**card["models"][0], "name": "spare"})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (another_place, ["checkpoint", "other/place"]),
        (of_model("checkpoint_sha256", "e" * 64), ["checkpoint"]),
        (of_model("revision", "v2"), ["revision", "v2"]),
        (of_model("options", {"mode": "drops"}), ["options", "drops"]),
        (of_model("device", "cuda"), ["device", "cuda"]),
        (of_model("tier", "candidate"), ["tier", "candidate"]),
        (of_model("packages", {"numpy": "1.0"}), ["packages", "1.0"]),
        (of_run("gate", "production"), ["--gate", "production"]),
        (of_run("shard", "1/2"), ["shard 1/2", "reports merge"]),
        (of_run("complete", False), ["interrupted", "--resume"]),
        (of_provenance("seed", 5), ["--seed", "5"]),
        (of_provenance("threads", 2), ["--threads", "2"]),
        (of_provenance("options", {"isolation": "none"}), ["--isolation", "none"]),
        (of_provenance("thresholds_sha256", "a" * 64), ["limits", "a" * 10]),
        (another_corpus, ["corpus toy", "f" * 10]),
        (another_name, ["spare", "the same models"]),
    ],
)
def test_runs_that_do_not_belong_together_are_refused(
    sessions_of: Sessions,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[dict[str, Any]], None],
    named: list[str],
) -> None:
    """Before anything is written, with what sets them apart."""
    first, second = copies(sessions_of, tmp_path)
    for run in (first, second):  # what a model that was loaded tells
        content = json.loads((run / "scorecard.json").read_text(encoding="utf-8"))
        content["models"][0] |= {
            "revision": "v1", "packages": {"numpy": "2.0"}, "checkpoint_sha256": "d" * 64,
        }  # fmt: skip
        if run is second:
            change(content)
        (run / "scorecard.json").write_text(json.dumps(content), encoding="utf-8")
    assert main(["join", str(first), str(second), f"--runs-dir={tmp_path / 'runs'}"]) == 1
    said = capsys.readouterr().err
    assert [word for word in named if word not in said] == [], said
    assert str(second) in said
    assert not (tmp_path / "runs").exists()


def test_what_is_there_twice_is_refused(
    sessions_of: Sessions, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, _ = copies(sessions_of, tmp_path)
    again = shutil.copytree(first, tmp_path / "again")
    assert main(["join", str(first), str(again), f"--runs-dir={tmp_path / 'runs'}"]) == 1
    assert f"both have {FRAGILE} on toy (asr)" in capsys.readouterr().err
    assert main(["join", str(first), f"--runs-dir={tmp_path / 'runs'}"]) == 1
    assert not (tmp_path / "runs").exists()


def test_limits_that_have_changed_since_are_asked_for(
    sessions_of: Sessions, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other limits are never taken without a word, and are where they are named."""
    runs = copies(sessions_of, tmp_path)
    for run in runs:
        content = json.loads((run / "scorecard.json").read_text(encoding="utf-8"))
        content["provenance"]["thresholds_sha256"] = "a" * 64
        (run / "scorecard.json").write_text(json.dumps(content), encoding="utf-8")
    words = ["join", *map(str, runs), f"--runs-dir={tmp_path / 'runs'}"]
    assert main(words) == 1
    assert "--thresholds" in capsys.readouterr().err
    main([*words, f"--thresholds={DEFAULT}"])
    assert (tmp_path / "runs" / "latest" / "scorecard.json").is_file()


def test_production_runs_what_production_limits(tmp_path: Path) -> None:
    """All of it in one session, shared out over processes too."""
    write_toys(tmp_path, {FRAGILE: {}})
    toy_corpus(tmp_path / "toy", TEXTS[:8])
    done = run_toys(
        tmp_path, "-m", "production", f"--model={FRAGILE}", "--robustness-utterances=4", "-n", "2"
    )
    card = card_of(tmp_path)
    assert {m["task"] for m in card["measurements"]} == {*OF_RECOGNIZERS}, done.stdout
    # pytest-benchmark measures nothing beside others.
    assert card["recommendation"]["not_run"] == ["latency"]


def test_production_selects_by_the_limits(tmp_path: Path) -> None:
    """A task without a limit of production's is left out, as is what the expression excludes."""
    limits = yaml.safe_load(DEFAULT.read_text(encoding="utf-8"))
    del limits["tiers"]["production"]["limits"]["robustness"]
    (tmp_path / "limits.yaml").write_text(yaml.safe_dump(limits), encoding="utf-8")
    write_toys(tmp_path, {FRAGILE: {}})
    toy_corpus(tmp_path / "toy", TEXTS[:2])
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", *shared_arguments(tmp_path), f"--model={FRAGILE}",
            "--thresholds=limits.yaml", "--collect-only", "-q", "-m", "production and not smoke",
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    found = [line.split("::")[0] for line in done.stdout.splitlines() if "[oracle" in line]
    assert sorted(Path(module).stem for module in found) == [
        "test_asr", "test_hallucination", "test_latency",
    ], done.stdout + done.stderr  # fmt: skip


def test_each_kind_of_model_has_tasks_of_its_own() -> None:
    """A voice is not said to lack robustness, nor a recognizer a conversation."""
    for use, tasks in (("general", OF_RECOGNIZERS), ("speaking", ["tts"]), ("assistant", ["chat"])):
        told = recommend([], ["mine"], frozenset(), load(), use)
        assert told.not_run == tasks
        assert told.reason.startswith(told.lead)
