"""Pairs of models whose true difference is known, beyond those of `simulated_corpora`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.simulated_corpora import (
    MEAN_WORDS,
    WITHIN_UTTERANCE,
    Corpus,
    Floats,
    Regime,
    Rng,
    beta,
    pair,
)

Kind = Literal["usual", "rare", "loops", "lost", "opposed"]
#: Share of the utterances in which nearly equal models differ at all.
RARE = 0.02
#: Share of the utterances in which a model loops, and of those that it loses whole.
LOOPS = 0.005
LOST = 0.01
#: How much more one of two models that are equal on average mishears of each speaker.
OPPOSED = 0.10


@dataclass(frozen=True, slots=True)
class Pairs:
    """What pairs are drawn from.

    utterances: on average, where there are speakers. alike: correlation of two words of a speaker.
    lopsided: one speaker has as many utterances as all others; else sizes are geometric.
    """

    wer: float
    utterances: int
    speakers: int | None = None
    alike: float = 0.05
    kind: Kind = "usual"
    lopsided: bool = False

    @property
    def name(self) -> str:
        who = "" if self.speakers is None else f", {self.speakers} speakers"
        what = "" if self.kind == "usual" else f", {self.kind}"
        return f"{self.wer:.0%}, {self.utterances:,}{who}{', lopsided' * self.lopsided}{what}"


def drawn(regime: Pairs, rise: float, rng: Rng) -> tuple[Floats, Floats, NDArray[np.int64] | None]:
    """Changes, words and speakers, shape (utterances,); the truth is `rise`."""
    corpus = _corpus(regime, rng)
    n = len(corpus.words)
    before, after = pair(
        corpus, Regime(regime.wer, n, regime.speakers, regime.alike), rise, rng
    )  # fmt: skip
    words = corpus.words
    if regime.kind == "rare":
        after = np.where(rng.random(n) < RARE, after, before)
    elif regime.kind == "loops":
        for side in (before, after):
            side += (rng.random(n) < LOOPS) * rng.integers(20, 400, n)
    elif regime.kind == "lost":
        for side in (before, after):
            np.copyto(side, words, where=_runs(n, LOST, rng, corpus.speaker is not None))
    elif regime.kind == "opposed":
        assert corpus.speaker is not None
        worse = rng.integers(2, size=regime.speakers)[corpus.speaker]
        for number, side in enumerate((before, after)):
            right = (words - np.minimum(side, words)).astype(int)
            side += np.where(worse == number, rng.binomial(right, OPPOSED), 0)
    return after - before, words, corpus.speaker


def _runs(n: int, share: float, rng: Rng, together: bool) -> NDArray[np.bool_]:
    """Which utterances are lost: single ones, or five in a row of which most are one speaker's."""
    if not together:
        return rng.random(n) < share
    starts = rng.random(n) < share / 5
    return np.convolve(starts, np.ones(5))[:n] > 0


def _corpus(regime: Pairs, rng: Rng) -> Corpus:
    n, speaker, rates = regime.utterances, None, np.array([regime.wer])
    if (count := regime.speakers) is not None:
        mean = n / count
        if regime.lopsided:
            each = np.full(count, max(1, round(n / 2 / (count - 1))))
            each[0] = n // 2
        else:
            each = 1 + rng.geometric(1 / max(mean - 1, 1), count)
        speaker = np.repeat(np.arange(count), each)
        n, rates = len(speaker), beta(rng, np.full(count, regime.wer), regime.alike)
    words = 1 + rng.poisson(rng.gamma(2.0, (MEAN_WORDS - 1) / 2, n))
    mean_rate = np.full(n, rates[0]) if speaker is None else rates[speaker]
    return Corpus(words.astype(float), beta(rng, mean_rate, WITHIN_UTTERANCE), speaker, rates)
