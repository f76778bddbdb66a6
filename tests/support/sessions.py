"""Sessions of the repo's evals on a toy engine and corpus, for tests to look at."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from evals.gate import thresholds as thresholds_file
from evals.gate.limit_files import LimitFiles
from evals.records.measurement import ALL, WORST_SLICE
from reports.build.rescore import rescore
from reports.scorecard import scorecard
from tests.support import toy_engine
from tests.support.toy_engine import toy_corpus

ROOT = Path(__file__).parents[2]
#: Enough utterances for a perfect one's success rate to be shown to be above 95 %.
TEXTS = [
    f"turn on light {letter} in the {room} please"
    for room in ("kitchen", "garden", "office", "hall")
    for letter in "abcdefghijklmnopqrst"
]
WORDS = 8 * len(TEXTS)
NOT_INSTALLED = "*'surely_not_there'*uv sync --inexact --extra toy*"
CONTESTANTS = ("--model=oracle", "--model=rival")

CATALOG = """schema_version: 1
models:
  oracle: {{engine: {engine}, tasks: [asr], default: true, tier: production}}
  rival: {{engine: {engine}, tasks: [asr], default: true, options: {{mode: drops}}}}
  guarded: {{engine: {engine}, tasks: [asr], tier: baseline, options: {{mode: drops}}}}
  {faults}
"""
ALWAYS = ("exits", "silent")
FAULTS = ("raises", "number", "exits", "segfaults", "hangs", "unloadable", "dies-loading")


def prepare(folder: Path) -> Path:
    """A folder outside the repo with a catalogue, an engine file and a corpus of its own."""
    toy = Path(toy_engine.__file__).read_text(encoding="utf-8")
    (folder / "their_engine.py").write_text(toy, encoding="utf-8")
    entry = "{name}: {{engine: their_engine.py, tasks: [asr], options: {{mode: {mode}, on: {on}}}}}"
    entries = [entry.format(name=m, mode=m, on="light d in the garden") for m in FAULTS]
    entries += [entry.format(name=f"always-{m}", mode=m, on='""') for m in ALWAYS]
    needs = 'class Toy(Adapter):\n    extra = "toy"\n    modules = ("surely_not_there",)\n'
    (folder / "absent.py").write_text(toy.replace("class Toy(Adapter):\n", needs))
    entries.append("absent: {engine: absent.py, tasks: [asr]}")
    catalog = CATALOG.format(engine="their_engine.py", faults="\n  ".join(entries))
    (folder / "catalog.yaml").write_text(catalog, encoding="utf-8")
    toy_corpus(folder / "toy", TEXTS)
    return folder


def write_toys(folder: Path, models: Mapping[str, Mapping[str, Any]], **entry: Any) -> None:
    """A catalogue of toys alone, as `prepare` has one: name to options; entry: further keys."""
    toy = Path(toy_engine.__file__).read_text(encoding="utf-8")
    (folder / "their_engine.py").write_text(toy, encoding="utf-8")
    entries = {
        name: {"engine": "their_engine.py", "tasks": ["asr"], "options": dict(options), **entry}
        for name, options in models.items()
    }
    catalog = {"schema_version": 1, "models": entries}
    (folder / "catalog.yaml").write_text(yaml.safe_dump(catalog, sort_keys=False), encoding="utf-8")


def run_toys(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A session on the folder's catalogue and corpus, with what it printed."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", *shared_arguments(folder), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )


def broken_limits(said: str) -> dict[str, list[str]]:
    """What a session printed of broken gates: model to its metrics, in order.

    Read from the failures' own text, one "MODEL on CORPUS (TASK):" with a line for each limit.
    """
    broken: dict[str, list[str]] = {}
    model: str | None = None
    for line in said.splitlines():
        if heading := re.fullmatch(r"(\S+) on \S+ \(\w+\):", line):
            model = heading[1]
        elif model is not None and line.startswith("  "):
            broken.setdefault(model, []).append(line.split()[0])
        else:
            model = None
    return broken


def shared_arguments(folder: Path, corpus: Path | None = None) -> list[str]:
    """What every session here begins with: the repo's evals on the folder's catalogue and corpus."""
    return [
        f"--rootdir={ROOT}",
        f"-c{ROOT / 'pyproject.toml'}",
        str(ROOT / "evals"),
        f"--catalog={folder / 'catalog.yaml'}",
        f"--corpus={corpus or folder / 'toy' / 'manifest.jsonl'}",
        f"--runs-dir={folder / 'runs'}",
        "-pno:hypothesispytest",  # a second of every session, for nothing that evals use
    ]


@dataclass(frozen=True)
class Finished:
    """A session that is over, in a folder of its own."""

    folder: Path
    result: pytest.RunResult

    @property
    def card(self) -> dict[str, Any]:
        return card_of(self.folder)


SELECT = ("-m", "asr and not latency")
FAULTY = (*FAULTS, *(f"always-{mode}" for mode in ALWAYS), "absent", "oracle")
#: Sessions that tests look at: the arguments of each, beside those that all share.
SESSIONS: Mapping[str, Sequence[str]] = {
    "faulty": (*SELECT, "--time-limit=3", *(f"--model={name}" for name in FAULTY)),
    "comparison": ("-m", "asr", *CONTESTANTS),
    "comparison -n 2": ("-m", "asr", *CONTESTANTS, "-n", "2"),
    "crash -n 2": (*SELECT, "--model=exits", "--isolation=none", "-n", "2"),
    "two corpora": ("-m", "asr", *CONTESTANTS, "--setup-show", "--corpus=other/manifest.jsonl"),
    "globs": (*SELECT, "--model=oracle*", "--model=abs*"),
    "absent": (*SELECT, "--model=absent"),
    "absent glob": (*SELECT, "--model=abs*"),
    "stopped": (*SELECT, "--model=always-silent", "--model=oracle", "-x"),
    "production": ("-m", "asr", "--model=guarded", "--gate=production", "--thresholds=strict.yaml"),
    "bad audio": (*SELECT, "--model=oracle", "--corpus=bad/manifest.jsonl"),
    "no benchmark": ("-m", "asr", "--model=oracle", "--benchmark-disable"),
    "smoke": ("-m", "smoke", "--model=oracle"),
}


def run_session(folder: Path, arguments: Sequence[str]) -> Finished:
    prepare(folder)
    toy_corpus(folder / "other", TEXTS[::-1])
    toy_corpus(folder / "bad", TEXTS[:3])
    (folder / "bad" / "1.wav").write_bytes(b"RIFF")
    strict = (ROOT / "thresholds.yaml").read_text(encoding="utf-8")
    strict = strict.replace("wer: {max: 0.10}", "wer: {max: 0.04}")
    (folder / "strict.yaml").write_text(strict.replace("cer: {max: 0.05}", "cer: {max: 0.03}"))
    start = time.monotonic()
    done = run_toys(folder, *arguments)
    result = pytest.RunResult(
        done.returncode,
        done.stdout.splitlines(),
        done.stderr.splitlines(),
        time.monotonic() - start,
    )
    return Finished(folder, result)


def card_of(folder: Path) -> dict[str, Any]:
    import jsonschema  # not in the light core, whose sessions load tests/conftest.py too

    text = (folder / "runs" / "latest" / "scorecard.json").read_text(encoding="utf-8")
    card: dict[str, Any] = json.loads(text)
    schema = json.loads(scorecard.SCHEMA_FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(card)
    return card


def as_written(card: scorecard.Scorecard) -> Any:
    """As JSON says it, where a tuple is a list."""
    return json.loads(json.dumps(card.model_dump(mode="json")))


def check_rescored(run: Path, limits: Path = thresholds_file.DEFAULT) -> list[str]:
    """Score a run again by the same limits: every row, grade and recommendation is the same.

    Returns what of it fails, a text for each test.
    """
    before = scorecard.read(run / scorecard.FILE_NAME)
    after, broken = rescore(run, LimitFiles(limits))
    assert after.rescored is not None
    assert as_written(after.model_copy(update={"rescored": None})) == as_written(before)
    assert bool(broken) == (before.run.exit_status == 1)
    return broken


def row_of(card: dict[str, Any], model: str, metric: str, task: str = "asr") -> dict[str, Any]:
    """The row of a metric over the whole corpus."""
    rows = [
        m
        for m in card["measurements"]
        if (m["model"], m["task"], m["metric"]) == (model, task, metric)
        and (m["slice"] == ALL or metric == WORST_SLICE)
    ]
    assert len(rows) == 1, f"{len(rows)} rows for {model} {task} {metric}"
    row: dict[str, Any] = rows[0]
    return row
