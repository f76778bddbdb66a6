"""An hour of audio through every engine that says it takes hours: memory and speed.

    uv run --all-extras python tests/benchmarks/long_audio.py [NAME...]

The checkpoints are those of the contract tests, the audio is the fixed clip over and over.
Prints the worker's peak of memory at 10 and at 60 minutes, what it grew by in between beside
what the audio itself and its spectrogram (80 bands of float32 each 10 ms) grew by, and the
RTF at 60 minutes, on one thread. NAME: only subjects that begin so.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from adapters.catalog.engine import EngineRef, known_engines
from adapters.interface import Audio, LoadSpec
from adapters.worker.client import ModelProcess
from evals.models.corpus_synthesizer import synthesizer
from fixtures.audio.read import SAMPLE_RATE
from fixtures.builtin.synthesize import CLIP, builtin_corpus
from tests.contract.subject import Made, Subject

#: Ways of long audio that no contract test has, as options beside a subject's.
_MORE: dict[str, dict[str, dict[str, Any]]] = {
    "faster_whisper": {
        "vad": {"vad_filter": True},
        "batched": {"batch_size": 8},
        "batched+vad": {"batch_size": 8, "vad_filter": True},
    },
}
_BYTES_PER_SECOND = {"audio": SAMPLE_RATE * 4, "mel": 100 * 80 * 4}


def subjects() -> Iterator[Subject]:
    """Speech recognition of any length, with what is installed."""
    for engine in known_engines():
        ref = EngineRef(engine)
        if ref.adapter().longest_audio is not None or ref.missing():
            continue
        for subject in importlib.import_module(f"tests.contract.{engine}").SUBJECTS:
            if "asr" not in subject.tasks:
                continue
            yield subject
            if subject.name in _MORE:
                for name, options in _MORE[subject.name].items():
                    yield replace(
                        subject,
                        name=f"{subject.name} {name}",
                        options={**subject.options, **options},
                    )


def measure(subject: Subject, made: Made, clip: Audio, minutes: int) -> tuple[int, float]:
    """Peak memory in bytes and RTF for that much audio, in a fresh worker."""
    ref = EngineRef(subject.engine)
    options = {**ref.adapter().options, **subject.options, **made.options}
    samples = np.tile(clip.samples, round(60 * minutes / clip.seconds))
    with TemporaryDirectory() as folder:
        log = Path(folder) / "worker.log"
        process = ModelProcess(
            ref, LoadSpec(made.checkpoint, options=options), time_limit=3600, log=log
        )
        process.load()
        try:
            process.transcribe(clip)
            process.peak_memory(reset=True)
            timed = process.transcribe(Audio(samples, SAMPLE_RATE))
            return process.peak_memory().host.bytes, timed.seconds / (60 * minutes)
        finally:
            process.close()


def main() -> None:
    """Print one line per subject."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--minutes", nargs=2, type=int, default=(10, 60), help="two lengths")
    arguments = parser.parse_args()
    short, long = arguments.minutes
    (utterance,) = builtin_corpus(CLIP, synthesizer)
    clip = Audio(utterance.load(), SAMPLE_RATE)
    more = sum(_BYTES_PER_SECOND.values()) * 60 * (long - short)
    print(f"audio and mel grow by {more / 1e6:.0f} MB from {short} to {long} minutes")
    print(f"{'':32}{f'{short} min':>10}{f'{long} min':>10}{'growth':>10}{'ratio':>8}{'RTF':>9}")
    for subject in subjects():
        if arguments.names and not subject.name.startswith(tuple(arguments.names)):
            continue
        with TemporaryDirectory() as folder:
            made = subject.make(Path(folder))
            first, _ = measure(subject, made, clip, short)
            last, rtf = measure(subject, made, clip, long)
        print(
            f"{subject.name:32}{first / 1e6:7.0f} MB{last / 1e6:7.0f} MB"
            f"{(last - first) / 1e6:7.0f} MB{(last - first) / more:8.2f}{rtf:9.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
