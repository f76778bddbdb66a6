"""`--user-voice`: who speaks the user, what a judge hears of that, and whose loss it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from evals.records.jsonl_reader import read_lines
from evals.records.replied import Replied
from reports.page.scorecard_page import FILE_NAME
from reports.scorecard import scorecard
from reports.text.findings.user_hearing import losses
from tests.support.sessions import ROOT, card_of, check_rescored

pytestmark = pytest.mark.slow

ENGINE = str(ROOT / "tests" / "support" / "modem_engine.py")
PARTS = {"responder": "assistant", "tts": "none"}
MODELS: dict[str, dict[str, Any]] = {
    "modem": {"engine": ENGINE, "tasks": ["asr", "tts"]},
    "mumbler": {"engine": ENGINE, "tasks": ["tts"], "options": {"coarse": True}},
    # Another checkpoint than the assistants', whose own recognizer would tell nothing apart.
    "good-ears": {"engine": ENGINE, "tasks": ["asr"], "checkpoint": "judge"},
    "no-timer": {"engine": ENGINE, "tasks": ["asr"], "options": {"mishears": "timer"}},
    "hears-all": {"engine": "cascade", "tasks": ["chat"], "options": {"asr": "modem", **PARTS}},
    "hears-half": {"engine": "cascade", "tasks": ["chat"], "options": {"asr": "no-timer", **PARTS}},
}
TALK = """schema_version: 1
dialogues:
  - id: timer
    voice: {voice: en-us+f4, rate: 150}
    turns:
      - {role: user, text: set a timer for ten minutes}
      - {role: assistant, expect: [{number: 10}]}
      - {role: user, text: make it fifteen minutes}
      - {role: assistant, expect: [{number: 15}]}
  - id: light
    turns:
      - {role: user, text: turn on the kitchen lights}
      - {role: assistant, expect: [{contains: kitchen}]}
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "catalog.yaml").write_text(
        yaml.safe_dump({"schema_version": 1, "models": MODELS}), encoding="utf-8"
    )
    (folder / "talk.yaml").write_text(TALK, encoding="utf-8")
    common = [
        "-m", "chat", f"--catalog={folder / 'catalog.yaml'}", f"--corpus={folder / 'talk.yaml'}",
        "--rated-clips=0", "--gate=off", f"--runs-dir={folder / 'runs'}",
    ]  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", "pytest", *common, *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


Held = tuple[Path, subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Held:
    folder = tmp_path_factory.mktemp("modem")
    done = run(
        folder, "--user-voice=modem", "--judge=good-ears", "--model=hears-all", "--model=hears-half"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done


def figures(folder: Path, model: str) -> dict[str, Any]:
    rows = [m for m in card_of(folder)["measurements"] if m["model"] == model]
    return {m["metric"]: m["value"] for m in rows if m["slice"] == "all"}


def test_any_voice_of_the_catalogue_speaks_the_user(held: Held) -> None:
    found = figures(held[0], "hears-all")
    assert found["user_wer"] == found["user_voice_wer"] == found["hearing_loss"] == 0
    lines = read_lines(held[0] / "runs/latest/hears-all/chat/talk.jsonl", Replied)
    assert [line.user_heard for line in lines if not line.typed] == [
        {"good-ears": line.user} for line in lines if not line.typed
    ]
    assert not any(line.user_heard for line in lines if line.typed)


def test_what_a_judge_hears_right_is_the_assistants_own_loss(held: Held) -> None:
    found = figures(held[0], "hears-half")
    assert found["own_hearing_loss"] == found["hearing_loss"] == pytest.approx(2 / 3)
    assert found["user_voice_loss"] == 0
    said = " ".join(held[1].stdout.split())
    line = "hears-half on talk (chat): hearing costs +66.67 points of turns: +0.00 by the user's"
    assert line in said
    page = (held[0] / "runs/latest" / FILE_NAME).read_text(encoding="utf-8")
    assert "by the user’s voice (modem)" in page


def test_its_identity_is_in_the_run_and_in_the_provenance(held: Held) -> None:
    card = scorecard.read(held[0] / "runs/latest/scorecard.json")
    (corpus,) = card.provenance.corpora
    assert corpus.user_voice is not None
    assert (corpus.user_voice.name, corpus.user_voice.engine) == (
        "modem",
        "modem_engine",
    )
    case = json.loads((held[0] / "runs/latest/hears-all/chat/talk.case.json").read_text("utf-8"))
    assert case["identity"]["user_voice"]["sound_sha256"] == corpus.user_voice.sound_sha256
    assert [loss.user_voice for loss in losses(card)] == ["modem"]


def test_scored_again_from_what_the_run_keeps(held: Held) -> None:
    assert check_rescored(held[0] / "runs" / "latest") == []


def test_a_run_is_not_resumed_with_another_voice(held: Held) -> None:
    done = run(held[0], f"--resume={held[0] / 'runs/latest'}", "--user-voice=mumbler")
    assert done.returncode == 4
    assert "--user-voice is another one" in done.stderr


def test_what_no_judge_hears_is_the_voices_loss(tmp_path: Path) -> None:
    done = run(tmp_path, "--user-voice=mumbler", "--judge=good-ears", "--model=hears-all")
    found = figures(tmp_path, "hears-all")
    assert done.returncode == 0, done.stdout
    assert found["user_voice_loss"] == found["hearing_loss"] == 1
    assert found["own_hearing_loss"] == 0


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("no-such", "no-such: no model of that name"),
        ("good-ears", "good-ears: it does not speak"),
        ("*", "one voice is expected"),
    ],
)
def test_what_is_no_voice_is_refused(tmp_path: Path, named: str, says: str) -> None:
    done = run(tmp_path, f"--user-voice={named}", "--model=hears-all")
    assert done.returncode == 4
    assert "--user-voice" in done.stderr
    assert says in done.stderr
