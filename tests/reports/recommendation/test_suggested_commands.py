"""What a session prints to be run can be run, and checkpoints of one name are all evaluated."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from reports.scorecard import scorecard
from tests.support.sessions import (
    TEXTS,
    card_of,
    check_rescored,
    run_toys,
    shared_arguments,
    write_toys,
)
from tests.support.toy_engine import toy_corpus

pytestmark = pytest.mark.slow

#: Two checkpoints of the toy, whose derived names are the same but for a hash.
PLACES = ("check point/a", "check-point-a")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], str]:
    """A session of few utterances, so that more are asked for: folder, arguments and output."""
    folder = tmp_path_factory.mktemp("commands")
    write_toys(folder, {"spare": {}})
    toy_corpus(folder / "toy", TEXTS[:8])
    toy_corpus(folder / "my corpus", TEXTS[8:12])
    for place in PLACES:
        (folder / place).mkdir(parents=True)
    arguments = [
        "-m", "asr",
        *(f"--model=their_engine.py:{place}" for place in PLACES),
        "--corpus", "my corpus/manifest.jsonl", "--audio-root", str(folder / "my corpus"),
        "--seed", "7", "--device=cpu", "--judge=spare", "--robustness-utterances=30",
    ]  # fmt: skip
    done = run_toys(folder, *arguments)
    return folder, arguments, done.stdout + done.stderr


def commands(said: str) -> list[list[str]]:
    """The commands in lines of a session that say what to run, in words."""
    lines = [line for line in said.splitlines() if line.strip().startswith("To run: ")]
    return [shlex.split(line[line.index("uv run pytest") :]) for line in lines]


def test_what_is_printed_can_be_run(session: tuple[Path, list[str], str]) -> None:
    """Word for word, but for uv, which would sync an environment: the model is found and runs."""
    folder, _, said = session
    words = commands(said)[0]
    assert words[:3] == ["uv", "run", "pytest"]
    done = subprocess.run(
        [sys.executable, "-m", *words[2:], "-pno:hypothesispytest", "-knot latency"],
        cwd=folder, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    card = card_of(folder)
    named = [value for flag, value in pairwise(words) if flag == "--model"]
    assert [model["requested"] for model in card["models"]] == named
    assert len(named) == 2
    assert all(Path(model["checkpoint"]).is_dir() for model in card["models"])
    assert (card["provenance"]["seed"], card["provenance"]["device_requested"]) == (7, "cpu")
    assert {c["name"] for c in card["provenance"]["corpora"]} == {"toy", "my-corpus"}
    assert card["provenance"]["options"]["judge"] == ["spare"]
    assert card["provenance"]["options"]["robustness_utterances"] == 30
    assert card["provenance"]["options"]["audio_root"] == [str(folder / "my corpus")]


def first_run(folder: Path) -> Path:
    return min(p for p in (folder / "runs").iterdir() if (p / "run.json").is_file())


def test_both_checkpoints_are_evaluated(session: tuple[Path, list[str], str]) -> None:
    folder, _, _ = session
    run = first_run(folder)
    card = scorecard.read(run / scorecard.FILE_NAME)
    assert [m.checkpoint for m in card.models] == [str(folder / place) for place in PLACES]
    values = {(m.model, m.corpus) for m in card.measurements if m.metric == "wer" and m.is_whole}
    assert values == {(m.name, c) for m in card.models for c in ("toy", "my-corpus")}
    for model in card.models:
        assert (run / model.name / "asr" / "toy.jsonl").is_file()


def test_rescored_says_the_same_commands(session: tuple[Path, list[str], str]) -> None:
    folder, _, _ = session
    run = first_run(folder)
    assert scorecard.read(run / scorecard.FILE_NAME).recommendation.to_run
    check_rescored(run)


def test_resumed_with_its_options_in_the_commands(session: tuple[Path, list[str], str]) -> None:
    """Though the command line of a resumed session names none of them."""
    folder, _, said = session
    run = first_run(folder)
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", *shared_arguments(folder)[:3],
            f"--runs-dir={folder / 'runs'}", f"--resume={run}",
        ],
        cwd=folder, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert commands(done.stdout) == commands(said), done.stdout + done.stderr
    kept: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert len(kept["sessions"]) == 2
