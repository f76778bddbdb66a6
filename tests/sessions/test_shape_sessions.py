"""Whole sessions on shapes of data: a WER within one command, resumed, and refused where changed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import shapes
from tests.support.sessions import card_of, check_rescored, row_of, shared_arguments, write_toys
from tests.support.shapes import EXAMPLES, SAID, sound

pytestmark = pytest.mark.slow

SELECT = ("-m", "asr and not latency", "--gate=off")


def run(folder: Path, corpus: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", *shared_arguments(folder, corpus), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def resumed(folder: Path) -> subprocess.CompletedProcess[str]:
    (made,) = (path for path in (folder / "runs").glob("20*") if path.is_dir())
    shared = [a for a in shared_arguments(folder) if not a.startswith(("--corpus", "--runs-dir"))]
    command = [sys.executable, "-m", "pytest", *shared, f"--resume={made}"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("name", ["librispeech", "csv", "sound and .txt"])
def test_one_command_gives_a_wer(name: str, tmp_path: Path) -> None:
    write_toys(tmp_path, {"oracle": {}, "silent": {"mode": "silent"}})
    source = EXAMPLES[name](tmp_path / "theirs")
    done = run(tmp_path, source, *SELECT, "--model=oracle", "--model=silent")
    assert done.returncode == 0, done.stdout
    card = card_of(tmp_path)
    assert [corpus["name"] for corpus in card["provenance"]["corpora"]] == ["theirs"]
    assert row_of(card, "oracle", "wer")["value"] == 0
    assert row_of(card, "silent", "wer")["value"] == 1
    check_rescored(tmp_path / "runs" / "latest")


def test_what_is_left_out_and_odd_keys_are_told_once(tmp_path: Path) -> None:
    write_toys(tmp_path, {"oracle": {}})
    source = shapes.sidecar(tmp_path / "theirs", ".txt")
    sound(source / "alone.wav", "alone")
    done = run(tmp_path, source, *SELECT, "--model=oracle", "-n", "2")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("1 left out: sound without a .txt or .lab beside it") == 1
    path = shapes.manifest(tmp_path / "keyed")
    path.write_text(path.read_text().replace('"speaker"', '"speaker_id"'))
    done = run(tmp_path, path, *SELECT, "--model=oracle")
    assert done.stdout.count("4 rows have the key 'speaker_id'") == 1, done.stdout


@pytest.mark.parametrize("changed", [False, True])
def test_a_run_on_a_shape_is_resumed_unless_it_changed(changed: bool, tmp_path: Path) -> None:
    write_toys(tmp_path, {"hears": {"sleep": 0.5}})
    source = shapes.kaldi(tmp_path / "theirs")
    command = [sys.executable, "-m", "pytest", *shared_arguments(tmp_path, source), *SELECT]
    command.append("--model=hears")
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    runs, end = tmp_path / "runs", time.monotonic() + 120
    while not any(file.stat().st_size for file in runs.glob("20*/hears/asr/theirs*.jsonl")):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    if changed:
        text = source / "text"
        text.write_text(text.read_text().replace("radio", "television"))
    done = resumed(tmp_path)
    if changed:
        assert "other corpus" in done.stdout or "corpus" in done.stdout, done.stdout
        assert done.returncode != 0
        return
    assert done.returncode == 0, done.stdout
    card = card_of(tmp_path)
    assert card["provenance"]["corpora"][0]["utterances"] == len(SAID)
    assert row_of(card, "hears", "wer")["value"] == 0
