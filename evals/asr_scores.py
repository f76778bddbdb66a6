"""From predictions to figures: a pure function, no model needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evals.error_rate import Counts, character_counts, total, word_counts
from evals.intervals import proportion_interval, ratio_interval
from evals.measurement import Figure
from evals.normalizers import normalizer
from evals.predictions import Prediction

PERCENTILES = (50, 95, 99)


def accuracy(
    predictions: Sequence[Prediction], normalizer_name: str, *, seed: int = 0
) -> Mapping[str, Figure]:
    """WER, CER, the word edits, and the share of utterances answered without an error.

    Intervals: bootstrap over speakers where the corpus names at least two, else
    over utterances; Wilson's for the success rate.
    """
    normalize = normalizer(normalizer_name)
    references = [normalize(p.reference) for p in predictions]
    hypotheses = [normalize(p.hypothesis) for p in predictions]
    words = word_counts(references, hypotheses)
    characters = character_counts(references, hypotheses)
    speakers = speakers_of(predictions)
    n = len(predictions)
    edits = total(words)
    answered = sum(p.error is None for p in predictions)
    return {
        "wer": _rate(words, speakers, seed, "words"),
        "cer": _rate(characters, speakers, seed, "characters"),
        "substitutions": Figure(edits.substitutions, n),
        "deletions": Figure(edits.deletions, n),
        "insertions": Figure(edits.insertions, n),
        "success_rate": Figure(answered / n if n else None, n, proportion_interval(answered, n)),
    }


def speed(predictions: Sequence[Prediction], *, seed: int = 0) -> Mapping[str, Figure]:
    """RTF, RTFx and the latency of whole utterances, over those that were answered.

    RTF = sum of processing seconds / sum of audio seconds; RTFx is its inverse.
    """
    done = [(p.processing_seconds, p) for p in predictions if p.processing_seconds is not None]
    seconds = np.array([s for s, _ in done])
    audio = np.array([p.audio_seconds for _, p in done])
    speakers = speakers_of([p for _, p in done])
    n = len(done)
    spent, heard = float(seconds.sum()), float(audio.sum())
    if n == 0 or spent <= 0 or heard <= 0:
        reason = "no utterance was answered"
        names = ["rtf", "rtfx", *(f"latency_p{p}" for p in PERCENTILES)]
        return {name: Figure(None, n, reason=reason) for name in names}
    return {
        "rtf": Figure(
            spent / heard,
            n,
            ratio_interval(seconds, audio, speakers, seed=seed),
        ),
        "rtfx": Figure(
            heard / spent,
            n,
            ratio_interval(audio, seconds, speakers, seed=seed),
        ),
        **latency(seconds),
        **_first_token([p for _, p in done]),
    }


def _first_token(predictions: Sequence[Prediction]) -> Mapping[str, Figure]:
    """Of engines that stream; one without text has no first token, and no time until it."""
    times = [p.first_token_seconds for p in predictions if p.first_token_seconds is not None]
    percentiles = (50, 95) if times else ()
    return {
        f"first_token_p{p}": Figure(float(np.percentile(times, p)), len(times)) for p in percentiles
    }


def latency(seconds: NDArray[np.float64] | Sequence[float]) -> Mapping[str, Figure]:
    """Percentiles of single times, interpolated linearly between order statistics."""
    times = np.asarray(seconds, float)
    return {
        f"latency_p{p}": Figure(float(np.percentile(times, p)), len(times)) for p in PERCENTILES
    }


def speakers_of(predictions: Sequence[Prediction]) -> list[str] | None:
    """The speaker of each utterance where all are known, else None."""
    speakers = [p.speaker for p in predictions if p.speaker is not None]
    return speakers if len(speakers) == len(predictions) else None


def _rate(counts: Counts, speakers: list[str] | None, seed: int, what: str) -> Figure:
    edits = total(counts)
    if edits.rate is None:
        return Figure(None, len(counts), reason=f"the references hold no {what}")
    errors = counts[:, 1:].sum(axis=1).astype(float)
    lengths = counts[:, :3].sum(axis=1).astype(float)
    return Figure(edits.rate, len(counts), ratio_interval(errors, lengths, speakers, seed=seed))
