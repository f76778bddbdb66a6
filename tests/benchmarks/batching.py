"""Batches through the harness against faster-whisper's own batched pipeline, and one by one.

    uv run --all-extras python tests/benchmarks/batching.py [--utterances N] [--rounds N]

On the micro Whisper, float32, one thread, over utterances of voice-commands. The two sides take
turns in one run; each figure is the median over the rounds of audio seconds per second, the
harness's with everything that it does (messages, features, one process to the other). The ratio
of the seconds of CPU, of all processes together, holds on a busy machine too. `--rounds 0`
counts the texts alone.

- batches: `ModelProcess.transcribe_batch` of batches by length, against the library's
  BatchedInferencePipeline over the same utterances in the same order, laid end to end, with
  their places as clip_timestamps and the same batch size;
- long audio: `ModelProcess.transcribe` of all of it at once, against the library's pipeline
  with windows of 30 s;
- one by one: `ModelProcess.transcribe` of each utterance, against the batches;
- texts: how many utterances are heard differently in a batch than alone.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))
os.environ["OMP_NUM_THREADS"] = "1"  # of the library's side, which is this process

from adapters.catalog.engine import EngineRef
from adapters.interface import Audio, LoadSpec
from adapters.worker.client import ModelProcess
from evals.models.batching import batches
from evals.models.corpus_synthesizer import synthesizer
from fixtures.audio.read import SAMPLE_RATE
from fixtures.builtin.synthesize import builtin_corpus
from fixtures.micro_whisper import expand

OPTIONS = {"language": "en", "max_new_tokens": 60, "without_timestamps": True}


def main() -> None:
    """Print a line per comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--utterances", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 16])
    arguments = parser.parse_args()
    corpus = list(builtin_corpus("voice-commands", synthesizer))[: arguments.utterances]
    audios = [Audio(utterance.load(), SAMPLE_RATE) for utterance in corpus]
    with TemporaryDirectory() as folder:
        checkpoint = str(expand("ctranslate2", Path(folder)))
        for size in arguments.sizes:
            compare(checkpoint, audios, size, arguments.rounds)


def compare(checkpoint: str, audios: Sequence[Audio], size: int, rounds: int) -> None:
    """All comparisons at one batch size."""
    groups = list(
        batches(
            audios,
            size=lambda: size,
            seconds=lambda audio: audio.seconds,
            look_ahead=8 * size,
            most_seconds=3600.0,
        )
    )
    ordered = [audio for group in groups for audio in group]
    whole = Audio(np.concatenate([audio.samples for audio in ordered]), SAMPLE_RATE)
    print(f"batches of {size}: {len(ordered)} utterances, {whole.seconds:.0f} s")
    library = Library(checkpoint, size)
    process = started(checkpoint, size)
    single = started(checkpoint, 1)
    try:
        batched = {
            id(a): t for group in groups for a, t in zip(group, heard(process, group), strict=True)
        }
        for name, alone in (
            ("alone, batch_size 1", [single.transcribe(a).result.text for a in ordered]),
            (f"alone, batch_size {size}", [process.transcribe(a).result.text for a in ordered]),
            ("the library's batches", library.utterances(ordered)),
        ):
            other = sum(a != batched[id(audio)] for audio, a in zip(ordered, alone, strict=True))
            print(f"  texts that differ from {name}: {other} of {len(ordered)}")
        harness = partial(all_of, process, groups)
        report(
            "batches, harness / library",
            whole,
            harness,
            partial(library.utterances, ordered),
            rounds,
        )
        report(
            "long audio, harness / library",
            whole,
            partial(process.transcribe, whole),
            partial(library.windows, whole),
            rounds,
        )
        report(
            "harness, batches / one by one",
            whole,
            harness,
            lambda: [single.transcribe(audio) for audio in ordered],
            rounds,
        )
    finally:
        process.close()
        single.close()


def report(
    name: str, audio: Audio, one: Callable[[], Any], other: Callable[[], Any], rounds: int
) -> None:
    """Time the two in turn; print what each did per second, and their ratio."""
    if not rounds:
        return
    speeds: tuple[list[float], list[float]] = ([], [])
    worked: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        # Who goes first changes, so that neither has the warmer cache.
        for side, call in sorted(enumerate((one, other)), reverse=bool(number % 2)):
            start, cpu = time.perf_counter(), cpu_seconds()
            call()
            if number:  # the first is to warm up
                speeds[side].append(audio.seconds / (time.perf_counter() - start))
                worked[side].append(audio.seconds / (cpu_seconds() - cpu))
    ours, theirs = (statistics.median(side) for side in speeds)
    print(
        f"  {name}: {ours:.1f} / {theirs:.1f} x real time, ratio {ratio(speeds)}; "
        f"by CPU seconds {ratio(worked)}",
        flush=True,
    )


def ratio(speeds: tuple[list[float], list[float]]) -> str:
    """The median of the rounds' ratios, and the least and the most of them."""
    found = [a / b for a, b in zip(*speeds, strict=True)]
    return f"{statistics.median(found):.3f} ({min(found):.3f} to {max(found):.3f})"


def cpu_seconds() -> float:
    """What this process and the models' have used of the CPUs so far."""
    here = psutil.Process()
    times = [p.cpu_times() for p in (here, *here.children(recursive=True))]
    return float(sum(t.user + t.system for t in times))


def started(checkpoint: str, size: int) -> ModelProcess:
    """The harness's side, loaded."""
    engine = EngineRef("faster_whisper")
    options = {**engine.adapter().options, **OPTIONS, "batch_size": size}
    process = ModelProcess(engine, LoadSpec(checkpoint, options=options), time_limit=600.0)
    process.load()
    return process


def heard(process: ModelProcess, group: Sequence[Audio]) -> list[str]:
    """The texts of a batch."""
    return [transcript.text for transcript in process.transcribe_batch(group).result]


def all_of(process: ModelProcess, groups: Sequence[Sequence[Audio]]) -> None:
    """Every batch, one after the other."""
    for group in groups:
        process.transcribe_batch(group)


class Library:
    """faster-whisper as its users call it."""

    def __init__(self, checkpoint: str, size: int) -> None:
        from faster_whisper import BatchedInferencePipeline, WhisperModel

        model = WhisperModel(checkpoint, device="cpu", compute_type="float32", cpu_threads=1)
        self._pipeline = BatchedInferencePipeline(model)
        # CTranslate2 counts the prompt of four tokens, and halves: 60 new tokens.
        self._how = {**OPTIONS, "max_new_tokens": 116, "beam_size": 1, "batch_size": size}

    def utterances(self, audios: Sequence[Audio]) -> list[str]:
        """The text of each, of one call over all of them."""
        ends = list(accumulate(len(audio.samples) for audio in audios))
        starts = [0, *ends[:-1]]
        clips = [
            {"start": (a + 0.5) / SAMPLE_RATE, "end": (b + 0.5) / SAMPLE_RATE}
            for a, b in zip(starts, ends, strict=True)
        ]
        texts = [""] * len(audios)
        place = {round(a / SAMPLE_RATE * 100): n for n, a in enumerate(starts)}
        for segment in self._heard(np.concatenate([a.samples for a in audios]), clips):
            nearest = min(place, key=lambda at: abs(at - segment.seek))
            texts[place[nearest]] += segment.text
        return [text.strip() for text in texts]

    def windows(self, audio: Audio) -> str:
        """The text of long audio, cut every 30 s."""
        starts = np.arange(0, audio.seconds, 30)
        clips = [{"start": s, "end": min(s + 30, audio.seconds)} for s in starts.tolist()]
        return "".join(segment.text for segment in self._heard(audio.samples, clips))

    def _heard(self, samples: Any, clips: list[dict[str, float]]) -> list[Any]:
        segments, _ = self._pipeline.transcribe(
            samples, vad_filter=False, clip_timestamps=clips, **self._how
        )
        return list(segments)


if __name__ == "__main__":
    main()
