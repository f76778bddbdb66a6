"""Corpora of made-up counts whose true error rate is known, for the benchmarks of the statistics.

The truth is that of the population that utterances and speakers are drawn from:
expected errors over expected words. That is what an interval drawn over them speaks of;
the rate on this corpus alone is known without any interval.

Rates are beta-distributed. With mean m and correlation r the parameters are m (1 - r) / r
and (1 - m) (1 - r) / r, and r is the correlation of two words that share the rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rng = np.random.Generator

#: Of two words of an utterance being wrong: at a WER of 5 % three utterances in four are faultless.
WITHIN_UTTERANCE = 0.2
#: Part of a model's rate that another model does not share: its own luck with a speaker.
OWN = 0.3
MEAN_WORDS = 10.0
MEAN_UTTERANCES = 16.0


@dataclass(frozen=True, slots=True)
class Regime:
    """What corpora are drawn from.

    utterances: how many, all independent; or on average, where there are speakers.
    speakers: None, or how many with 2 utterances or more each.
    alike: correlation of two words of a speaker being wrong.
    """

    wer: float
    utterances: int
    speakers: int | None = None
    alike: float = 0.0

    @property
    def name(self) -> str:
        if self.speakers is None:
            return f"{self.utterances:>5} utterances"
        return f"{self.speakers:>3} speakers, correlation {self.alike:g}"


def by_speaker(wer: float, speakers: int, alike: float) -> Regime:
    """Speakers with MEAN_UTTERANCES each on average."""
    return Regime(wer, round(speakers * MEAN_UTTERANCES), speakers, alike)


@dataclass(frozen=True, slots=True)
class Corpus:
    """words, difficulty: shape (utterances,), the rate at which words are heard wrong.

    speaker: the number of each utterance's, or None. rates: shape (speakers,), or the one.
    """

    words: Floats
    difficulty: Floats
    speaker: NDArray[np.int64] | None
    rates: Floats


def corpus(regime: Regime, rng: Rng) -> Corpus:
    """Lengths, speakers and how hard each utterance is."""
    n, speaker = regime.utterances, None
    rates = np.array([regime.wer])
    if regime.speakers is not None:
        # Geometric: some speakers gave ten times as much as others.
        each = 1 + rng.geometric(1 / (n / regime.speakers - 1), regime.speakers)
        speaker = np.repeat(np.arange(regime.speakers), each)
        n = len(speaker)
        rates = beta(rng, np.full(regime.speakers, regime.wer), regime.alike)
    # Gamma-distributed means: 1 word to about 40, MEAN_WORDS on average.
    words = 1 + rng.poisson(rng.gamma(2.0, (MEAN_WORDS - 1) / 2, n))
    return Corpus(
        words.astype(float),
        beta(rng, _each(rates, speaker, n), WITHIN_UTTERANCE),
        speaker,
        rates,
    )


def errors(corpus: Corpus, rng: Rng) -> Floats:
    """Word errors of a model, shape (utterances,)."""
    return np.asarray(rng.binomial(corpus.words.astype(int), corpus.difficulty), float)


def pair(corpus: Corpus, regime: Regime, rise: float, rng: Rng) -> tuple[Floats, Floats]:
    """Word errors of two models, shape (utterances,) each; the second's true rate is `rise` higher.

    What is hard is hard for both. The rest is each one's own luck with an utterance, or with
    a speaker where there are any. What the worse one adds is as uneven as errors are.
    """
    n, speaker = len(corpus.words), corpus.speaker
    words = corpus.words.astype(int)

    def uneven(mean: Floats) -> Floats:
        if speaker is None:
            return beta(rng, np.full(n, mean[0]), WITHIN_UTTERANCE)
        return beta(rng, mean, regime.alike)[speaker]

    def heard() -> NDArray[np.int64]:
        rate = (1 - OWN) * corpus.difficulty + OWN * uneven(corpus.rates)
        return np.asarray(rng.binomial(words, rate), np.int64)

    before, after = heard(), heard()
    if rise:
        still_right = np.full(len(corpus.rates), rise / (1 - regime.wer))
        after = after + rng.binomial(words - after, uneven(still_right))
    return before.astype(float), after.astype(float)


def _each(rates: Floats, speaker: NDArray[np.int64] | None, n: int) -> Floats:
    """The rate that holds for each of n utterances."""
    return rates[speaker] if speaker is not None else np.full(n, rates[0])


def beta(rng: Rng, mean: Floats, correlation: float) -> Floats:
    """One rate for each mean; the means themselves where the correlation is 0."""
    if correlation == 0:
        return np.array(mean, float)
    size = (1 - correlation) / correlation
    # A mean so near 0 or 1 that it rounds to it, as very uneven rates do, is left as it is.
    drawn = rng.beta(np.clip(mean * size, 1e-12, None), np.clip((1 - mean) * size, 1e-12, None))
    return np.where(np.isfinite(drawn), drawn, mean)
