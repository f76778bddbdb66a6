"""What the harness costs on top of the engine.

    uv run python tests/benchmarks/harness_overhead.py [--model NAME] [--rounds N]

Wall time: N times in turn, a bare loop over the engine's calls and a whole
`pytest -m asr` of the model on the same audio. RTF: each utterance through the
bare engine and through its worker process in turn, so that both see the same
machine. Only ratios are printed; absolute times on a shared machine are noise.
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
from contextlib import ExitStack
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))


def bare(name: str, *, beside_worker: bool) -> None:
    """Load the engine here, warm it up, loop over the audio; print the figures as JSON.

    beside_worker: alternate each call with one of the harness's worker process.
    """
    start = time.perf_counter()
    from adapters.catalog.catalog import Catalog
    from adapters.interface import Audio, Transcriber
    from evals.models.corpus_synthesizer import synthesizer
    from evals.models.loaded import Settings, load_spec, running
    from fixtures.audio.read import SAMPLE_RATE
    from fixtures.builtin.synthesize import CLIP, DEFAULT, builtin_corpus

    (entry,) = Catalog().select([name])
    adapter = entry.engine.adapter()()
    adapter.load(load_spec(entry, "cpu", Settings()))
    assert isinstance(adapter, Transcriber)
    (clip,) = builtin_corpus(CLIP, synthesizer)
    warm_up = Audio(clip.load(), SAMPLE_RATE)
    adapter.transcribe(warm_up)
    corpus = builtin_corpus(DEFAULT, synthesizer)
    audios = [Audio(utterance.load(), SAMPLE_RATE) for utterance in corpus]
    alone = in_worker = 0.0
    with ExitStack() as stack:
        worker = None
        if beside_worker:
            log = Path(stack.enter_context(tempfile.TemporaryDirectory()), "worker.log")
            worker = stack.enter_context(running(entry, Settings(), log))
            worker.warm_up("asr", partial(worker.transcribe, warm_up))
        for audio in audios:
            before = time.perf_counter()
            adapter.transcribe(audio)
            alone += time.perf_counter() - before
            if worker is not None:
                in_worker += worker.transcribe(audio).seconds
    wall = time.perf_counter() - start
    print(json.dumps({"wall": wall, "rtf_ratio": in_worker / alone}))


def through_pytest(name: str) -> float:
    """Wall seconds of a whole session, as a user would run it."""
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "pytest", "-m", "asr and not latency", "--model", name]
        start = time.perf_counter()
        subprocess.run(
            [*command, f"--runs-dir={runs}", "evals"], cwd=ROOT, check=True, capture_output=True
        )
        return time.perf_counter() - start


def main() -> None:
    """Print a line per round and the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="faster-whisper-micro")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bare", choices=("alone", "beside"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.bare:
        bare(arguments.model, beside_worker=arguments.bare == "beside")
        return

    def loop(how: str) -> dict[str, float]:
        command = [sys.executable, __file__, "--model", arguments.model, "--bare", how]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return figures

    beyond, ratios = [], []
    for number in range(1, arguments.rounds + 1):
        alone, session = loop("alone")["wall"], through_pytest(arguments.model)
        beyond.append(session - 1.05 * alone)
        ratios.append(loop("beside")["rtf_ratio"])
        print(
            f"round {number}: session {session / alone:.3f} times the loop "
            f"(1.05 times {beyond[-1]:+.1f} s); RTF ratio {ratios[-1]:.4f}",
            flush=True,
        )
    print(
        f"median: session = 1.05 x loop {statistics.median(beyond):+.1f} s; "
        f"RTF ratio {statistics.median(ratios):.4f}"
    )


if __name__ == "__main__":
    main()
