"""A real voice by a real judge: what the judge mishears is no fault of it, planted faults are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.catalog.catalog import Catalog
from evals.records.jsonl_reader import read_lines
from evals.records.spoken import Spoken
from evals.session.limits import JUDGE_VARIABLE, REAL_JUDGE
from fixtures.corpora.sentences import builtin_sentences
from tests.contract.installed import need, need_package
from tests.support.sessions import ROOT, card_of, check_rescored

pytestmark = [pytest.mark.slow, pytest.mark.engine]

FAULTS = ("half", "noise")
#: Names and letters that hardly any voice is heard right in, and sentences that any voice is.
HARD = ("names-1", "names-3", "other-scripts-3")
PLAIN = ("commands-8", "commands-10", "homographs-2", "questions-1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session of the voice as it is, and with each fault, by the judge that nobody named."""
    catalog = Catalog().models
    voice, judge = catalog["piper-joe"], catalog[REAL_JUDGE]
    for model in (voice, judge):
        need(model.engine.name)
        need_package(model.checkpoint)
    folder = tmp_path_factory.mktemp("real")
    entry: dict[str, Any] = {
        "engine": str(ROOT / "tests" / "support" / "faulty_piper.py"),
        "checkpoint": voice.checkpoint,
        "sha256": voice.revision,
        "tasks": ["tts"],
    }
    models = {f"piper-{fault}": {**entry, "options": {"fault": fault}} for fault in FAULTS}
    file = folder / "catalog.yaml"
    file.write_text(yaml.safe_dump({"schema_version": 1, "models": models}), encoding="utf-8")
    rows = {row.id: row for row in builtin_sentences()}
    lines = [
        json.dumps({"id": i, "text": rows[i].text, "category": rows[i].category}) + "\n"
        for i in (*PLAIN, *HARD)
    ]
    (folder / "said.jsonl").write_text("".join(lines), encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-m", "tts", "--rated-clips=0", f"--catalog={file}",
            f"--corpus={folder / 'said.jsonl'}", f"--runs-dir={folder / 'runs'}",
            "--model=piper-joe", *(f"--model={name}" for name in models),
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=900,
        env={name: value for name, value in os.environ.items() if name != JUDGE_VARIABLE},
    )  # fmt: skip
    assert (folder / "runs" / "latest").exists(), done.stdout + done.stderr
    return folder


def rows(folder: Path, model: str) -> Mapping[str, dict[str, Any]]:
    found = card_of(folder)["measurements"]
    return {m["metric"]: m for m in found if m["model"] == model and m["slice"] == "all"}


def test_judge_is_the_real_one_and_its_own_error_is_told(folder: Path) -> None:
    figures = rows(folder, "piper-joe")
    wer, floor = figures["wer"], figures["judge_floor"]
    assert wer["by"] == REAL_JUDGE
    assert wer["n"] == len(PLAIN) + len(HARD) - 1
    assert (
        f"1 of {len(PLAIN) + len(HARD)} sentences are left out, which {REAL_JUDGE} cannot know"
        in wer["reason"]
    )
    assert floor["value"] > 0.1
    assert floor["value"] + figures["wer_above_floor"]["value"] == pytest.approx(wer["value"])
    lines = read_lines(folder / "runs/latest/piper-joe/tts/said.jsonl", Spoken)
    asked = {line.id for line in lines if line.heard_second}
    assert "names-3" in asked
    assert len(asked) < len(lines)  # not of what was heard right


def test_what_the_judge_mishears_breaks_no_limit_and_is_never_a_d(folder: Path) -> None:
    wer = rows(folder, "piper-joe")["wer"]
    assert wer["value"] > wer["limit"]
    assert wer["verdict"] == "inconclusive"
    assert "the judge: " in wer["reason"]
    grade = next(g for g in card_of(folder)["grades"] if g["model"] == "piper-joe")
    assert grade["corpora"][0]["metrics"]["tts/wer"] == "C"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_still_fails(folder: Path, fault: str) -> None:
    figures = rows(folder, f"piper-{fault}")
    assert figures["wer"]["verdict"] == "fail"
    assert figures["wer_above_floor"]["value"] > figures["wer"]["limit"]


def test_it_is_scored_again_from_what_is_kept(folder: Path) -> None:
    check_rescored(folder / "runs" / "latest", ROOT / "thresholds.yaml")
