"""A session of real recognizers beside bare loops over their libraries: texts, WER and time.

    uv run --all-extras python tests/benchmarks/bare_loops.py [--corpus MANIFEST]... [--model NAME]...

Texts: those that a session stored, and those of the loop on the same samples with the same
options, after the clip that a session warms up with. WER: the session's, and jiwer's on the same normalized texts, of the loop. Time: each
utterance through the loop and through the model's process in turn, so that both see the same
machine, with the loop's thread pools as the libraries make them ("as it is") and held to the
session's threads by OMP_NUM_THREADS and its like, which a model's process sets. Time that was
spent waiting for a CPU counts in neither. Without --corpus: the speech in moonshine-voice's wheel.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import jiwer

sys.path.insert(0, str(Path(__file__).parents[2]))

from adapters.catalog.catalog import Catalog
from adapters.catalog.model import Model
from adapters.interface import Audio
from evals.measures.text.normalizers import normalizer
from evals.models.corpus_synthesizer import synthesizer
from evals.models.loaded import Settings, load_spec, running
from fixtures.audio.read import SAMPLE_RATE
from fixtures.builtin.synthesize import CLIP, builtin_corpus
from fixtures.corpora.corpus import read_manifest
from tests.support import real_speech
from tests.support.bare_loops import LOOPS
from tests.support.sessions import card_of, shared_arguments, write_toys

NORMALIZER = "whisper-english"
_POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def recognizers(patterns: list[str]) -> list[Model]:
    """The models of the catalogue that there is a loop for."""
    chosen = Catalog().select(patterns)
    return [model for model in chosen if model.engine.name in LOOPS and "asr" in model.tasks]


def loop(model: Model, manifest: Path, *, beside_worker: bool) -> dict[str, Any]:
    """The loop's texts by utterance, and seconds at work of it and of the model's process.

    beside_worker: ask the process too, before the loop for every second utterance.
    """
    spec = load_spec(model, "cpu", Settings())
    hear = LOOPS[model.engine.name](spec)
    corpus = read_manifest(manifest)
    texts: dict[str, str] = {}
    own: list[float] = []
    theirs: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        if not beside_worker:
            # A session's first call. Moonshine's detector and CTranslate2's generator go on with
            # what was before.
            (clip,) = builtin_corpus(CLIP, synthesizer)
            hear(clip.load())
            return {"texts": {u.id: hear(u.load()) for u in corpus}}
        with running(model, Settings(), Path(folder, "worker.log")) as worker:
            sounds = [(u.id, u.load()) for u in corpus]
            first = Audio(sounds[0][1], SAMPLE_RATE)
            start = time.process_time()
            hear(first.samples)
            cold = time.process_time() - start
            worker.warm_up("asr", partial(worker.transcribe, first))

            def ours(name: str, samples: Any) -> None:
                start = time.process_time()
                texts[name] = hear(samples)
                own.append(time.process_time() - start)

            for number, (name, samples) in enumerate(sounds):
                if number % 2:
                    ours(name, samples)
                timed = worker.transcribe(Audio(samples, SAMPLE_RATE))
                theirs.append(timed.seconds - (timed.waited_seconds or 0.0))
                if not number % 2:
                    ours(name, samples)
    return {"texts": texts, "own": own, "theirs": theirs, "cold": cold}


def session(folder: Path, models: list[Model], manifest: Path) -> dict[str, dict[str, str]]:
    """Run one; the texts that it stored, by model and utterance."""
    write_toys(folder, {"unused": {}})
    command = [sys.executable, "-m", "pytest", *shared_arguments(folder, manifest)]
    command += ["-m", "asr and not latency", "--gate=off"]
    command += [f"--model={model.name}" for model in models]
    command += [f"--audio-root={manifest.parent}"]
    command += [f"--audio-root={real_speech.path_of(real_speech.BECKETT).parent}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    found = {}
    for model in models:
        made = [*(folder / "runs" / "latest" / model.name / "asr").glob("*.jsonl")]
        if not made:
            raise SystemExit(f"{model.name} was not run:\n{(done.stdout + done.stderr)[-3000:]}")
        rows = [json.loads(line) for line in made[0].read_text("utf-8").splitlines()]
        found[model.name] = {row["id"]: row["hypothesis"] for row in rows}
    return found


def jiwer_wer(manifest: Path, texts: dict[str, str]) -> float:
    """jiwer's WER of texts, both sides normalized as OpenAI does for English."""
    normalize = normalizer(NORMALIZER)
    pairs = [(normalize(u.text), normalize(texts[u.id])) for u in read_manifest(manifest)]
    references, hypotheses = map(list, zip(*pairs, strict=True))
    return float(jiwer.wer(references, hypotheses))


def _child(
    model: Model, manifest: Path, *, pools_held: bool, beside_worker: bool
) -> dict[str, Any]:
    """`loop` in a process of its own: what is sampled depends on what was sampled before."""
    environment = {name: value for name, value in os.environ.items() if name not in _POOLS}
    if pools_held:
        environment |= dict.fromkeys(_POOLS, "1")
    command = [sys.executable, __file__, "--loop", model.name, "--corpus", str(manifest)]
    command += ["--beside"] if beside_worker else []
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(models: list[Model], manifest: Path, folder: Path, *, timed: bool) -> None:
    """Print a line for each model."""
    stored = session(folder, models, manifest)
    card = card_of(folder)
    print(f"\n{manifest}\n{'':40}{'texts':>9}{'session':>9}{'jiwer':>8}  time: session / loop")
    for model in models:
        bare = _child(model, manifest, pools_held=False, beside_worker=False)
        same = sum(stored[model.name][name] == text for name, text in bare["texts"].items())
        rows = card["measurements"]
        (ours,) = (
            m["value"] for m in rows
            if (m["model"], m["metric"], m["normalizer"]) == (model.name, "wer_by_normalizer", NORMALIZER)
        )  # fmt: skip
        line = f"{model.name:40}{same:>4} / {len(bare['texts']):<4}{ours:>7.2%}"
        line += f"{jiwer_wer(manifest, bare['texts']):>8.2%}"
        if timed:
            bare = _child(model, manifest, pools_held=False, beside_worker=True)
            held = _child(model, manifest, pools_held=True, beside_worker=True)
            line += f"  {_ratio(bare):.3f} as it is, {_ratio(held):.3f} held;"
            line += f" with the cold call {_ratio(bare, cold=True):.3f}"
        print(line, flush=True)
        for name, text in bare["texts"].items():
            if stored[model.name][name] != text:
                print(f"    {name}: {stored[model.name][name]!r}, the loop: {text!r}")


def _ratio(found: dict[str, Any], *, cold: bool = False) -> float:
    own = sum(found["own"]) + (found["cold"] - found["own"][0] if cold else 0.0)
    return float(sum(found["theirs"]) / own)


def main() -> None:
    """The table for each corpus."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", action="append", type=Path)
    parser.add_argument("--model", action="append")
    parser.add_argument("--no-time", action="store_true", help="texts and WER alone")
    parser.add_argument("--loop", help=argparse.SUPPRESS)
    parser.add_argument("--beside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.loop:
        (model,) = recognizers([arguments.loop])
        print(json.dumps(loop(model, arguments.corpus[0], beside_worker=arguments.beside)))
        return
    models = recognizers(arguments.model or ["set:pretrained"])
    with tempfile.TemporaryDirectory() as scratch:
        corpora = arguments.corpus or [real_speech.manifest(Path(scratch, "wheel"))]
        for number, manifest in enumerate(corpora):
            folder = Path(scratch, str(number))
            folder.mkdir()
            compare(models, manifest.resolve(), folder, timed=not arguments.no_time)


if __name__ == "__main__":
    main()
