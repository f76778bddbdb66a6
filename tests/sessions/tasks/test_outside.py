"""A team's own task and metric, from files outside of the repository, as the docs have them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evals.task import TASKS
from tests.support.sessions import CONTESTANTS, ROOT, TEXTS, prepare, shared_arguments
from tests.support.toy_engine import toy_corpus

pytestmark = pytest.mark.slow

OWN = ("wake_word_miss_rate", "empty_rate")


def example(page: str) -> str:
    """The worked example of a page of the docs, as it is written there."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    return str(code)


def run(folder: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=300,
    )


@dataclass(frozen=True)
class Ran:
    folder: Path
    said: str
    card: Mapping[str, Any]

    @property
    def latest(self) -> Path:
        return self.folder / "runs" / "latest"

    def rows(self, metric: str) -> dict[str, dict[str, Any]]:
        return {m["model"]: m for m in self.card["measurements"] if m["metric"] == metric}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = prepare(tmp_path_factory.mktemp("outside"))
    toy_corpus(folder / "toy", TEXTS[:12])
    (folder / "my_task.py").write_text(example("adding-a-task.md"), encoding="utf-8")
    (folder / "my_metric.py").write_text(example("adding-a-metric.md"), encoding="utf-8")
    done = run(
        folder,
        "pytest",
        *shared_arguments(folder),
        "-mwake_word or (asr and not latency)",
        "--plugin-file=my_task.py",
        "--plugin-file=my_metric.py",
        *CONTESTANTS,
        "--gate=off",
        "--junit-xml=junit.xml",
        GITHUB_STEP_SUMMARY=str(folder / "summary.md"),
        GITHUB_ACTIONS="true",
    )
    card = folder / "runs" / "latest" / "scorecard.json"
    assert done.returncode == 0, done.stdout + done.stderr
    return Ran(folder, done.stdout, json.loads(card.read_text(encoding="utf-8")))


def test_figures_are_those_of_their_own_code(ran: Ran) -> None:
    """The oracle hears all, and every text has the word."""
    for metric in OWN:
        assert ran.rows(metric).keys() == {"oracle", "rival"}
    oracle = ran.rows("wake_word_miss_rate")["oracle"]
    assert (oracle["task"], oracle["value"], oracle["n"]) == ("wake_word", 0, 12)
    assert ran.rows("empty_rate")["oracle"]["task"] == "asr"


def test_the_terminal_shows_them(ran: Ran) -> None:
    heads = [line for line in ran.said.splitlines() if "missed %" in line]
    assert len(heads) == 1
    assert "empty rate %" in ran.said


def test_the_summary_shows_them(ran: Ran) -> None:
    summary = (ran.folder / "summary.md").read_text(encoding="utf-8").replace("\\", "")
    assert "### wake_word" in summary
    assert "wake_word_miss_rate" in summary
    assert "empty_rate" in summary


def test_the_page_shows_them(ran: Ran) -> None:
    page = (ran.latest / "scorecard.html").read_text(encoding="utf-8")
    assert "Wake word" in page
    assert "Wake word miss rate" in page
    assert "Nothing heard" in page


def test_junit_shows_them(ran: Ran) -> None:
    junit = (ran.folder / "junit.xml").read_text(encoding="utf-8")
    for metric in OWN:
        assert f'{metric}[toy]"' in junit


def copied(ran: Ran) -> tuple[str, str]:
    """The run, and one of another id with the same figures."""
    other = ran.folder / "other"
    if not other.exists():
        shutil.copytree(ran.latest.resolve(), other)
        card = json.loads((other / "scorecard.json").read_text(encoding="utf-8"))
        card["run"]["id"] += "-again"
        (other / "scorecard.json").write_text(json.dumps(card), encoding="utf-8")
    return str(ran.latest.resolve()), str(other)


def test_compare_pairs_them(ran: Ran) -> None:
    """A run against itself: a paired difference of 0, and the added metric side by side."""
    files = ("--plugin-file=my_task.py", "--plugin-file=my_metric.py")
    done = run(ran.folder, "reports", *files, "compare", *copied(ran), "--json", "changes.json")
    assert (ran.folder / "changes.json").exists(), done.stdout + done.stderr
    found = json.loads((ran.folder / "changes.json").read_text(encoding="utf-8"))
    (comparison,) = found["comparisons"]
    assert "wake_word_miss_rate" in {row["metric"] for row in comparison["paired"]}
    assert "empty_rate" in {row["metric"] for row in comparison["beside"]}


def test_a_run_with_a_metric_that_is_not_at_hand_is_refused_by_name(ran: Ran) -> None:
    done = run(ran.folder, "reports", "compare", *copied(ran))
    assert done.returncode != 0
    assert re.search("unknown metric '(empty_rate|wake_word_miss_rate)'", done.stderr)
    assert "Traceback" not in done.stderr


def test_a_run_is_scored_again_with_a_metric_that_it_did_not_have(ran: Ran) -> None:
    done = run(
        ran.folder, "reports", "--plugin-file=my_task.py", "--plugin-file=my_metric.py",
        "rescore", str(ran.latest.resolve()), "--gate=off",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("from evals.tasks import nothing", "ImportError: cannot import name 'nothing'"),
        (
            "from evals.records.metric import Metric\nfrom evals.task import add_metric\n"
            'add_metric("asr", Metric("wer", "ratio", "max", ""), lambda stored: None)',
            "metric wer (broken): there is a metric of that name",
        ),
        (
            "from evals.records.metric import Metric\nfrom evals.task import add_metric\n"
            'add_metric("sing", Metric("pitch", "ratio", "max", ""), lambda stored: None)',
            "metric pitch (broken): unknown task 'sing'. Tasks: asr, latency",
        ),
        (
            "from evals.task import Task, register\n"
            'register(Task("sing", "Song", "", "speech", "asr", ["pitch"], score=print))',
            "task sing (builtins): unknown metric 'pitch'",
        ),
        (
            "from evals.task import Column, Task, register\n"
            'register(Task("sing", "", "", "speech", "asr", ["wer"], print, columns=[Column("cer")]))',
            "task sing (builtins): columns: cer is none of its metrics",
        ),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(code: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(code, encoding="utf-8")
    done = run(tmp_path, "reports", "--plugin-file=broken.py", "metrics")
    assert done.returncode == 2
    assert why in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, "reports", "--plugin-file=nowhere.py", "metrics")
    assert done.returncode == 2
    assert "--plugin-file nowhere.py: no such Python file" in done.stderr


def test_no_report_decides_by_the_name_of_a_task() -> None:
    """They ask the `Task`. What a scorecard of before is taken for is its contract's."""
    contract = "reports/scorecard/scorecard.py"
    # The references of recognition alone are looked at.
    recognition = "reports/build/suspicious_references.py"
    names = "|".join(TASKS)
    found = {
        str(path.relative_to(ROOT))
        for suffix in ("*.py", "*.jinja", "*.js")
        for path in (ROOT / "reports").rglob(suffix)
        if re.search(rf"""["']({names})["']""", path.read_text(encoding="utf-8"))
    }
    assert found == {contract, recognition}


def test_nothing_but_a_tasks_own_files_names_it() -> None:
    """A task is its test and its package; a metric its definition, its task, what computes it."""
    computes = (
        "evals/tasks/hallucination/scores.py",
        "evals/measures/text/",
        "evals/tasks/asr/scores.py",
        "evals/tasks/asr/utterance_table.py",
        "reports/build/suspicious_references.py",  # asks what computes it
    )
    for name, defined in (
        ("hallucination", "evals/test_hallucination.py"),
        ("loops", "evals/metrics.py"),
    ):
        found = [
            str(path.relative_to(ROOT))
            for package in ("adapters", "fixtures", "evals", "reports")
            for path in sorted((ROOT / package).rglob("*.py"))
            if re.search(rf"\b{name}\b", path.read_text(encoding="utf-8"))
        ]
        assert defined in found
        allowed = (defined, "evals/tasks/", *computes)
        assert [path for path in found if not path.startswith(allowed)] == []
