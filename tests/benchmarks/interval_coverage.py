"""How often the 95 % intervals of `evals.measures.statistics.intervals` hold the truth, beside other methods.

    uv run python tests/benchmarks/interval_coverage.py [--corpora N] [--only KIND] [--seed N]

Draws corpora of each kind with the truth known and counts the intervals that hold it, those that
are too low (the model is worse than they say) and those that are too high, with the mean width in
parts of the truth. `korn-graubard` is Clopper and Pearson's interval at the effective sample size
(Korn and Graubard 1998), the design effect shrunk towards 1 + 0.4 (words - 1) and never under 1;
`logit-t` is Student's t on the scale of logits; `before` is the bootstrap-t of 948ee4c, whose
figures are in docs/statistics.md. Columns: held, too low, too high, width.
"""

from __future__ import annotations

import argparse
import math
import sys
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from evals.measures.statistics.gamma_sums import chance_positive
from evals.measures.statistics.intervals import Floats, ratio_interval, units
from evals.measures.statistics.student_t import student_quantile
from tests.benchmarks.bootstrap_rates import ratio_interval as bootstrap_interval
from tests.benchmarks.simulated_corpora import Regime, Rng, beta, by_speaker, corpus, errors

CORPORA = 400
TARGET = (0.93, 0.97)
_SEED = 4
_WORDS = 10.0

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Drawn:
    """errors, words: shape (utterances,). speaker: the number of each utterance's, or None."""

    errors: Floats
    words: Floats
    speaker: list[int] | None = None


Draw = Callable[[Rng], Drawn]


def independent(wer: float, utterances: int) -> Draw:
    def draw(rng: Rng) -> Drawn:
        drawn = corpus(Regime(wer, utterances), rng)
        return Drawn(errors(drawn, rng), drawn.words)

    return draw


def spoken(wer: float, speakers: int, alike: float) -> Draw:
    def draw(rng: Rng) -> Drawn:
        drawn = corpus(by_speaker(wer, speakers, alike), rng)
        assert drawn.speaker is not None
        return Drawn(errors(drawn, rng), drawn.words, drawn.speaker.tolist())

    return draw


def same_word(share: float, utterances: int, speakers: int | None = None) -> Draw:
    """One word of ten, nearly always the same: less spread than independent words have."""

    def draw(rng: Rng) -> Drawn:
        wrong = (rng.random(utterances) < share).astype(float)
        whose = None if speakers is None else [i % speakers for i in range(utterances)]
        return Drawn(wrong, np.full(utterances, _WORDS), whose)

    return draw


def bursts(wer: float, utterances: int) -> Draw:
    """An utterance is right, or wrong in every word."""

    def draw(rng: Rng) -> Drawn:
        words = np.asarray(1 + rng.poisson(rng.gamma(2.0, (_WORDS - 1) / 2, utterances)), float)
        return Drawn(np.where(rng.random(utterances) < wer, words, 0.0), words)

    return draw


def loops(share: float, utterances: int) -> Draw:
    """A WER of 3 %, and 50 to 249 words more in some utterances."""

    def draw(rng: Rng) -> Drawn:
        drawn = corpus(Regime(0.03, utterances), rng)
        looping = rng.random(utterances) < share
        return Drawn(errors(drawn, rng) + looping * rng.integers(50, 250, utterances), drawn.words)

    return draw


def unequal(wer: float, utterances: int) -> Draw:
    """Log-normal lengths: the longest of 200 has as many words as the 60 shortest."""

    def draw(rng: Rng) -> Drawn:
        words = np.maximum(1.0, np.round(rng.lognormal(2, 1.2, utterances))).astype(float)
        rates = beta(rng, np.full(utterances, wer), 0.2)
        return Drawn(rng.binomial(words.astype(int), rates).astype(float), words)

    return draw


def sentences(share: float, utterances: int) -> Draw:
    def draw(rng: Rng) -> Drawn:
        return Drawn((rng.random(utterances) < share).astype(float), np.ones(utterances))

    return draw


#: Kind, then what it is, to how it is drawn and the truth.
KINDS: Mapping[str, Mapping[str, tuple[Draw, float]]] = {
    "independent": {
        f"WER {wer:.0%}, {n:,} utterances": (independent(wer, n), wer)
        for wer in (0.02, 0.05, 0.10, 0.20)
        for n in (50, 200, 1_000)
    },
    "rare": {
        f"{expected:g} errors expected, {n:,} utterances": (
            independent(expected / (n * _WORDS), n),
            expected / (n * _WORDS),
        )
        for expected in (0.5, 1, 2, 5)
        for n in (50, 200, 1_000)
    },
    "speakers": {
        f"WER {wer:.0%}, correlation {alike:g}, {n} speakers": (spoken(wer, n, alike), wer)
        for alike in (0.01, 0.05, 0.10)
        for wer in (0.02, 0.05, 0.20)
        for n in (5, 10, 20, 50, 100)
    },
    "same word": {
        f"one word of ten in {share:.0%}, {n} utterances": (same_word(share, n), share / 10)
        for share in (0.5, 0.9, 0.99)
        for n in (20, 100)
    }
    | {f"the same in 90%, {n} speakers": (same_word(0.9, 16 * n, n), 0.09) for n in (5, 12, 30)},
    "bursts": {
        f"{wer:.0%} of utterances lost, {n:,} utterances": (bursts(wer, n), wer)
        for wer in (0.01, 0.05, 0.10)
        for n in (50, 200, 1_000)
    },
    "loops": {
        f"{share:.0%} of utterances loop, {n:,} utterances": (
            loops(share, n),
            0.03 + share * 149.5 / _WORDS,
        )
        for share, n in ((0.01, 100), (0.01, 300), (0.01, 1_000), (0.10, 100))
    },
    "unequal": {
        f"WER {wer:.0%}, {n} utterances": (unequal(wer, n), wer)
        for wer in (0.02, 0.05, 0.10, 0.20)
        for n in (20, 50, 200)
    },
    "sentences": {
        f"{share:.0%} wrong, {n} utterances": (sentences(share, n), share)
        for share in (0.02, 0.10, 0.30, 0.80)
        for n in (30, 200)
    },
}


def ours(drawn: Drawn) -> Interval:
    found = ratio_interval(drawn.errors, drawn.words, drawn.speaker)
    assert found is not None
    return found


def korn_graubard(drawn: Drawn) -> Interval:
    """Clopper and Pearson's ends for words that count as much as independent ones."""
    top, bottom = units(drawn.errors, drawn.words, clusters=drawn.speaker)
    n, total = len(top), float(bottom.sum())
    wrong = min(float(top.sum()), total)
    rate = wrong / total
    prior, weight = 1 + 0.4 * (total / len(drawn.words) - 1), 5.0
    effect = prior
    if 0 < rate < 1:
        variance = n / (n - 1) * float(((top - rate * bottom) ** 2).sum()) / total**2
        seen = float(np.count_nonzero(top))
        observed = variance * total / (rate * (1 - rate))
        effect = (prior * weight + observed * seen) / (weight + seen)
    ratio = student_quantile(0.975, min(n - 1, 1_000)) / 1.959964
    size = total / (max(1.0, effect) * ratio**2)
    return _clopper_pearson(rate * size, size)


def _clopper_pearson(k: float, n: float) -> Interval:
    def end(a: float, b: float, level: float) -> float:
        low, high = 0.0, 1.0
        for _ in range(50):
            middle = (low + high) / 2
            chance = chance_positive(np.array([1 - middle, -middle]), np.array([a, b]))
            low, high = (middle, high) if chance > level else (low, middle)
        return high

    lower = end(k, n - k + 1, 0.975) if k > 0 else 0.0
    return lower, end(k + 1, n - k, 0.025) if k < n else 1.0


def logit_t(drawn: Drawn) -> Interval:
    """Student's t on the scale of logits; the rule of three where nothing, or all, is wrong."""
    top, bottom = units(drawn.errors, drawn.words, clusters=drawn.speaker)
    n, total = len(top), float(bottom.sum())
    rate = float(top.sum()) / total
    if not 0 < rate < 1:
        return (0.0, 3.69 / n) if rate <= 0 else (1 - 3.69 / n, max(1.0, 2 * rate))
    error = math.sqrt(n / (n - 1) * float(((top - rate * bottom) ** 2).sum())) / total
    half = student_quantile(0.975, min(n - 1, 1_000)) * error / (rate * (1 - rate))
    centre = math.log(rate / (1 - rate))
    low, high = (1 / (1 + math.exp(-min(500.0, x))) for x in (centre - half, centre + half))
    return low, high


def before(drawn: Drawn) -> Interval:
    found = bootstrap_interval(drawn.errors, drawn.words, drawn.speaker, resamples=1_000)
    assert found is not None
    return found


METHODS: Mapping[str, Callable[[Drawn], Interval]] = {
    "ours": ours,
    "before": before,
    "korn-graubard": korn_graubard,
    "logit-t": logit_t,
}


def main() -> None:
    """Print a row for each regime."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=int, default=CORPORA)
    parser.add_argument("--only", choices=list(KINDS))
    parser.add_argument("--seed", type=int, default=_SEED)
    arguments = parser.parse_args()
    n = arguments.corpora
    error = math.sqrt(0.95 * 0.05 / n)
    print(f"{n:,} corpora of each kind; one standard error of 95 % is {error:.1%}")
    for kind, regimes in KINDS.items():
        if arguments.only not in (None, kind):
            continue
        print(f"\n{kind:46} | " + " | ".join(f"{name:^27}" for name in METHODS))
        for name, (draw, truth) in regimes.items():
            cells = []
            for method in METHODS.values():
                # The same corpora for each method.
                rng = np.random.default_rng([arguments.seed, zlib.crc32(name.encode())])
                ends = np.array([method(draw(rng)) for _ in range(n)])
                low, high = ends.T
                held = float(np.mean((low <= truth) & (truth <= high)))
                mark = " " if TARGET[0] <= held <= TARGET[1] else "*"
                cells.append(
                    f"{held:6.1%}{mark} {np.mean(high < truth):5.1%} {np.mean(low > truth):5.1%}"
                    f" {float(np.mean(high - low)) / truth:6.2f}"
                )
            print(f"{name:46} | " + " | ".join(cells), flush=True)


if __name__ == "__main__":
    main()
