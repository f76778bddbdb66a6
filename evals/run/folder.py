"""The folder of a session's run: `runs/<UTC time>/`, with `runs/latest` pointing at it."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path


def reserve(runs: Path) -> Path:
    """Make a folder that no other session has, named after the time in UTC."""
    runs.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    for number in range(1, 1000):
        folder = runs / (stamp if number == 1 else f"{stamp}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise FileExistsError(f"{runs}: a thousand runs within one second")


def point_latest(run: Path) -> None:
    """Make `runs/latest` mean this run: a link, or a file with its name where links cannot be."""
    latest = run.parent / "latest"
    fresh = run.parent / f".latest-{os.getpid()}"
    try:
        fresh.symlink_to(run.name, target_is_directory=True)
    except OSError:
        fresh.write_text(run.name + "\n", encoding="utf-8")
    fresh.replace(latest)


def discard_unused(run: Path) -> None:
    """Take a run's folder away where nothing was evaluated: it holds what begins every run."""
    if all(path.name == "run.json" or path.name.endswith(".lock") for path in run.iterdir()):
        shutil.rmtree(run, ignore_errors=True)
