"""How much sooner two processes are done with a corpus than one, and whether they say the same.

    uv run python -m tests.benchmarks.two_workers [--rounds 2] [--utterances 600] [--model NAME]

600 utterances, voice-commands three times over, each model with one thread: a whole
`pytest -m asr` as a user types it, alone and with -n 2, in turn. Only the ratio says something.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from evals.models.corpus_synthesizer import synthesizer
from fixtures.builtin.synthesize import DEFAULT, builtin_corpus

ROOT = Path(__file__).parents[2]


def copied(folder: Path, utterances: int) -> Path:
    """A manifest of so many utterances, the built-in ones as often as it takes."""
    folder.mkdir()
    corpus = builtin_corpus(DEFAULT, synthesizer)
    for path in corpus.manifest.parent.glob("*.flac"):
        shutil.copy(path, folder)
    rows = [json.loads(line) for line in corpus.manifest.read_text().splitlines()]
    manifest = folder / "manifest.jsonl"
    with manifest.open("w") as file:
        for number in range(utterances):
            row = rows[number % len(rows)]
            file.write(json.dumps({**row, "id": f"{row['id']}-{number // len(rows)}"}) + "\n")
    return manifest


def session(manifest: Path, runs: Path, model: str, *arguments: str) -> tuple[float, Path]:
    """Wall seconds of a session, and its run."""
    command = [sys.executable, "-m", "pytest", "-m", "asr and not latency", "evals"]
    command += [f"--model={model}", f"--corpus={manifest}", f"--runs-dir={runs}", "--gate=off"]
    start = time.perf_counter()
    done = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    assert done.returncode == 0, done.stdout
    return seconds, runs / "latest"


def said(run: Path, model: str) -> list[tuple[str, str]]:
    (file,) = (run / model / "asr").glob("*.jsonl")
    lines = sorted((json.loads(x) for x in file.read_text().splitlines()), key=lambda x: x["index"])
    return [(line["id"], line["hypothesis"]) for line in lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--utterances", type=int, default=600)
    parser.add_argument("--model", default="faster-whisper-micro")
    options = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory() as scratch:
        manifest = copied(Path(scratch) / "commands", options.utterances)
        for number in range(options.rounds):
            alone, run = session(manifest, Path(scratch) / f"alone-{number}", options.model)
            both, other = session(
                manifest, Path(scratch) / f"both-{number}", options.model, "-n", "2"
            )
            ours, theirs = said(run, options.model), said(other, options.model)
            assert len(ours) == options.utterances
            ratios.append(alone / both)
            differ = sum(a != b for a, b in zip(ours, theirs, strict=True))
            print(
                f"round {number + 1}: -n 2 is {alone / both:.2f} times as fast "
                f"({alone:.1f} s and {both:.1f} s), {differ} of {len(ours)} predictions differ"
            )
    print(f"median: {statistics.median(ratios):.2f} times as fast")


if __name__ == "__main__":
    main()
