"""Where a scorecard's figures come from: code, packages, machine, command."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from adapters.worker.installed import versions_of
from reports.scorecard.parts import CorpusRecord
from reports.scorecard.scorecard import Provenance

ROOT = Path(__file__).parents[2]
_SCORING = ("jiwer", "numpy", "whisper-normalizer")
_CORE = (
    "pytest",
    "pytest-benchmark",
    "pytest-xdist",
    "numpy",
    "soundfile",
    "soxr",
    "av",
    "jiwer",
    "whisper-normalizer",
    "ctranslate2",
    "torch",
    "transformers",
)


def gather(
    *,
    modules: Iterable[str],
    command_line: Sequence[str],
    threads: int,
    seed: int,
    device: str,
    thresholds_sha256: str,
    corpora: Sequence[CorpusRecord],
    options: Mapping[str, Any],
) -> Provenance:
    """The provenance of this process. modules: top-level modules of the engines that ran."""
    sha, dirty = git()
    return Provenance(
        git_sha=sha,
        git_dirty=dirty,
        python=platform.python_version(),
        packages=_packages(modules),
        platform=platform.platform(),
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_bytes=int(psutil.virtual_memory().total),
        command_line=list(command_line),
        threads=threads,
        seed=seed,
        device_requested=device,
        thresholds_sha256=thresholds_sha256,
        corpora=list(corpora),
        options=dict(options),
    )


def scoring_packages() -> dict[str, str]:
    """The versions of what turns texts into figures."""
    return {name: importlib.metadata.version(name) for name in _SCORING}


def _packages(modules: Iterable[str]) -> dict[str, str]:
    found = dict(versions_of(modules))
    for name in _CORE:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return dict(sorted(found.items()))


def git() -> tuple[str | None, bool | None]:
    """The commit of the checkout, and whether it was changed since; None where there is none."""

    def ask(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *words], capture_output=True, text=True, timeout=10, check=True
        )
        return done.stdout.strip()

    try:
        return ask("rev-parse", "HEAD"), bool(ask("status", "--porcelain"))
    except (OSError, subprocess.SubprocessError):
        return None, None  # not a checkout, or no git


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
