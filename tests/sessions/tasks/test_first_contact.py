"""`-m smoke` on voices and assistants: what works, and what is found out in seconds."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.sessions import ROOT, card_of, check_rescored

pytestmark = pytest.mark.slow

SUPPORT = ROOT / "tests" / "support"
VOICE, ASSISTANT, MODEM = (
    str(SUPPORT / f"{name}.py") for name in ("faulty_voice", "faulty_assistant", "modem_engine")
)
MODELS: dict[str, dict[str, Any]] = {
    "modem": {"engine": MODEM, "tasks": ["asr", "tts"]},
    "silent-voice": {"engine": VOICE, "tasks": ["tts"], "options": {"fault": "silence"}},
    "endless-voice": {"engine": VOICE, "tasks": ["tts"], "options": {"fault": "endless"}},
    "typist": {
        "engine": "cascade", "tasks": ["chat"],
        "options": {"asr": "modem", "responder": "assistant", "tts": "modem"},
    },
    "nobody": {
        "engine": ASSISTANT, "tasks": ["chat"],
        "options": {"fault": "empty", "asr": "modem", "tts": "none"},
    },
}  # fmt: skip


def test_each_kind_of_model_is_tried_by_one_command(tmp_path: Path) -> None:
    (tmp_path / "catalog.yaml").write_text(
        yaml.safe_dump({"schema_version": 1, "models": MODELS}), encoding="utf-8"
    )
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-m", "smoke", *(f"--model={name}" for name in MODELS),
            f"--catalog={tmp_path / 'catalog.yaml'}", f"--runs-dir={tmp_path / 'runs'}",
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    assert "3 failed, 3 passed" in done.stdout.splitlines()[-1], done.stdout
    said = " ".join(done.stdout.split())
    assert "silent-voice: the sound is silent" in said
    assert re.search(r"endless-voice: 12 words in 3\d\.\d\d s", said)
    assert "nobody: " in said
    rows = card_of(tmp_path)["measurements"]
    found = {(m["model"], m["task"]): m["value"] for m in rows if m["metric"] == "success_rate"}
    assert found == {
        ("modem", "smoke"): 1,
        ("modem", "smoke_tts"): 1,
        ("silent-voice", "smoke_tts"): 0,
        ("endless-voice", "smoke_tts"): 0,
        ("typist", "smoke_chat"): 1,
        ("nobody", "smoke_chat"): 0,
    }
    assert len([m for m in rows if m["metric"] == "same_twice"]) == 3
    check_rescored(tmp_path / "runs" / "latest")
