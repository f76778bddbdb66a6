"""No file of a run holds a secret of the environment, whoever says it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.sessions import TEXTS, run_toys, write_toys
from tests.support.toy_engine import toy_corpus

pytestmark = pytest.mark.slow

SECRET = "sk-very-secret-0123456789"

ENGINE = '''
import os, sys
from pathlib import Path
from adapters.interface import Adapter, ModelError, Transcript

class Leaky(Adapter):
    """Tells its key to everybody: in texts, in errors, in what it prints."""

    environment = ("LEAKY_API_KEY",)
    options = {"fails": False}

    def load(self, spec):
        self._key = os.environ["LEAKY_API_KEY"]
        self._fails = spec.options["fails"]
        print("loading with", self._key)
        print("and with", os.environ.get("OTHER_SECRET_TOKEN"), file=sys.stderr)

    def transcribe(self, audio):
        if self._fails and audio.seconds < 2:  # not on the clip that it is warmed up with
            raise ModelError(f"401 for {self._key}")
        return Transcript(f"my key is {self._key}")

ADAPTER = Leaky
'''


def test_no_file_of_a_run_holds_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_toys(tmp_path, {})
    (tmp_path / "leaky.py").write_text(ENGINE)
    (tmp_path / "catalog.yaml").write_text(
        "schema_version: 1\nmodels:\n"
        "  says: {engine: leaky.py, tasks: [asr]}\n"
        "  refuses: {engine: leaky.py, tasks: [asr], options: {fails: true}}\n"
    )
    toy_corpus(tmp_path / "toy", TEXTS[:12])
    monkeypatch.setenv("LEAKY_API_KEY", SECRET)
    monkeypatch.setenv("OTHER_SECRET_TOKEN", "another-one-" + SECRET)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "runs" / "summary.md"))
    (tmp_path / "runs").mkdir()

    done = run_toys(
        tmp_path, "-m", "asr and not latency", "--model=says", "--model=refuses",
        f"--junitxml={tmp_path / 'runs' / 'junit.xml'}", "-k", f"not {SECRET}",
    )  # fmt: skip

    assert done.returncode == 1, done.stdout
    files = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert {
        "scorecard.json",
        "run.json",
        "worker.log",
        "asr.json",
        "toy.jsonl",
        "scorecard.html",
        "summary.md",
    } <= {path.name for path in files}
    assert [str(path) for path in files if SECRET.encode() in path.read_bytes()] == []
    (line, *_) = (tmp_path / "runs/latest/says/asr/toy.jsonl").read_text().splitlines()
    assert "my key is [LEAKY_API_KEY]" in line
    assert "401 for [LEAKY_API_KEY]" in (tmp_path / "runs/latest/refuses/asr/toy.jsonl").read_text()
    assert "and with None" in (tmp_path / "runs/latest/says/worker.log").read_text()
    assert os.environ["LEAKY_API_KEY"] == SECRET
