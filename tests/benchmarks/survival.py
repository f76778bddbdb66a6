"""Killing a session, and a model's process, at random moments: what is lost, what is there twice?

    uv run python -m tests.benchmarks.survival [--kills 30] [--seed 0]

A run is killed (SIGKILL) at a moment drawn from the length of a whole session, resumed by
--resume, killed again, and so on until it ends; then another run is begun, until there were so
many kills. The same with the model's processes of sessions that go on by themselves. What is
compared: each line that was whole before a kill with the line after it, the utterances of the
ended run, and its figures with those of a session that nothing happened to.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from tests.sessions.runs.test_resume import figures, lines_of, prepared, started
from tests.support.sessions import TEXTS, card_of, run_toys

MODELS = ("--model=hears", "--model=other")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        whole = prepared(Path(scratch) / "whole", sleep=0.02)
        begin = time.monotonic()
        run_toys(whole, "-m", "asr and not latency", *MODELS)
        length = time.monotonic() - begin
        expected = figures(card_of(whole))
        print(f"a session that nothing happens to: {length:.1f} s, {len(expected)} figures")
        kill_sessions(Path(scratch), options.kills, length, draw, expected)
        kill_workers(Path(scratch), options.kills, length, draw, expected)


def every_line(folder: Path) -> dict[tuple[str, str], str]:
    return {
        (model, line["id"]): line["checksum"]
        for model in ("hears", "other")
        for line in lines_of(folder, model)
    }


def kill_sessions(
    scratch: Path, kills: int, length: float, draw: random.Random, expected: list[dict[str, Any]]
) -> None:
    lost = twice = unequal = ended = done = before_the_run = 0
    folder: Path | None = None
    while done < kills or folder is not None:
        if folder is None:
            folder = prepared(scratch / f"sessions-{ended}", sleep=0.02)
        runs = [path for path in (folder / "runs").glob("20*") if (path / "run.json").exists()]
        arguments = [f"--resume={runs[0]}"] if runs else list(MODELS)
        before = every_line(folder)
        process = started(folder, *arguments)
        if done < kills:
            try:
                process.wait(draw.uniform(0, length))
            except subprocess.TimeoutExpired:
                process.kill()
                done += 1
                before_the_run += not (folder / "runs").exists()
        said, _ = process.communicate(timeout=300)
        after = every_line(folder)
        lost += sum(after.get(key) != checksum for key, checksum in before.items())
        if process.returncode >= 0:
            assert process.returncode == 0, said
            ended += 1
            for model in ("hears", "other"):
                ids = [line["id"] for line in lines_of(folder, model)]
                twice += len(ids) - len(set(ids))
                lost += len(TEXTS) - len(set(ids))
            (run,) = (path for path in (folder / "runs").glob("20*") if path.is_dir())
            unequal += figures(json.loads((run / "scorecard.json").read_text())) != expected
            folder = None
    print(
        f"sessions: {done} kills ({before_the_run} before there was a run), {ended} runs ended: "
        f"{lost} predictions lost, {twice} twice, {unequal} scorecards unequal"
    )


def kill_workers(
    scratch: Path, kills: int, length: float, draw: random.Random, expected: list[dict[str, Any]]
) -> None:
    lost = twice = unequal = ended = done = errors = 0
    while done < kills:
        folder = prepared(scratch / f"workers-{ended}", sleep=0.02)
        process = started(folder, *MODELS)
        while process.poll() is None and done < kills:
            time.sleep(draw.uniform(0, length / 4))
            try:
                for child in psutil.Process(process.pid).children():
                    os.kill(child.pid, signal.SIGKILL)
                    done += 1
            except psutil.NoSuchProcess:
                pass
        said, _ = process.communicate(timeout=300)
        ended += 1
        if process.returncode:
            # Killed while it was loaded, or warmed up, a model cannot be run, which is told.
            assert "cannot be loaded" in said or "fails on its first clip" in said, said
            continue
        for model in ("hears", "other"):
            lines = lines_of(folder, model)
            ids = [line["id"] for line in lines]
            twice += len(ids) - len(set(ids))
            lost += len(TEXTS) - len(set(ids))
            errors += sum(line["error"] is not None for line in lines)
        unequal += figures(card_of(folder)) != expected
    print(
        f"workers: {done} kills in {ended} sessions: {lost} predictions lost, {twice} twice, "
        f"{errors} errors, {unequal} scorecards unequal"
    )


if __name__ == "__main__":
    main()
