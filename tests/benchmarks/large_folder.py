"""How soon a session on a folder of very many files hears the first, and what it holds by then.

    uv run python -m tests.benchmarks.large_folder [--files 100000] [--shape sidecar|manifest]

A folder of WAVs of a tenth of a second, each with its transcript beside it (or all of them in a
manifest), and an engine that does nothing but note when it first hears something. Of
`pytest -m asr`, which is stopped then: wall seconds and CPU seconds of the pytest process until the
first is heard, and its peak resident set (Linux). With --whole the session goes on to its end, and
the peak is that of all of it. The files are made in the folder that --keep names, once.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).parents[2]
ENGINE = '''
import time
from adapters.interface import Adapter, Transcript

class Notes(Adapter):
    """Notes when it first hears something."""

    options = {"file": ""}

    def load(self, spec):
        self._file = spec.options["file"]
        self._first = True

    def transcribe(self, audio):
        if self._first and self._file:
            with open(self._file, "a") as file:
                file.write(f"{time.time()}\\n")
            self._first = False
        return Transcript("")

ADAPTER = Notes
'''
#: The head of a WAV of 16-bit mono samples at 16 kHz.
_RATE = 16_000
_SAMPLES = 1_600


def wav(seed: int) -> bytes:
    noise = np.random.default_rng(seed).normal(0, 3_000, _SAMPLES).astype("<i2").tobytes()
    fields = (36 + len(noise)).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    form = (
        b"\1\0\1\0"
        + _RATE.to_bytes(4, "little")
        + (2 * _RATE).to_bytes(4, "little")
        + b"\2\0\x10\0"
    )
    return b"RIFF" + fields + form + b"data" + len(noise).to_bytes(4, "little") + noise


def made(folder: Path, files: int) -> Path:
    """The folder with its files; a hundred to a folder of its own, and a manifest beside them."""
    if (folder / "manifest.jsonl").exists():
        return folder
    sounds = [wav(seed) for seed in range(100)]
    with (folder / "manifest.jsonl").open("w") as file:
        for number in range(files):
            here = folder / "all" / f"{number // 100:04d}"
            if number % 100 == 0:
                here.mkdir(parents=True, exist_ok=True)
            text = f"turn on light {number % 89} in the kitchen please"
            (here / f"{number:06d}.wav").write_bytes(sounds[number % 100])
            (here / f"{number:06d}.txt").write_text(text)
            path = f"all/{number // 100:04d}/{number:06d}.wav"
            file.write(json.dumps({"id": f"{number}", "audio_filepath": path, "text": text}) + "\n")
    return folder


def session(folder: Path, corpus: Path, *, whole: bool) -> tuple[float, float, float]:
    """Seconds until the first is heard, those of the CPU, and the peak resident set in MiB."""
    noted = folder / "first.txt"
    (folder / "notes.py").write_text(ENGINE)
    entry = {"engine": "notes.py", "tasks": ["asr"], "options": {"file": str(noted)}}
    catalog = {"schema_version": 1, "models": {"notes": entry}}
    (folder / "catalog.yaml").write_text(json.dumps(catalog))
    command = [sys.executable, "-m", "pytest", "-m", "asr and not latency", str(ROOT / "evals")]
    command += [f"--rootdir={ROOT}", f"-c{ROOT / 'pyproject.toml'}", "--gate=off"]
    command += [f"--catalog={folder / 'catalog.yaml'}", "--model=notes", f"--corpus={corpus}"]
    command += [f"--runs-dir={folder / 'runs'}"]
    noted.unlink(missing_ok=True)
    start = time.time()
    with (folder / "said.txt").open("w") as said:
        process = psutil.Popen(command, cwd=folder, stdout=said, stderr=said)
        while not noted.exists() or not noted.read_text().endswith("\n"):
            assert process.poll() is None, (folder / "said.txt").read_text()
            time.sleep(0.02)
        times = process.cpu_times()
        peak = peak_of(process.pid)
        if whole:
            _, status, used = os.wait4(process.pid, 0)
            assert os.waitstatus_to_exitcode(status) == 0, (folder / "said.txt").read_text()
            peak = used.ru_maxrss / 1024
        else:
            process.terminate()
            process.wait()
    return float(noted.read_text().split()[0]) - start, times.user + times.system, peak


def peak_of(process: int) -> float:
    """The peak resident set of a process that runs, in MiB."""
    status = Path(f"/proc/{process}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--shape", choices=("sidecar", "manifest"), default="sidecar")
    parser.add_argument("--whole", action="store_true", help="let the session end by itself")
    parser.add_argument("--keep", type=Path, help="where the files are made, and stay")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        made(folder, options.files)
        corpus = folder / ("all" if options.shape == "sidecar" else "manifest.jsonl")
        first, cpu, peak = session(folder, corpus, whole=options.whole)
        print(
            f"{options.files:,} files ({options.shape}): the first is heard after {first:.1f} s "
            f"({cpu:.1f} s of the CPU), {peak:.0f} MiB at most"
        )


if __name__ == "__main__":
    main()
