"""One session, three environments: the light core, faster-whisper's, and LFM2.5-Audio's on 3.12.

It builds environments of several GB, so it runs where .ci/run has every extra anyway.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from adapters.catalog.engine import EngineRef
from evals.models.corpus_synthesizer import synthesizer
from evals.models.environments import environment
from fixtures.builtin.synthesize import DEFAULT, builtin_corpus

ROOT = Path(__file__).parents[3]
UTTERANCES = 8

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(
        not os.environ.get("MODEL_LAB_ALL_EXTRAS"),
        reason="builds environments of several GB; .ci/run sets MODEL_LAB_ALL_EXTRAS",
    ),
]


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the light core and nothing else, on 3.11 if that is here."""
    folder = tmp_path_factory.mktemp("light") / "env"
    environ = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(folder)}
    command = ["uv", "sync", "--quiet", "--no-default-groups", "--python"]
    for python in ("3.11", "3.12"):
        done = subprocess.run([*command, python], cwd=ROOT, env=environ, capture_output=True)
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stderr.decode()
    return folder / "bin" / "python"


def _corpus(folder: Path) -> Path:
    """The first utterances of voice-commands: enough to see that both models hear all of them."""
    corpus = builtin_corpus(DEFAULT, synthesizer)
    rows = corpus.manifest.read_text(encoding="utf-8").splitlines()[:UTTERANCES]
    folder.mkdir()
    for row in rows:
        shutil.copy(corpus.manifest.parent / json.loads(row)["audio_filepath"], folder)
    (folder / "manifest.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder / "manifest.jsonl"


def test_engines_that_are_not_installed(light: Path, tmp_path: Path) -> None:
    python = environment(EngineRef("lfm2_audio"))
    checkpoint = tmp_path / "lfm"
    make = [str(python), "-m", "tests.support.lfm_checkpoint", str(checkpoint)]
    subprocess.run(make, cwd=ROOT, check=True, timeout=300)
    (tmp_path / "catalog.yaml").write_text(
        "schema_version: 1\nmodels:\n"
        f"  lfm-test: {{engine: lfm2_audio, checkpoint: {checkpoint}, tasks: [asr],"
        " options: {max_new_tokens: 8}}\n",
        encoding="utf-8",
    )
    arguments = [
        "-m", "asr and not latency", "--envs", "--gate=off",
        "--model=faster-whisper-micro", "--model=lfm-test",
        f"--catalog={tmp_path / 'catalog.yaml'}",
        f"--corpus={_corpus(tmp_path / 'few')}",
        f"--runs-dir={tmp_path / 'runs'}",
    ]  # fmt: skip
    done = subprocess.run(
        [str(light), "-m", "pytest", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    card = json.loads((tmp_path / "runs/latest/scorecard.json").read_text(encoding="utf-8"))
    models: dict[str, Any] = {model["name"]: model for model in card["models"]}
    assert "faster-whisper" in models["faster-whisper-micro"]["packages"]
    assert "liquid-audio" in models["lfm-test"]["packages"]
    assert models["lfm-test"]["python"].startswith("3.12")
    assert not {"faster-whisper", "liquid-audio", "torch"} & card["provenance"]["packages"].keys()
    for name in models:
        rates = {m["metric"]: m for m in card["measurements"] if m["model"] == name}
        assert rates["success_rate"]["value"] == 1.0, done.stdout
        assert rates["wer"]["n"] == UTTERANCES
    wer = {m["model"]: m["value"] for m in card["measurements"] if m["metric"] == "wer"}
    assert wer["faster-whisper-micro"] < 0.2 < wer["lfm-test"]  # random weights hear nothing
