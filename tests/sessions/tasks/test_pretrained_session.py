"""Sessions on real weights out of wheels: two recognizers on human speech, and what is missing."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jiwer
import pytest

from adapters.catalog.catalog import Catalog
from evals.models.loaded import Settings, load_spec
from tests.contract.installed import need, need_package
from tests.support.bare_loops import LOOPS
from tests.support.real_speech import BECKETT, TWO_CITIES, manifest, path_of, speech
from tests.support.sessions import card_of, row_of, run_toys, shared_arguments, write_toys
from tests.support.toy_engine import toy_corpus

pytestmark = [pytest.mark.slow, pytest.mark.engine]

RECOGNIZERS = [m for m in Catalog().select(["set:pretrained"]) if "asr" in m.tasks]


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A session of the set on the speech of the wheel: its folder, and what it printed."""
    for model in RECOGNIZERS:
        need(model.engine.name)
        need_package(model.checkpoint)
    folder = tmp_path_factory.mktemp("pretrained")
    write_toys(folder, {"unused": {}})
    corpus = manifest(folder / "wheel")
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", *shared_arguments(folder, corpus),
            "-m", "asr and not latency", "--model=set:pretrained",
            f"--audio-root={corpus.parent}", f"--audio-root={path_of(BECKETT).parent}",
        ],
        cwd=folder, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    return folder, done.stdout + done.stderr


@pytest.mark.parametrize("model", RECOGNIZERS, ids=lambda m: m.name)
def test_real_recognizers_hear_human_speech(heard: tuple[Path, str], model: Any) -> None:
    folder, said = heard
    lines = folder / "runs" / "latest" / model.name / "asr" / "wheel.jsonl"
    assert lines.is_file(), said
    rows = {(row := json.loads(line))["id"]: row for line in lines.read_text("utf-8").splitlines()}
    assert set(rows) == {BECKETT.name, TWO_CITIES.name}

    def plain(text: str) -> str:
        return " ".join(re.findall(r"[a-z']+", text.lower()))

    texts = [(r.text, rows[r.name]["hypothesis"]) for r in (BECKETT, TWO_CITIES)]
    references, hypotheses = (list(map(plain, side)) for side in zip(*texts, strict=True))
    wer = jiwer.wer(references, hypotheses)
    # A tenth: the public figures of both are 13 % on harder speech (Open ASR Leaderboard).
    assert wer < 0.10
    card = card_of(folder)
    assert row_of(card, model.name, "wer")["value"] == pytest.approx(wer)
    record = next(m for m in card["models"] if m["name"] == model.name)
    assert record["revision"] == model.revision
    # Weights that were converted have their own, beside that of their source.
    converted = model.engine.adapter().whisper_form is not None
    assert (record["checkpoint_sha256"] != model.revision) == converted


@pytest.mark.parametrize("model", RECOGNIZERS, ids=lambda m: m.name)
def test_a_bare_loop_hears_the_same(heard: tuple[Path, str], model: Any) -> None:
    """Over the library alone, with the same options, to the letter.

    tests/benchmarks/bare_loops.py does so for whole corpora.
    """
    folder, _ = heard
    lines = folder / "runs" / "latest" / model.name / "asr" / "wheel.jsonl"
    rows = map(json.loads, lines.read_text("utf-8").splitlines())
    (stored,) = (row["hypothesis"] for row in rows if row["id"] == BECKETT.name)
    hear = LOOPS[model.engine.name](load_spec(model, "cpu", Settings()))
    assert hear(speech(BECKETT).samples) == stored


def toys(folder: Path, checkpoint: str) -> None:
    """A toy whose weights are in a package, in a set, beside one that needs none."""
    digest = hashlib.sha256(b"").hexdigest()
    write_toys(folder, {"packaged-toy": {}}, checkpoint=checkpoint, sha256=digest)
    file = folder / "catalog.yaml"
    own = "  plain-toy: {engine: their_engine.py, tasks: [asr]}\nsets:\n  both: [packaged-toy, plain-toy]\n"
    file.write_text(file.read_text(encoding="utf-8") + own, encoding="utf-8")
    toy_corpus(folder / "toy", ("one", "two"))


@pytest.mark.parametrize("asked", ["packaged-toy", "set:both", "*-toy"])
def test_package_that_is_not_installed_is_as_an_engine_that_is_not(
    tmp_path: Path, asked: str
) -> None:
    """What is named has to run; what a set or a glob met is left out, with the command."""
    toys(tmp_path, "package:surely_not_there/model")
    done = run_toys(tmp_path, "-m", "asr and not latency", f"--model={asked}")
    said = done.stdout + done.stderr
    assert "uv sync --inexact --extra pretrained" in said
    assert "Traceback" not in said
    measured = {m["model"] for m in card_of(tmp_path)["measurements"] if m["value"] is not None}
    named = asked == "packaged-toy"
    assert measured == (set() if named else {"plain-toy"})
    assert ("1 error" in said.splitlines()[-1]) == named


def test_real_weights_can_be_left_out_by_their_mark(tmp_path: Path) -> None:
    toys(tmp_path, "package:surely_not_there/model")
    done = run_toys(
        tmp_path, "-m", "asr and not real_e2e", "--model=packaged-toy", "--collect-only"
    )
    assert "no tests collected" in done.stdout
