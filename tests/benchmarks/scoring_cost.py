"""What scoring costs on top of normalizing and aligning alone, and the memory that it takes.

    uv run python tests/benchmarks/scoring_cost.py [--utterances N] [--rounds N]

First the accuracy, `evals.tasks.asr.scores.accuracy` under `whisper-english`: normalizing, aligning
words and characters, 10,000 bootstrap resamples for each rate. The plain loop is
the package's normalizer and jiwer, one utterance after the other, for words and
characters too. Each in a process of its own, in turn; processor seconds, since another
process's load is not part of the cost. Of these only ratios are printed, and the peak of
resident memory, that of the process without any scoring told apart.

Then all that the task `asr` says of a model, from predictions that come one after the other and
are let go: processor time of an utterance, and by how much the peak of resident memory is above
that of scoring FEW utterances. These are short, most of them heard right.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from evals.measures.text.slices import slices
from evals.records.predictions import Prediction
from evals.tasks.asr.scores import accuracy, accuracy_of, details, speed_of
from evals.tasks.asr.utterance_table import tabulate

UTTERANCES = 100_000
WORDS_EACH = 10
TARGET_RATIO = 1.3
TARGET_BYTES = 2**30
FEW = 1_000
TARGET_GROWTH = 50 * 2**20
SHORT = range(5, 9)
WRONG = 0.05
SPEAKERS = 500
VOCABULARY = 30_000
_SEED = 4
#: Text that normalizers have work with, so that the plain loop is not flattered either.
_HARD = ["twenty", "three", "hundred", "don't", "we're", "Mr.", "$5.20", "colour", "first", "café"]


def predictions(n: int) -> list[Prediction]:
    """n utterances of 5 to 15 words, 10 on average, of which each may be heard wrong."""
    return list(utterances(n, range(WORDS_EACH - 5, WORDS_EACH + 6), 1.0))


def utterances(
    n: int, lengths: Sequence[int], wrong: float, seed: int = _SEED
) -> Iterator[Prediction]:
    """n utterances, each different, of SPEAKERS speakers; lengths: how many words they may have.

    Words are drawn by Zipf's law from a large vocabulary and of a share `wrong` of the
    utterances one in ten is heard wrong, so that a cache of texts saves no more here than on a
    real corpus of read sentences.
    """
    rng = random.Random(seed)
    letters, vowels = "bcdfghklmnprstvw", "aeiou"
    syllables = [c + v for c in letters for v in vowels]
    words = {
        "".join(rng.choices(syllables, k=rng.choice((1, 2, 2, 3, 4)))) for _ in range(VOCABULARY)
    }
    words_by_rank = [*_HARD, *sorted(words)]
    rng.shuffle(words_by_rank)
    weights = [1 / rank for rank in range(1, len(words_by_rank) + 1)]

    def heard(sentence: Sequence[str], others: Sequence[str]) -> str:
        result: list[str] = []
        for word, other in zip(sentence, others, strict=True):
            edit = rng.random()
            if edit < 0.06:
                result.append(other)
            elif edit < 0.08:
                result += [word, other]
            elif edit >= 0.10:
                result.append(word)
        return " ".join(result)

    for i in range(n):
        length = rng.choice(lengths)
        drawn = rng.choices(words_by_rank, weights, k=2 * length)
        sentence = drawn[:length]
        other = drawn[length:]
        yield Prediction(
            id=str(i),
            reference=_written(sentence),
            hypothesis=heard(sentence, other) if rng.random() < wrong else _written(sentence),
            audio_seconds=4.0,
            processing_seconds=0.1,
            speaker=f"speaker-{i % SPEAKERS}",
            category=f"category-{i % 20}",
        )


def _written(sentence: Sequence[str]) -> str:
    return " ".join(sentence).capitalize() + "."


def plain(rows: Sequence[Prediction]) -> Mapping[str, float]:
    """The corpus's WER and CER by a loop that does nothing but normalize and align."""
    import jiwer
    from whisper_normalizer.english import EnglishTextNormalizer

    normalize = EnglishTextNormalizer()
    errors, length = {"wer": 0, "cer": 0}, {"wer": 0, "cer": 0}
    for row in rows:
        reference, hypothesis = normalize(row.reference).strip(), normalize(row.hypothesis).strip()
        for name, aligned in (
            ("wer", jiwer.process_words(reference, hypothesis)),
            ("cer", jiwer.process_characters(reference, hypothesis)),
        ):
            errors[name] += aligned.substitutions + aligned.deletions + aligned.insertions
            length[name] += aligned.substitutions + aligned.deletions + aligned.hits
    return {name: errors[name] / length[name] for name in errors}


def scored(rows: Sequence[Prediction]) -> Mapping[str, float]:
    """The same by the harness, with everything else that it says of a corpus."""
    figures = accuracy(rows, "whisper-english")
    wer, cer = figures["wer"], figures["cer"]
    assert wer.value is not None
    assert cer.value is not None
    assert wer.ci is not None
    assert cer.ci is not None
    return {"wer": wer.value, "cer": cer.value}


def nothing(rows: Sequence[Prediction]) -> Mapping[str, float]:
    """What the predictions themselves weigh."""
    return {"utterances": float(len(rows))}


HOW: Mapping[str, Callable[[Sequence[Prediction]], Mapping[str, float]]] = {
    "nothing": nothing,
    "plain": plain,
    "scored": scored,
}


def everything(stream: Iterator[Prediction]) -> None:
    """All figures of the task `asr`, as `evals.test_asr.score` has them."""
    table = tabulate(stream, "whisper-english")
    accuracy_of(table)
    details(table)
    speed_of(table.timings)
    parts = slices(table, table.parts)
    parts.rates()
    parts.worst()
    table.confusions.most()


def unread(stream: Iterator[Prediction]) -> None:
    """What making the predictions up costs."""
    for _ in stream:
        pass


STREAMED: Mapping[str, Callable[[Iterator[Prediction]], None]] = {
    "everything": everything,
    "unread": unread,
}


def child(how: str, n: int) -> None:
    """Run one of them here; print its figures as JSON."""
    if how in STREAMED:
        start = time.process_time()
        STREAMED[how](utterances(n, SHORT, WRONG))
        print(json.dumps({"seconds": time.process_time() - start, "peak": _peak()}))
        return
    rows = predictions(n)
    words = sum(len(row.reference.split()) for row in rows)
    start = time.process_time()
    rates = HOW[how](rows)
    seconds = time.process_time() - start
    print(json.dumps({"seconds": seconds, "peak": _peak(), "words": words, "rates": rates}))


def _peak() -> int:
    """Bytes. A child inherits its parent's peak, which holds no predictions and is below its own."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def main() -> None:
    """Print a line per round, the median ratio, and the peak."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--utterances", type=int, default=UTTERANCES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", choices=[*HOW, *STREAMED], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.utterances)
        return
    n = arguments.utterances

    def run(how: str, n: int = n) -> dict[str, float]:
        command = [sys.executable, __file__, "--child", how, "--utterances", str(n)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return figures

    empty = run("nothing")
    print(f"{n:,} utterances, {empty['words']:,} words, predictions take {_mib(empty['peak'])}")
    ratios, peaks = [], []
    for number in range(1, arguments.rounds + 1):
        alone, whole = run("plain"), run("scored")
        if alone["rates"] != whole["rates"]:
            raise SystemExit(f"unequal rates: {alone['rates']} alone, {whole['rates']} scored")
        ratios.append(whole["seconds"] / alone["seconds"])
        peaks.append(whole["peak"])
        print(
            f"round {number}: scoring takes {ratios[-1]:.3f} times the plain loop, "
            f"peak {_mib(whole['peak'])} (plain loop {_mib(alone['peak'])})",
            flush=True,
        )
    ratio, peak = statistics.median(ratios), max(peaks)
    print(
        f"median ratio {ratio:.3f} (target {TARGET_RATIO}), "
        f"peak {_mib(peak)} (target {_mib(TARGET_BYTES)})"
    )
    few, whole, made = run("everything", FEW), run("everything"), run("unread")
    growth = whole["peak"] - few["peak"]
    print(
        f"all figures: {(whole['seconds'] - made['seconds']) / n * 1e6:.0f} us an utterance, peak "
        f"{_mib(few['peak'])} with {FEW:,} and {_mib(whole['peak'])} with {n:,}: "
        f"{_mib(growth)} more (target {_mib(TARGET_GROWTH)})"
    )
    raise SystemExit(ratio > TARGET_RATIO or peak >= TARGET_BYTES or growth >= TARGET_GROWTH)


def _mib(size: float) -> str:
    return f"{size / 2**20:,.0f} MiB"


if __name__ == "__main__":
    main()
