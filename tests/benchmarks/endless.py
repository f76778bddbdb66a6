"""What the harness takes of time and memory for each of very many utterances.

    uv run python -m tests.benchmarks.endless [--few 1000] [--many 100000]

Sessions of `pytest -m asr` with a model that does nothing, in the harness's own process
(--isolation none, so that its memory is the harness's) and in its worker process as ever. Of
the sessions with few and with many utterances: wall seconds and peak resident set of the
pytest process, and what each utterance more adds to them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).parents[2]
ENGINE = '''
from adapters.interface import Adapter, Transcript

class Nothing(Adapter):
    """Does nothing."""

    def load(self, spec):
        pass

    def transcribe(self, audio):
        return Transcript("")

ADAPTER = Nothing
'''


def corpus(folder: Path, utterances: int) -> Path:
    """So many rows of a tenth of a second, of a thousand files and a hundred speakers."""
    folder.mkdir()
    files = min(utterances, 1000)
    for number in range(files):
        rng = np.random.default_rng(number)
        soundfile.write(folder / f"{number}.wav", rng.normal(0, 0.1, 1600), 16_000)
    manifest = folder / "manifest.jsonl"
    with manifest.open("w") as file:
        for number in range(utterances):
            row = {
                "id": f"utterance-{number:07d}",
                "audio_filepath": f"{number % files}.wav",
                "duration": 0.1,
                "text": f"Turn on light {number % 89} in the kitchen, please.",
                "speaker": f"s{number % 100}",
                "category": ("light", "timer", "music")[number % 3],
            }
            file.write(json.dumps(row) + "\n")
    return manifest


def session(folder: Path, manifest: Path, *arguments: str) -> tuple[float, float]:
    """Wall seconds, and the peak resident set of the pytest process in MiB."""
    command = [sys.executable, "-m", "pytest", "-m", "asr and not latency", str(ROOT / "evals")]
    command += [f"--rootdir={ROOT}", f"-c{ROOT / 'pyproject.toml'}", "--gate=off"]
    command += [f"--catalog={folder / 'catalog.yaml'}", "--model=nothing"]
    command += [f"--corpus={manifest}", f"--runs-dir={folder / 'runs'}", *arguments]
    start = time.perf_counter()
    with (folder / "said.txt").open("w") as said:
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said)
        # Of this process alone, and its own peak: a child would be another's.
        _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    assert os.waitstatus_to_exitcode(status) == 0, (folder / "said.txt").read_text()
    return seconds, used.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--few", type=int, default=1_000)
    parser.add_argument("--many", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "nothing.py").write_text(ENGINE)
        (folder / "catalog.yaml").write_text(
            "schema_version: 1\nmodels:\n  nothing: {engine: nothing.py, tasks: [asr]}\n"
        )
        few = corpus(folder / "few", options.few)
        many = corpus(folder / "many", options.many)
        more = options.many - options.few
        for name, arguments in (("worker process", ()), ("own process", ("--isolation=none",))):
            short, small = session(folder, few, *arguments)
            long, large = session(folder, many, *arguments)
            print(
                f"{name}: {options.few} utterances {short:.1f} s, {small:.0f} MiB; {options.many} "
                f"{long:.1f} s, {large:.0f} MiB: {1000 * (long - short) / more:.3f} ms and "
                f"{1024 * (large - small) / more:.3f} KiB for each more, {large - small:.1f} MiB in all"
            )


if __name__ == "__main__":
    main()
