"""How often the regression gate fails a model that is as good, and one that is worse.

    uv run python tests/benchmarks/regression_gate.py [--only alarms|power|slices]

Runs are made up (`simulated_corpora.py`), as counts of edits; from there on the gate is the
real one: `evals.comparison.changes`, the margins of thresholds.yaml, `Evaluation.check`.
False alarms are pairs of models with equal true error rates whose outputs differ; power is
how often a model whose true WER is 2 points higher fails. The last table is of the gate on
slices: corpora in which every part is exactly as bad as its limit allows.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from evals import thresholds as thresholds_file
from evals.alignment import Aligned
from evals.cases import Case
from evals.comparison import changes
from evals.error_rate import Counts
from evals.evaluation import Evaluation, GateBroken
from evals.gate import decide
from evals.measurement import Figure, Limit
from evals.predictions import Prediction
from evals.slices import Part, Slices
from tests.benchmarks.simulated_corpora import (
    MEAN_UTTERANCES,
    Corpus,
    Floats,
    Regime,
    Rng,
    by_speaker,
    corpus,
    errors,
    pair,
)

PAIRS = 1_000
TARGET = 0.05
RISE = 0.02
WERS = (0.05, 0.10)
SIZES = (50, 100, 200, 400, 800, 1_600, 3_200)
ALIKE = 0.05
POWER_PAIRS = 200
SLICED = 300
LETTERS_PER_WORD = 5.5
#: How many parts a corpus has, and how many utterances each of them, in turn.
PARTS = (2, 10, 50)
PART_SIZES = (10, 20, 40, 100)
PART_SPEAKERS = 10
_SEED = 4
_THRESHOLDS = thresholds_file.load()


def aligned(corpus: Corpus, wrong: Floats, rng: Rng) -> Aligned:
    """A run with these word errors. Half of the letters of a wrong word are wrong."""
    speaker = corpus.speaker
    predictions = [
        Prediction(str(i), "", "", 4.0, 0.1, speaker=None if speaker is None else str(speaker[i]))
        for i in range(len(wrong))
    ]
    run = Aligned(predictions, "none", (), (), ())
    letters = (corpus.words * LETTERS_PER_WORD).astype(int)
    wrong_letters = rng.binomial((wrong * LETTERS_PER_WORD).astype(int), 0.5)
    # What `Aligned` would count in texts, had it any.
    run.__dict__["words"] = _counts(corpus.words.astype(int), wrong.astype(int))
    run.__dict__["characters"] = _counts(letters, wrong_letters)
    return run


def _counts(length: Counts, wrong: Counts) -> Counts:
    """Hits and substitutions alone."""
    nothing = np.zeros_like(wrong)
    return np.stack([length - wrong, wrong, nothing, nothing], axis=1)


def verdicts(figures: Mapping[str, Figure], margins: Mapping[str, Limit]) -> tuple[bool, bool]:
    """Whether the change of the WER fails, and whether the gate does by any of its metrics."""
    case = Case("made-up", "baseline", "asr", "made-up")
    gate = Evaluation(case, _THRESHOLDS, "tier", emit=lambda measurement: None, margins=margins)
    gate.record(figures)
    try:
        gate.check()
        broken = False
    except GateBroken:
        broken = True
    return any(m.metric == "wer_change" and m.verdict == "fail" for m in gate.recorded), broken


def failing(
    regime: Regime, rise: float, margins: Sequence[Mapping[str, Limit]], n: int, rng: Rng
) -> Floats:
    """Shape (margins, 2): shares of n pairs of runs that fail by their WER, and by any metric."""
    failed = np.zeros((len(margins), 2))
    for _ in range(n):
        drawn = corpus(regime, rng)
        before, after = (aligned(drawn, e, rng) for e in pair(drawn, regime, rise, rng))
        figures = changes(before, after)
        failed += [verdicts(figures, each) for each in margins]
    return failed / n


def false_alarms(regimes: Sequence[Regime], n: int, seed: int) -> None:
    shipped = _THRESHOLDS.margins("asr")
    none = {name: Limit(limit.bound, 0.0, limit.source) for name, limit in shipped.items()}
    print(f"\nfalse alarms of {n:,} pairs of equal models (target: at most {TARGET:.0%})")
    print(f"{'':38} | margin 0            | shipped margin")
    print(f"{' WER   corpus':38} | WER   | any metric  | WER   | any metric")
    for regime in regimes:
        shares = failing(regime, 0.0, [none, shipped], n, _rng(seed, regime)).ravel()
        mark = "  outside" if max(shares) > TARGET else ""
        print(
            f"{regime.wer:4.0%}   {regime.name:<31} | {shares[0]:5.1%} | {shares[1]:11.1%} | "
            f"{shares[2]:5.1%} | {shares[3]:10.1%}{mark}",
            flush=True,
        )


def power(n: int, seed: int) -> None:
    margins = _THRESHOLDS.margins("asr")
    margin = margins["wer_change"].value
    print(
        f"\npower: share of {n:,} models with a WER truly {RISE:.0%} higher that fail by their WER, "
        f"at the shipped margin of {margin:.1%}"
    )
    kinds = [(wer, clustered) for clustered in (False, True) for wer in WERS]
    names = [f"{wer:.0%}{', speakers' if clustered else ''}" for wer, clustered in kinds]
    print(f"{'utterances':>10} | " + " | ".join(f"{name:>14}" for name in names))
    for size in SIZES:
        shares = []
        for wer, clustered in kinds:
            regime = (
                by_speaker(wer, round(size / MEAN_UTTERANCES), ALIKE)
                if clustered
                else Regime(wer, size)
            )
            shares.append(float(failing(regime, RISE, [margins], n, _rng(seed, regime))[0, 0]))
        print(f"{size:>10,} | " + " | ".join(f"{share:>14.0%}" for share in shares), flush=True)


def sliced(wer: float, parts: int, clustered: bool, rng: Rng) -> Slices:
    """A corpus of independent parts, each of which has this WER in truth."""
    drawn = [
        corpus(
            by_speaker(wer, PART_SPEAKERS, ALIKE)
            if clustered
            else Regime(wer, PART_SIZES[i % len(PART_SIZES)]),
            rng,
        )
        for i in range(parts)
    ]
    edges = np.cumsum([0, *(len(d.words) for d in drawn)])
    speakers = None
    if clustered:
        speakers = [
            f"{i}-{number}"
            for i, d in enumerate(drawn)
            for number in (d.speaker if d.speaker is not None else ())
        ]
    return Slices(
        [Part("part", str(i), range(edges[i], edges[i + 1])) for i in range(parts)],
        np.concatenate([errors(d, rng) for d in drawn]),
        np.concatenate([d.words for d in drawn]),
        speakers,
    )


def slices(n: int, seed: int) -> None:
    print(
        f"\nfalse alarms of slices, {n:,} corpora of which every part is at the limit exactly "
        f"(target: at most {TARGET:.0%})\n"
        f"{' WER   parts':24} | {'any part called breaking':>24} | worst slice fails"
    )
    for clustered in (False, True):
        for wer in WERS:
            for parts in PARTS:
                rng = np.random.default_rng([seed, parts, round(1e4 * wer), clustered])
                called = failed = 0
                for _ in range(n):
                    made = sliced(wer, parts, clustered, rng)
                    worst = made.worst()
                    assert worst is not None
                    called += bool(made.breaking(wer))
                    failed += decide(worst[1], [Limit("max", wer, "made up")])[0] == "fail"
                kind = f"{wer:4.0%}   {parts:>2}{', speakers' if clustered else ''}"
                mark = "  outside" if max(called, failed) > TARGET * n else ""
                print(f"{kind:24} | {called / n:>24.1%} | {failed / n:>8.1%}{mark}", flush=True)


def _rng(seed: int, regime: Regime) -> Rng:
    key = [seed, round(1e4 * regime.wer), regime.utterances, regime.speakers or 0]
    return np.random.default_rng([*key, round(1e4 * regime.alike)])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--power-pairs", type=int, default=POWER_PAIRS)
    parser.add_argument("--sliced", type=int, default=SLICED, help="corpora with parts")
    parser.add_argument("--seed", type=int, default=_SEED)
    parser.add_argument("--only", choices=["alarms", "power", "slices"])
    arguments = parser.parse_args()
    n, seed = arguments.pairs, arguments.seed
    print(
        f"one standard error of 5 % is {math.sqrt(TARGET * (1 - TARGET) / n):.1%}, "
        f"over corpora with parts {math.sqrt(TARGET * (1 - TARGET) / arguments.sliced):.1%}, "
        f"of a power of 50 % {0.5 / math.sqrt(arguments.power_pairs):.0%}"
    )
    if arguments.only in (None, "alarms"):
        independent = [Regime(wer, size) for wer in WERS for size in (50, 200, 800)]
        clustered = [by_speaker(wer, count, ALIKE) for wer in WERS for count in (10, 20, 50)]
        false_alarms(independent + clustered, n, seed)
    if arguments.only in (None, "power"):
        power(arguments.power_pairs, seed)
    if arguments.only in (None, "slices"):
        slices(arguments.sliced, seed)


if __name__ == "__main__":
    main()
