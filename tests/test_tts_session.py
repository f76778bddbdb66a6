"""The TTS task as sessions: voices with planted faults, each caught by the metric that should."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import soundfile
import yaml

from evals.spoken import Spoken
from fixtures.sentences import builtin_sentences
from tests.faulty_voice import OTHERS, SOUNDS
from tests.sessions import ROOT, card_of

FAULTS = ("none", *SOUNDS, *OTHERS)
#: The limits that each fault breaks, of those of the production tier, and no others.
BROKEN: Mapping[str, set[str]] = {
    "none": set(),
    "clipped": {"clipped_rate"},
    # The micro Whisper, which was trained on clips without pauses, is deaf after digital silence.
    "delayed": {"leading_silence_p95", "wer"},
    # Nothing that can be speech: what is measured of speech is missing, and that fails too.
    "noise": {"wer", "usable_rate", "leading_silence_p95", "trailing_silence_p95",
              "longest_pause_p95", "clipped_rate"},
    "silence": {"wer", "usable_rate", "leading_silence_p95", "trailing_silence_p95",
                "longest_pause_p95", "clipped_rate"},
    "not-a-number": {"wer", "usable_rate", "leading_silence_p95", "trailing_silence_p95",
                     "longest_pause_p95", "clipped_rate"},
    "half": {"wer"},
    "wrong-rate": {"wer"},
    "slow": {"rtf"},
}  # fmt: skip


def sentences(folder: Path) -> Path:
    """Ten commands, two sentences with digits, and the empty one."""
    rows = {row.id: row for row in builtin_sentences()}
    chosen = [f"commands-{n}" for n in range(1, 41, 4)] + ["numbers-1", "numbers-3", "empty-1"]
    lines = [
        {"id": i, "text": rows[i].text, "category": rows[i].category, **rows[i].metadata}
        for i in chosen
    ]
    path = folder / "few.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    engine = ROOT / "tests" / "faulty_voice.py"
    models = {
        f"voice-{fault}": {"engine": str(engine), "tasks": ["tts"], "options": {"fault": fault}}
        for fault in FAULTS
    }
    catalog = {"schema_version": 1, "models": models}
    (folder / "catalog.yaml").write_text(yaml.safe_dump(catalog), encoding="utf-8")
    # With fewer sentences than the built-in ones, what is right is not yet shown to be.
    limits = yaml.safe_load((ROOT / "thresholds.yaml").read_text(encoding="utf-8"))
    limits["tiers"]["production"]["inconclusive"] = "pass"
    (folder / "thresholds.yaml").write_text(yaml.safe_dump(limits), encoding="utf-8")
    return subprocess.run(
        [
            sys.executable, "-m", "pytest", "-m", "tts", "--gate=production",
            f"--catalog={folder / 'catalog.yaml'}", f"--thresholds={folder / 'thresholds.yaml'}",
            f"--corpus={sentences(folder)}", f"--runs-dir={folder / 'runs'}", "--rated-clips=0", *arguments,
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=600,
    )  # fmt: skip


@pytest.fixture(scope="module")
def heard(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("voices")
    return folder, run(folder, "--model=voice-*")


def rows(folder: Path, fault: str) -> dict[str, dict[str, Any]]:
    return {
        m["metric"]: m for m in card_of(folder)["measurements"] if m["model"] == f"voice-{fault}"
    }


@pytest.mark.parametrize("fault", BROKEN)
def test_each_fault_breaks_the_limits_that_it_should(
    heard: tuple[Path, subprocess.CompletedProcess[str]], fault: str
) -> None:
    figures = rows(heard[0], fault)
    broken = {
        metric
        for metric, m in figures.items()
        if m["gated"] and m["verdict"] in ("fail", "not_measured", "error")
    }
    assert broken == BROKEN[fault]


def test_a_sound_voice_is_graded_and_its_audio_kept(
    heard: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = heard
    assert done.returncode == 1  # the others
    figures = rows(folder, "none")
    assert figures["wer"]["value"] == 0
    assert figures["wer"]["n"] == 10  # the micro Whisper understands the commands alone
    assert figures["success_rate"]["n"] == 12  # all but the empty one
    card = card_of(folder)
    (grade,) = [g for g in card["grades"] if g["model"] == "voice-none"]
    assert grade["corpora"][0]["task"] == "tts"
    assert grade["corpora"][0]["metrics"]["tts/wer"] == "A"
    lines = (folder / "runs/latest/voice-none/tts/few.jsonl").read_text(encoding="utf-8")
    spoken = [Spoken(**json.loads(line)) for line in lines.splitlines()]
    assert [line.id for line in spoken][-1] == "empty-1"
    for line in spoken:
        assert line.audio is not None
        info = soundfile.info(folder / "runs/latest" / line.audio)
        assert info.samplerate == 22_050
        assert (info.frames == 0) == (not line.text)


def test_endless_and_refused_sentences_are_counted(
    heard: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    endless = rows(heard[0], "endless")
    assert endless["usable_rate"]["value"] < 0.2
    refused = rows(heard[0], "refuses")
    assert refused["success_rate"]["value"] == pytest.approx(10 / 12)
    assert refused["usable_rate"]["value"] == pytest.approx(10 / 12)
    assert refused["wer"]["value"] == 0  # of what the judge understands, all was said


def test_words_that_were_dropped_are_deletions(
    heard: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    assert 0.4 < rows(heard[0], "half")["wer"]["value"] < 0.6


def test_the_table_names_every_voice(
    heard: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    lines = heard[1].stdout.splitlines()
    for fault in FAULTS:
        assert any(line.startswith(f"voice-{fault} ") for line in lines), fault
    assert "Recommended for production (speaking): none" in heard[1].stdout


def test_two_judges(tmp_path: Path) -> None:
    done = run(
        tmp_path, "--model=voice-none", "--judge=faster-whisper-micro", "--judge=pocketsphinx-commands"
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    found = [m for m in card_of(tmp_path)["measurements"] if m["metric"] == "wer"]
    assert [m["slice"] for m in found] == ["all", "judge=pocketsphinx-commands"]


def test_a_judge_that_is_none_is_refused(tmp_path: Path) -> None:
    for judge, says in (("nobody", "--judge nobody: no model"), ("espeak", "does not recognize")):
        done = run(tmp_path, "--model=voice-none", f"--judge={judge}")
        assert done.returncode == 4
        assert says in done.stderr


def test_recordings_show_the_judge_s_own_error(tmp_path: Path) -> None:
    """voice-commands has recordings: what the judge gets wrong of these is not the voice's fault."""
    from evals.plugin import synthesizer
    from fixtures.builtin import DEFAULT, builtin_corpus

    corpus = builtin_corpus(DEFAULT, synthesizer)
    some = corpus.manifest.read_text(encoding="utf-8").splitlines()[:8]
    lines = []
    for line in some:
        row = json.loads(line) | {"vocabulary": "commands"}
        row["audio_filepath"] = str(corpus.manifest.parent / row["audio_filepath"])
        lines.append(json.dumps(row) + "\n")
    (tmp_path / "said.jsonl").write_text("".join(lines), encoding="utf-8")
    done = run(tmp_path, "--model=voice-none", f"--corpus={tmp_path / 'said.jsonl'}")
    assert done.returncode == 0, done.stdout
    found = {m["metric"]: m for m in card_of(tmp_path)["measurements"] if m["corpus"] == "said"}
    assert found["judge_wer"]["n"] == 8
    assert found["wer_above_judge"]["value"] == pytest.approx(
        found["wer"]["value"] - found["judge_wer"]["value"]
    )
