"""From predictions to figures: a pure function, no model needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evals.alignment import Aligned, align, speakers_of
from evals.energy_use import energy_use
from evals.entities import Missed, entities, numbers
from evals.error_rate import Counts, total
from evals.fair_timing import marked, share_waited
from evals.hallucination import loops
from evals.intervals import Floats, proportion_interval, ratio_interval
from evals.measurement import Figure
from evals.orthography import has_capitals, has_marks, orthography
from evals.predictions import Prediction

PERCENTILES = (50, 95, 99)


def accuracy(
    predictions: Sequence[Prediction], normalizer_name: str, *, seed: int = 0
) -> Mapping[str, Figure]:
    """`accuracy_of` the predictions, aligned under a normalizer."""
    return accuracy_of(align(predictions, normalizer_name), seed=seed)


def accuracy_of(aligned: Aligned, *, seed: int = 0) -> Mapping[str, Figure]:
    """WER, CER, MER, WIL, the share of utterances with an error or an answer, and the edits.

    Intervals: bootstrap over speakers where the corpus names at least two, else
    over utterances; Wilson's for the success rate.
    """
    words, speakers = aligned.words, aligned.speakers
    predictions = aligned.predictions
    n = len(predictions)
    edits = total(words)
    errors, length = _errors_and_length(words)
    answered = sum(p.error is None for p in predictions)
    wrong = (errors > 0).astype(float)
    return {
        "wer": _rate(words, speakers, seed, "words"),
        "cer": _rate(aligned.characters, speakers, seed, "characters"),
        "mer": _share(
            errors,
            errors + words[:, 0],
            speakers,
            seed,
            "neither references nor hypotheses hold words",
        ),
        "wil": Figure(edits.information_lost, n, reason=None if edits.length else _NO_WORDS),
        "sentence_error_rate": _share(wrong, np.ones(n), speakers, seed, "there is no utterance"),
        "length_ratio": _share(
            words[:, [0, 1, 3]].sum(axis=1), length, speakers, seed, _NO_WORDS, proportion=False
        ),
        "hits": Figure(edits.hits, n),
        "substitutions": Figure(edits.substitutions, n),
        "deletions": Figure(edits.deletions, n),
        "insertions": Figure(edits.insertions, n),
        "success_rate": Figure(answered / n if n else None, n, proportion_interval(answered, n)),
    }


def details(aligned: Aligned, *, seed: int = 0) -> Mapping[str, Figure]:
    """Loops; numbers, marked entities, capitals and punctuation where the references have any."""
    speakers = aligned.speakers
    raw = [p.reference for p in aligned.predictions]
    looping = sum(map(loops, aligned.references, aligned.hypotheses))
    figures: dict[str, Figure] = {"loops": Figure(looping, len(raw))}
    for name, missed in (
        ("number_error_rate", numbers(aligned)),
        ("entity_error_rate", entities(aligned)),
    ):
        if missed.total.sum():
            figures[name] = _missed(missed, speakers, seed)
    if not (has_capitals(raw) or has_marks(raw)):
        return figures
    written = orthography(aligned.predictions)
    nothing = "no word was heard right"
    if has_capitals(raw):
        figures["casing_error_rate"] = _share(
            written.casing_errors, written.cased_words, speakers, seed, nothing
        )
    if has_marks(raw):
        figures["punctuation_error_rate"] = _share(
            written.punctuation_errors, written.marks, speakers, seed, nothing
        )
    return figures


def speed(predictions: Sequence[Prediction], *, seed: int = 0) -> Mapping[str, Figure]:
    """RTF, RTFx and the latency of whole utterances, over those that were answered.

    RTF = sum of processing seconds / sum of audio seconds; RTFx is its inverse. All are
    marked busy where the engine waited for a CPU for more than BUSY_SHARE of its time.
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
    waited = [p.waited_seconds for _, p in done]
    share = share_waited(seconds, waited)
    totals = {
        "rtf": Figure(
            spent / heard,
            n,
            ratio_interval(seconds, audio, speakers, seed=seed, proportion=False),
        ),
        "rtfx": Figure(
            heard / spent,
            n,
            ratio_interval(audio, seconds, speakers, seed=seed, proportion=False),
        ),
    }
    return {
        **{name: marked(figure, share) for name, figure in totals.items()},
        "processing_time": marked(Figure(spent, n), share),
        **energy_use((p.audio_seconds, p.joules, p.energy_method) for _, p in done),
        **latency(seconds, waited),
        **_first_token([p for _, p in done]),
    }


def _first_token(predictions: Sequence[Prediction]) -> Mapping[str, Figure]:
    """Of engines that stream; one without text has no first token, and no time until it."""
    streamed = [p for p in predictions if p.first_token_seconds is not None]
    if not streamed:
        return {}
    times = np.array([p.first_token_seconds for p in streamed], float)
    shares = [share_waited([p.processing_seconds], [p.waited_seconds]) for p in streamed]
    # Nobody tells when within its call an engine waited, so: all the time alike.
    waited = [None if s is None else s * t for s, t in zip(shares, times, strict=True)]
    return _percentiles("first_token", (50, 95), times, waited, share_waited(times, waited))


def latency(
    seconds: NDArray[np.float64] | Sequence[float], waited: Sequence[float | None] | None = None
) -> Mapping[str, Figure]:
    """Percentiles of single times, interpolated linearly between order statistics.

    waited: of each time, the seconds spent waiting for a CPU, where that is known.
    """
    times = np.asarray(seconds, float)
    waited = [None] * len(times) if waited is None else waited
    return _percentiles("latency", PERCENTILES, times, waited, share_waited(times, waited))


def _percentiles(
    name: str,
    percentiles: Sequence[int],
    times: NDArray[np.float64],
    waited: Sequence[float | None],
    share: float | None,
) -> Mapping[str, Figure]:
    """Percentiles of times; `share`: of the whole calls, how much was waiting.

    A percentile is busy where the calls are as a whole, and where waiting has that share of
    it: one call that waited is nothing among hundreds, and all that the 99th percentile says.
    """
    working = np.maximum(times - np.array([w or 0.0 for w in waited]), 0.0)
    figures = {}
    for p in percentiles:
        value = float(np.percentile(times, p))
        of_it = 1 - float(np.percentile(working, p)) / value if value else None
        figures[f"{name}_p{p}"] = marked(Figure(value, len(times)), share, of_it)
    return figures


_NO_WORDS = "the references hold no words"


def _errors_and_length(counts: Counts) -> tuple[Floats, Floats]:
    return counts[:, 1:].sum(axis=1).astype(float), counts[:, :3].sum(axis=1).astype(float)


def _rate(counts: Counts, speakers: list[str] | None, seed: int, what: str) -> Figure:
    errors, length = _errors_and_length(counts)
    return _share(errors, length, speakers, seed, f"the references hold no {what}")


def _missed(missed: Missed, speakers: list[str] | None, seed: int) -> Figure:
    return _share(missed.missed, missed.total, speakers, seed, "there is none to hear")


def _share(
    part: Floats | Counts,
    whole: Floats,
    speakers: list[str] | None,
    seed: int,
    otherwise: str,
    *,
    proportion: bool = True,
) -> Figure:
    """The ratio of two sums over the corpus with its interval; `otherwise`: why there is none."""
    n = len(whole)
    everything = float(whole.sum())
    if not everything:
        return Figure(None, n, reason=otherwise)
    value = float(part.sum()) / everything
    interval = ratio_interval(part.astype(float), whole, speakers, seed=seed, proportion=proportion)
    return Figure(value, n, interval)
