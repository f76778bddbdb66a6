"""What the harness costs on top of the engine.

    uv run python tests/benchmarks/harness_overhead.py [--model NAME] [--rounds N]

Interleaves, N times: a bare loop over the same engine calls and audio, and a
whole `pytest -m asr` of the model. Prints the ratio of their wall times and of
their RTFs, each round by itself, since absolute times on a shared machine are noise.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))


def bare(name: str) -> None:
    """In a process of its own: load the engine, warm it up, loop over the audio; print figures."""
    start = time.perf_counter()
    from adapters.catalog import Catalog
    from adapters.interface import Audio, LoadSpec, Transcriber
    from evals.plugin import synthesizer
    from fixtures import embedded
    from fixtures.audio import SAMPLE_RATE
    from fixtures.builtin import CLIP, DEFAULT, builtin_corpus

    (entry,) = Catalog().select([name])
    options = {
        key: embedded.resolve(value) if embedded.is_embedded(value) else value
        for key, value in entry.options.items()
    }
    checkpoint = entry.checkpoint
    if embedded.is_embedded(checkpoint):
        checkpoint = embedded.resolve(checkpoint)
    adapter = entry.engine.adapter()()
    adapter.load(LoadSpec(checkpoint, options=options))
    assert isinstance(adapter, Transcriber)
    (clip,) = builtin_corpus(CLIP, synthesizer)
    adapter.transcribe(Audio(clip.load(), SAMPLE_RATE))
    processing = audio_seconds = 0.0
    for utterance in builtin_corpus(DEFAULT, synthesizer):
        audio = Audio(utterance.load(), SAMPLE_RATE)
        before = time.perf_counter()
        adapter.transcribe(audio)
        processing += time.perf_counter() - before
        audio_seconds += audio.seconds
    print(json.dumps({"rtf": processing / audio_seconds, "wall": time.perf_counter() - start}))


def through_pytest(name: str) -> dict[str, float]:
    """A whole session, as a user would run it."""
    with tempfile.TemporaryDirectory() as runs:
        start = time.perf_counter()
        command = [sys.executable, "-m", "pytest", "-m", "asr and not latency", "--model", name]
        subprocess.run(
            [*command, f"--runs-dir={runs}", "evals"], cwd=ROOT, check=True, capture_output=True
        )
        wall = time.perf_counter() - start
        card = json.loads(Path(runs, "latest", "scorecard.json").read_text(encoding="utf-8"))
    (rtf,) = [m["value"] for m in card["measurements"] if m["metric"] == "rtf"]
    return {"rtf": rtf, "wall": wall}


def main() -> None:
    """Print a line per round and the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="faster-whisper-micro")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.bare:
        bare(arguments.model)
        return
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    beyond, ratios = [], []
    for number in range(1, arguments.rounds + 1):
        command = [sys.executable, __file__, "--bare", "--model", arguments.model]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        loop = json.loads(done.stdout.splitlines()[-1])
        session = through_pytest(arguments.model)
        beyond.append(session["wall"] - 1.05 * loop["wall"])
        ratios.append(session["rtf"] / loop["rtf"])
        print(
            f"round {number}: wall {session['wall']:.1f} s against {loop['wall']:.1f} s "
            f"({session['wall'] / loop['wall']:.3f} times); RTF ratio {ratios[-1]:.3f}",
            flush=True,
        )
    print(
        f"median: session = 1.05 x loop {statistics.median(beyond):+.1f} s; "
        f"RTF ratio {statistics.median(ratios):.3f}"
    )


if __name__ == "__main__":
    main()
