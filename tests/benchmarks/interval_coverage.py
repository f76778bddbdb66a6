"""How often the 95 % intervals of `evals.intervals` hold the truth.

    uv run python tests/benchmarks/interval_coverage.py [--corpora N] [--resamples N] [--seed N]

Draws 1,000 corpora of each kind, with the truth known (`simulated_corpora.py`), and
counts the intervals that hold it, those that are too low (the model is worse than they
say) and those that are too high. `proportion_interval` needs no draws: how often it
holds the truth is a sum over the binomial distribution.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from evals.intervals import proportion_interval, ratio_interval
from evals.paired_interval import difference_interval
from tests.benchmarks.simulated_corpora import Regime, Rng, by_speaker, corpus, errors, pair

CORPORA = 1_000
#: A fifth of what is drawn for a scorecard; eight shares tried with all changed by < 1 point.
RESAMPLES = 2_000
TARGET = (0.93, 0.97)
WERS = (0.02, 0.05, 0.10, 0.20)
UTTERANCES = (50, 200, 1_000)
SPEAKERS = (10, 20, 30, 50)
ALIKE = (0.01, 0.05, 0.10)
RISES = (0.0, 0.02)
_SEED = 4

Interval = tuple[float, float] | None


class Tally:
    """How many intervals hold the truth, and how many miss it on either side."""

    def __init__(self, intervals: Iterable[Interval], truth: float) -> None:
        self.inside = self.too_low = self.too_high = self.n = 0
        for interval in intervals:
            self.n += 1
            if interval is None:
                raise SystemExit("no interval where there should be one")
            low, high = interval
            self.too_low += high < truth
            self.too_high += low > truth
            self.inside += low <= truth <= high

    def line(self, name: str) -> str:
        share = self.inside / self.n
        mark = "" if TARGET[0] <= share <= TARGET[1] else "  outside"
        return (
            f"{name} | {share:6.1%} | {self.too_low / self.n:7.1%} | "
            f"{self.too_high / self.n:8.1%}{mark}"
        )


def rates(regime: Regime, n: int, rng: Rng, resamples: int) -> Iterable[Interval]:
    """Intervals of the WER of n corpora."""
    for _ in range(n):
        drawn = corpus(regime, rng)
        clusters = None if drawn.speaker is None else drawn.speaker.tolist()
        yield ratio_interval(errors(drawn, rng), drawn.words, clusters, resamples=resamples)


def differences(regime: Regime, rise: float, n: int, rng: Rng) -> Iterable[Interval]:
    """Intervals of the WER of one model minus that of another, on n corpora."""
    for _ in range(n):
        drawn = corpus(regime, rng)
        before, after = pair(drawn, regime, rise, rng)
        clusters = None if drawn.speaker is None else drawn.speaker.tolist()
        yield difference_interval(after - before, drawn.words, clusters, least=1.0)


def coverage_of_proportion(p: float, n: int) -> tuple[float, float, float]:
    """Chances that the interval of a binomial count holds p, is too low, is too high."""
    held = too_low = too_high = 0.0
    for k in range(n + 1):
        ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        chance = math.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p))
        low, high = proportion_interval(k, n) or (math.nan, math.nan)
        held += chance * (low <= p <= high)
        too_low += chance * (high < p)
        too_high += chance * (low > p)
    return held, too_low, too_high


def table(title: str, regimes: Sequence[Regime], of: Callable[[Regime], Tally]) -> None:
    print(f"\n{title}\n{'WER':>4}   {'corpus':<31} | inside | too low | too high")
    for regime in regimes:
        print(of(regime).line(f"{regime.wer:4.0%}   {regime.name:<31}"), flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=int, default=CORPORA)
    parser.add_argument("--resamples", type=int, default=RESAMPLES)
    parser.add_argument("--seed", type=int, default=_SEED)
    arguments = parser.parse_args()
    n, resamples = arguments.corpora, arguments.resamples
    independent = [Regime(wer, size) for wer in WERS for size in UTTERANCES]
    clustered = [
        by_speaker(wer, count, alike) for alike in ALIKE for wer in WERS for count in SPEAKERS
    ]
    error = math.sqrt(0.95 * 0.05 / n)
    print(
        f"{n:,} corpora of each kind, {resamples:,} resamples; one standard error of 95 % is "
        f"{error:.1%}; outside: of {TARGET[0]:.0%} to {TARGET[1]:.0%}"
    )

    def rng(regime: Regime, more: int) -> Rng:
        key = [arguments.seed, round(1e4 * regime.wer), regime.utterances, regime.speakers or 0]
        return np.random.default_rng([*key, round(1e4 * regime.alike), more])

    def of_rate(regime: Regime) -> Tally:
        return Tally(rates(regime, n, rng(regime, 0), resamples), regime.wer)

    table("WER, independent utterances", independent, of_rate)
    table("WER, clustered by speaker", clustered, of_rate)
    for rise in RISES:

        def of_pair(regime: Regime, rise: float = rise) -> Tally:
            return Tally(differences(regime, rise, n, rng(regime, 1)), rise)

        few = [r for r in independent + clustered if r.wer in (0.05, 0.10)]
        table(f"paired difference, truly {rise:.0%}", few, of_pair)
    print("\nproportions, exact")
    for p in (0.5, 0.9, 0.95, 0.99):
        for size in UTTERANCES:
            held, low, high = coverage_of_proportion(p, size)
            print(
                f"{p:4.0%}   of {size:>5} utterances           | {held:6.1%} | {low:7.1%} | {high:8.1%}"
            )


if __name__ == "__main__":
    main()
