"""Sessions on a corpus that is heard before all of its files were opened, and resumed ones.

What is large is a few rows here: a plugin says so in the session's process, and in xdist's workers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fixtures.corpora.audio_check import QUICK
from fixtures.corpora.corpus import read_manifest
from tests.support.sessions import TEXTS, card_of, prepare, run_toys

pytestmark = pytest.mark.slow

ASR = ("-m", "asr and not latency", "--model=oracle")
LARGE = ("-p", "large_from_ten")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = prepare(tmp_path_factory.mktemp("large"))
    plugin = "from fixtures.corpora import audio_check\n\naudio_check.LARGE = 10\n"
    (folder / "large_from_ten.py").write_text(plugin)
    return folder


@pytest.fixture(scope="module")
def large_run(folder: Path) -> Path:
    assert run_toys(folder, *ASR, *LARGE).returncode == 0
    return (folder / "runs" / "latest").resolve()


def corpus_in(card: dict[str, Any]) -> dict[str, Any]:
    (corpus,) = card["provenance"]["corpora"]
    found: dict[str, Any] = corpus
    return found


def identity_of(run: Path) -> str:
    (file,) = run.rglob("*.case.json")
    return str(json.loads(file.read_text())["identity"]["corpus"])


@pytest.mark.parametrize("workers", [1, 2])
def test_the_scorecard_says_of_it_what_it_says_of_any(
    folder: Path, large_run: Path, workers: int
) -> None:
    if workers > 1:
        assert run_toys(folder, *ASR, *LARGE, "-n", str(workers)).returncode == 0
        large_run = (folder / "runs" / "latest").resolve()
    corpus = read_manifest(folder / "toy" / "manifest.jsonl")
    found = corpus_in(json.loads((large_run / "scorecard.json").read_text()))
    assert found["content_hash"] == corpus.content_hash
    assert found["audio_seconds"] == pytest.approx(corpus.audio_seconds, abs=1e-3)
    assert found["utterances"] == len(TEXTS)
    assert identity_of(large_run).startswith(QUICK)


@pytest.mark.parametrize("begun", ["as large", "whole"])
def test_what_is_there_is_kept_where_a_run_is_resumed(
    folder: Path, large_run: Path, begun: str
) -> None:
    """`whole`: as an earlier version began it, which had the hash of everything."""
    run = large_run
    if begun == "whole":
        assert run_toys(folder, *ASR).returncode == 0
        run = (folder / "runs" / "latest").resolve()
    assert identity_of(run).startswith(QUICK) == (begun == "as large")
    (lines,) = run.rglob("toy.jsonl")
    (case,) = run.rglob("*.case.json")
    half = lines.read_bytes().splitlines(keepends=True)[: len(TEXTS) // 2]
    lines.write_bytes(b"".join(half))
    case.write_text(json.dumps({**json.loads(case.read_text()), "facts": None}))
    done = run_toys(folder, *ASR, *LARGE, f"--resume={run}")
    assert done.returncode == 0, done.stdout
    assert lines.read_bytes().splitlines(keepends=True)[: len(half)] == half
    assert len(lines.read_bytes().splitlines()) == len(TEXTS)
    corpus = read_manifest(folder / "toy" / "manifest.jsonl")
    assert corpus_in(card_of(folder))["content_hash"] == corpus.content_hash


def test_another_corpus_is_refused(folder: Path, large_run: Path) -> None:
    manifest = folder / "toy" / "manifest.jsonl"
    before = manifest.read_text()
    try:
        manifest.write_text(before.replace("kitchen", "cellar"))
        done = run_toys(folder, *ASR, *LARGE, f"--resume={large_run}")
    finally:
        manifest.write_text(before)
    assert done.returncode == 1
    assert "resume it as it was, or start a new run" in " ".join(done.stdout.split())
