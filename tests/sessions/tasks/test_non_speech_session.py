"""Recordings of non-speech beside the built-in sounds, and what is told of words in them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from fixtures.builtin.non_speech import CLIPS, RECORDED
from reports.page.scorecard_page import FILE_NAME
from reports.scorecard import scorecard
from tests.support.sessions import card_of, check_rescored, row_of, run_toys, write_toys
from tests.support.toy_engine import SENTENCE

pytestmark = pytest.mark.slow

RATE, SECONDS = 16_000, 2
RECORDINGS = ("kitchen", "street", "fan")


def recordings(folder: Path, **first: str) -> None:
    """A manifest of noises without a text; first: further keys of the first row."""
    folder.mkdir()
    rng, rows = np.random.default_rng(0), []
    for name in RECORDINGS:
        soundfile.write(folder / f"{name}.wav", rng.normal(0, 0.05, SECONDS * RATE), RATE)
        rows.append({"id": name, "audio_filepath": f"{name}.wav", "text": ""})
    rows[0].update(first)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "manifest.jsonl").write_text(text, encoding="utf-8")


def test_recordings_without_speech_exit_by_what_is_heard_in_them(tmp_path: Path) -> None:
    """No text to put between non-speech is no fault of a model that stays silent."""
    recordings(tmp_path / "toy", category="house")
    write_toys(tmp_path, {"quiet": {"mode": "silent"}, "talker": {"mode": "constant"}})
    done = run_toys(tmp_path, "-m", "hallucination", "--model=quiet", "--gate=production")
    assert done.returncode == 0, done.stdout + done.stderr
    card = card_of(tmp_path)
    assert row_of(card, "quiet", "hallucination_rate", "hallucination")["n"] == len(CLIPS) + 3
    ends = row_of(card, "quiet", "leading_insertions", "hallucination")
    assert (ends["value"], ends["gated"]) == (None, False)
    lines = (tmp_path / "runs/latest/quiet/hallucination/toy.jsonl").read_text("utf-8").splitlines()
    kinds = {row["id"]: row["category"] for row in map(json.loads, lines)}
    assert [kinds[name] for name in RECORDINGS] == ["house", RECORDED, RECORDED]

    both = run_toys(tmp_path, "-m", "hallucination", "--model=quiet", "--model=talker")
    said = " ".join(both.stdout.split())
    clips = len(CLIPS) + len(RECORDINGS)
    assert f"{4 * clips} words in {clips} of {clips} clips where nobody speaks" in said
    assert f"'{SENTENCE}' {clips} times ({CLIPS[0].id} (a synthetic sound)" in said
    wanted = f"talker hears words in {clips} of {clips} clips where nobody speaks, quiet in 0"
    assert wanted in scorecard.read(tmp_path / "runs/latest/scorecard.json").recommendation.reason
    assert wanted in said
    page = (tmp_path / "runs/latest" / FILE_NAME).read_text(encoding="utf-8")
    assert "Heard where nobody speaks" in page
    assert 'data-key="/non_speech/1/rows/0/text"' in page
    check_rescored(tmp_path / "runs" / "latest")


def test_a_recording_that_is_called_as_a_built_in_sound_is_refused(tmp_path: Path) -> None:
    recordings(tmp_path / "toy", id=CLIPS[0].id)
    write_toys(tmp_path, {"quiet": {"mode": "silent"}})
    done = run_toys(tmp_path, "-m", "hallucination", "--model=quiet")
    assert done.returncode == 1
    assert "give it another id" in done.stdout
