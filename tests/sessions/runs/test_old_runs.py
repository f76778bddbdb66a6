"""Runs made before the packages were put into folders: read, scored again, compared, resumed.

`tests/data/runs-948ee4c` has one run of each task, made with commit 948ee4c on the engine and the
corpora beside them. Its paths were `/model-lab` for the checkout and `.` for the folder it was run in.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evals.gate.limit_files import LimitFiles
from reports import __main__ as command
from reports.build.rescore import rescore
from reports.scorecard import scorecard
from tests.support.sessions import ROOT, card_of

pytestmark = pytest.mark.slow

DATA = ROOT / "tests" / "data" / "runs-948ee4c"
TASKS = ("smoke", "latency", "asr", "robustness", "hallucination", "tts", "chat")
#: Figures that another session takes anew.
_TAKEN = ("load_time", "first_inference", "peak_memory")
#: Figures that do not depend on the clock, one for each task at least.
_OF_WORDS = ("wer", "cer", "wer_drift", "hallucination_rate", "turn_success_rate")


@pytest.fixture
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The folder that a run of a task was made in, as it was, with the run in `runs/old`."""
    folder = tmp_path / "made"
    shutil.copytree(DATA, folder, ignore=shutil.ignore_patterns(*TASKS))
    run = folder / "runs" / "old"
    shutil.copytree(DATA / request.param, run)
    for file in run.rglob("*.json"):
        text = file.read_text(encoding="utf-8").replace("/model-lab", str(ROOT))
        text = text.replace('"directory": "."', f'"directory": {json.dumps(str(folder))}')
        file.write_text(text, encoding="utf-8")
    (folder / "runs" / "latest").symlink_to("old", target_is_directory=True)
    return folder


def lines(run: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Each file of lines with its rows."""
    for file in sorted(run.rglob("*.jsonl")):
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        yield file.relative_to(run).as_posix(), rows


def old_card(folder: Path) -> dict[str, Any]:
    """The scorecard as 948ee4c wrote it."""
    path = folder / "runs" / "old" / scorecard.FILE_NAME
    card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return card


def values(card: dict[str, Any]) -> dict[tuple[str, ...], float]:
    """Each figure that is there and that lines alone make; how its interval is made may change."""
    return {
        (m["model"], m["task"], m["corpus"], m["slice"], m["metric"]): m["value"]
        for m in card["measurements"]
        if m["metric"] not in _TAKEN and m["value"] is not None
    }


def resumed(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", f"--rootdir={ROOT}", f"-c{ROOT / 'pyproject.toml'}",
         str(ROOT / "evals"),
         "--resume=runs/old", "-pno:hypothesispytest"],
        cwd=folder, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("made", TASKS, indirect=True)
def test_an_old_run_is_read_scored_again_and_compared(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = made / "runs" / "old"
    was = values(old_card(made))
    assert values(scorecard.read(run / scorecard.FILE_NAME).model_dump(mode="json")) == was
    scored, _ = rescore(run, LimitFiles())
    now = values(scored.model_dump(mode="json"))
    assert {key: now.get(key) for key in was} == was
    again = made / "runs" / "again"
    shutil.copytree(run, again)
    card = json.loads((again / scorecard.FILE_NAME).read_text(encoding="utf-8"))
    card["run"]["id"] = "again"
    (again / scorecard.FILE_NAME).write_text(json.dumps(card), encoding="utf-8")
    arguments = command.command_line().parse_args(["compare", str(run), str(again)])
    assert arguments.run(arguments) == 0, capsys.readouterr()
    said = capsys.readouterr().out
    assert "NOT COMPARED" not in said
    assert "no utterance differs" in said or "Paired differences" not in said


@pytest.mark.parametrize("made", TASKS, indirect=True)
def test_an_old_run_is_resumed(made: Path, request: pytest.FixtureRequest) -> None:
    """It is complete, so that no model is loaded and no figure changes."""
    run = made / "runs" / "old"
    was, rows = values(old_card(made)), dict(lines(run))
    resumed(made)
    assert dict(lines(run)) == rows
    now = values(card_of(made))
    assert {key: now.get(key) for key in was} == was
    # `-m smoke` has come to try voices and assistants too, which this model is besides.
    loads = request.node.callspec.params["made"] == "smoke"
    assert bool(list(run.rglob("worker*.log"))) == loads


@pytest.mark.parametrize(
    "made", ["asr", "robustness", "hallucination", "tts", "chat"], indirect=True
)
def test_an_old_run_that_was_cut_off_is_resumed(made: Path) -> None:
    """Its last line and all that a session notes at its end are gone, as after kill -9."""
    run = made / "runs" / "old"
    was, rows = values(old_card(made)), dict(lines(run))
    here = platform.python_version()
    for file in run.rglob("*.case.json"):
        kept = json.loads(file.read_text(encoding="utf-8"))
        kept["facts"] = None
        told = [[n, json.loads(v)] for n, v in kept["properties"]]
        for _, model in told:
            model["environment"]["python"] = here  # as if this Python had begun it
        kept["properties"] = [[n, json.dumps(v)] for n, v in told]
        file.write_text(json.dumps(kept), encoding="utf-8")
    cut = sorted(run.rglob("*.jsonl"))[-1]
    data = cut.read_bytes().splitlines(keepends=True)
    cut.write_bytes(b"".join(data[:-1]))
    (run / scorecard.FILE_NAME).unlink()
    resumed(made)
    after = dict(lines(run))
    name = cut.relative_to(run).as_posix()
    sessions = [row["session"] for row in after[name]]
    assert sessions == [1] * (len(sessions) - 1) + [2]

    def texts(found: dict[str, list[dict[str, Any]]]) -> Any:
        """What does not depend on the clock."""
        keys = ("id", "hypothesis", "reference", "text", "heard", "reply", "error")
        return {n: [{k: r.get(k) for k in keys} for r in rs] for n, rs in found.items()}

    assert texts(after) == texts(rows)
    now = values(card_of(made))
    # Nothing kept says how they were scored, so it is by the present default.
    words = {k: v for k, v in was.items() if k[-1] in _OF_WORDS and k[-1] != "cer"}
    assert words
    assert {key: now.get(key) for key in words} == words
