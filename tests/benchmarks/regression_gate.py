"""How often the regression gate fails a model that is as good, and one that is worse.

    uv run python tests/benchmarks/regression_gate.py [--only alarms|power|gate|slices] [--pairs N]

Runs are made up (`simulated_pairs.py`), as counts of edits. `alarms` and `power` hold the
candidates of `paired_candidates.py` side by side: how often the whole 95 % interval of the change
is above 0 for models with equal true error rates whose outputs differ, and for one that is truly
worse, and how far the one taken is behind the best that is valid. `gate` is the real gate: `evals.gate.paired_change.changes`, the margins of thresholds.yaml,
`Evaluation.check`. `slices` are corpora in which every part is exactly as bad as its limit allows.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

import evals.tasks  # noqa: F401  # register themselves, so that thresholds.yaml may name them
from evals.gate import thresholds as thresholds_file
from evals.gate.case import Case
from evals.gate.evaluation import Evaluation, GateBroken
from evals.gate.paired_change import changes
from evals.gate.verdict import decide
from evals.measures.text.alignment import Aligned, AlignedTexts
from evals.measures.text.error_rate import Counts
from evals.measures.text.slices import Part, Slices
from evals.records.measurement import Figure, Limit
from evals.records.predictions import Prediction
from tests.benchmarks.paired_candidates import CANDIDATES, EARLIER, TAKEN
from tests.benchmarks.simulated_corpora import (
    Corpus,
    Floats,
    Regime,
    Rng,
    by_speaker,
    corpus,
    errors,
    pair,
)
from tests.benchmarks.simulated_pairs import Pairs, drawn

PAIRS = 1_000
TARGET = 0.05
#: How far the candidate that is taken may be behind the best valid one.
MOST_BEHIND = 0.02
#: Rows in which it seems to be behind by more than half of that are drawn anew with so many more.
_MORE = 10
#: Those with at most TARGET false alarms in each row of `alarms`, where that is not run before.
VALID: Collection[str] = ("speaker t", "flips", EARLIER, TAKEN)
WERS = (0.05, 0.10)
ALIKE = 0.05
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
    run = AlignedTexts(predictions, "none", (), (), (), ())
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
    evaluation = Evaluation(
        case, _THRESHOLDS, "tier", emit=lambda measurement: None, margins=margins
    )
    evaluation.record(figures)
    try:
        evaluation.check()
        broken = False
    except GateBroken:
        broken = True
    return any(
        m.metric == "wer_change" and m.verdict == "fail" for m in evaluation.recorded
    ), broken


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


def gate(regimes: Sequence[Regime], n: int, seed: int) -> None:
    shipped = _THRESHOLDS.margins("asr")
    none = {name: Limit(limit.bound, 0.0, limit.source) for name, limit in shipped.items()}
    print(f"\nfalse alarms of the gate, {n:,} pairs of equal models (target: at most {TARGET:.0%})")
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


#: Utterances and speakers of the corpora, for each WER and rise.
CORPORA = (
    *((size, None) for size in (100, 500, 2_000)),
    *((size, 5) for size in (100, 500, 2_000)),
    *((size, 20) for size in (500, 2_000)),
    (2_000, 100),
)
ALARMS = (
    *(Pairs(wer, size) for wer in (0.02, 0.10) for size in (100, 500)),
    *(Pairs(0.05, 500, count, alike) for alike in (0.01, 0.1) for count in (5, 10, 20)),
    Pairs(0.05, 100, 5),
    Pairs(0.05, 2_000, 100),
    *(Pairs(0.05, 500, count, lopsided=True) for count in (5, 20)),
    *(Pairs(0.05, 500, None, kind=kind) for kind in ("rare", "loops", "lost")),
    *(Pairs(0.05, 500, c, kind=k) for k in ("rare", "loops", "lost", "opposed") for c in (5, 20)),
)


def shown(regime: Pairs, rise: float, n: int, seed: int) -> tuple[Floats, Floats]:
    """Shape (candidates,) each: shares of n pairs shown to be worse, and shown to be better."""
    rng = np.random.default_rng([seed, *regime.name.encode(), round(1e4 * regime.alike)])
    worse, better = np.zeros(len(CANDIDATES)), np.zeros(len(CANDIDATES))
    for _ in range(n):
        made = drawn(regime, rise, rng)
        ends = np.array([of(*made) for of in CANDIDATES.values()])
        worse += ends[:, 0] > 0
        better += ends[:, 1] < 0
    return worse / n, better / n


def alarms(n: int, seed: int) -> Collection[str]:
    """Print the table; returns the candidates that are valid in each of its rows."""
    print(
        f"\nfalse alarms: of {n:,} pairs of equal models, shown to be worse / to differ "
        f"(target: at most {TARGET:.0%} worse)\n{'WER, utterances':44} | "
        + " | ".join(f"{name:>11}" for name in CANDIDATES)
    )
    most = np.zeros(len(CANDIDATES))
    for regime in ALARMS:
        worse, better = shown(regime, 0.0, n, seed)
        most = np.maximum(most, worse)
        cells = (f"{w:4.1%}/{w + b:5.1%}" for w, b in zip(worse, better, strict=True))
        name = f"{regime.name}, {regime.alike:g}" if regime.speakers else regime.name
        print(f"{name:44} | " + " | ".join(f"{cell:>11}" for cell in cells), flush=True)
    print(f"{'most, shown to be worse':44} | " + " | ".join(f"{m:>11.1%}" for m in most))
    valid = [name for name, share in zip(CANDIDATES, most, strict=True) if share <= TARGET]
    print(f"valid: {', '.join(valid)}")
    return valid


def behind(worse: Floats, valid: Collection[str]) -> float:
    """By how much less often the one taken shows a worse model than the best valid candidate."""
    shares: dict[str, float] = dict(zip(CANDIDATES, worse.tolist(), strict=True))
    return max(shares[name] for name in valid) - shares[TAKEN]


def power(n: int, seed: int, valid: Collection[str]) -> None:
    """Print the table, and how far the one taken is behind at most."""
    names = " | ".join(f"{name:>9}" for name in CANDIDATES)
    print(
        f"\npower: share of {n:,} worse models that are shown to be worse, and by how many points "
        f"the one taken is behind\n{'WER, utterances':44} | {names} | gap"
    )
    gaps: dict[tuple[Pairs, float], float] = {}
    for wer in (0.02, 0.05, 0.10):
        for size, count in CORPORA:
            for rise in (0.005, 0.01, 0.02):
                regime = Pairs(wer, size, count)
                gaps[regime, rise] = _power_row(regime, rise, n, seed, valid)
    near = [key for key, gap in gaps.items() if gap > MOST_BEHIND / 2]
    print(f"\nthe rows with a gap of more than {MOST_BEHIND / 2:.0%}, {_MORE * n:,} pairs")
    for regime, rise in near:
        gaps[regime, rise] = _power_row(regime, rise, _MORE * n, seed, valid)
    (regime, rise), most = max(gaps.items(), key=lambda item: item[1])
    print(
        f"largest gap between the one taken and the best valid candidate ({', '.join(valid)}): "
        f"{100 * most:.1f} points, at {regime.name}, +{rise:.1%}, of "
        f"{_MORE * n if (regime, rise) in near else n:,} pairs "
        f"(target: at most {100 * MOST_BEHIND:.0f})"
    )


def _power_row(regime: Pairs, rise: float, n: int, seed: int, valid: Collection[str]) -> float:
    worse, _ = shown(regime, rise, n, seed)
    cells = " | ".join(f"{share:>9.1%}" for share in worse)
    gap = behind(worse, valid)
    print(f"{regime.name + f', +{rise:.1%}':44} | {cells} | {100 * gap:4.1f}", flush=True)
    return gap


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
    parser.add_argument("--sliced", type=int, default=SLICED, help="corpora with parts")
    parser.add_argument("--seed", type=int, default=_SEED)
    parser.add_argument("--only", choices=["alarms", "power", "gate", "slices"])
    arguments = parser.parse_args()
    n, seed = arguments.pairs, arguments.seed
    print(
        f"one standard error of 5 % is {math.sqrt(TARGET * (1 - TARGET) / n):.1%}, "
        f"over corpora with parts {math.sqrt(TARGET * (1 - TARGET) / arguments.sliced):.1%}, "
        f"of a power of 50 % {0.5 / math.sqrt(n):.1%}"
    )
    valid = VALID
    if arguments.only in (None, "alarms"):
        valid = alarms(n, seed)
    if arguments.only in (None, "gate"):
        independent = [Regime(wer, size) for wer in WERS for size in (50, 200, 800)]
        clustered = [by_speaker(wer, count, ALIKE) for wer in WERS for count in (10, 20, 50)]
        gate(independent + clustered, n, seed)
    if arguments.only in (None, "power"):
        power(n, seed, valid)
    if arguments.only in (None, "slices"):
        slices(arguments.sliced, seed)


if __name__ == "__main__":
    main()
