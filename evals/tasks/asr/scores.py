"""From predictions to figures: a pure function, no model needed."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evals.measures.speed.cpu_contention import marked, share_waited
from evals.measures.speed.energy import energy_use
from evals.measures.speed.timings import Timings
from evals.measures.statistics.intervals import Floats
from evals.measures.statistics.rates import of_speakers, rate, share
from evals.measures.text.error_counts import Counted, Scored
from evals.measures.text.error_rate import Counts, total
from evals.measures.unanswered import why_unanswered
from evals.records.measurement import MIXED_TOKENS, Figure
from evals.records.predictions import Prediction
from evals.tasks.asr.utterance_table import Table

PERCENTILES = (50, 95, 99)


def accuracy(predictions: Iterable[Prediction], normalizer_name: str) -> Mapping[str, Figure]:
    """`accuracy_of` the predictions, counted under a normalizer."""
    return accuracy_of(Counted(predictions, normalizer_name))


def accuracy_of(scored: Scored) -> Mapping[str, Figure]:
    """WER, CER, MER, WIL, the share of utterances with an error or an answer, and the edits.

    Intervals: over speakers where the corpus names FEWEST_SPEAKERS, else over utterances
    (`evals.measures.statistics.intervals`); Wilson's for the success rate.
    """
    words, speakers = scored.words, scored.speakers
    n = len(words)
    edits = total(words)
    errors, length = _errors_and_length(words)
    answered = int(np.count_nonzero(scored.answered))
    wrong = (errors > 0).astype(float)
    wer = _rate(words, speakers, "words")
    return {
        "wer": replace(wer, conditions=(*wer.conditions, MIXED_TOKENS)) if scored.is_mixed else wer,
        "cer": _rate(scored.characters, speakers, "characters", letters_per_word(scored)),
        "mer": _share(
            errors,
            errors + words[:, 0],
            speakers,
            "neither references nor hypotheses hold words",
        ),
        "wil": Figure(edits.information_lost, n, reason=None if edits.length else _NO_WORDS),
        "sentence_error_rate": _share(wrong, np.ones(n), speakers, "there is no utterance"),
        "length_ratio": _share(
            words[:, [0, 1, 3]].sum(axis=1), length, speakers, _NO_WORDS, proportion=False
        ),
        "hits": Figure(edits.hits, n),
        "substitutions": Figure(edits.substitutions, n),
        "deletions": Figure(edits.deletions, n),
        "insertions": Figure(edits.insertions, n),
        "success_rate": share(answered, n, why_unanswered(scored.predictions, n - answered, n)),
    }


def details(table: Table) -> Mapping[str, Figure]:
    """Loops; numbers, marked entities, capitals and punctuation where the references have any.

    Of models that take several utterances at once, how often that gives another text.
    """
    n = len(table.words)
    figures = {"loops": Figure(table.looping, n), "annotations": Figure(table.annotations, n)}
    if table.has_alternatives:
        figures["other_references"] = Figure(table.used.total(), n, reason=_used(table))
    if (cpwer := table.sessions.cpwer(table.normalizer)) is not None:
        figures["cpwer"] = cpwer
    if twice := table.batching.utterances:
        figures["batch_change_rate"] = share(table.batching.changed, twice)

    def add(name: str, part: Counts, whole: Counts, otherwise: str) -> None:
        figures[name] = _share(part, whole.astype(float), table.speakers, otherwise)

    for name, (missed, every) in (
        ("number_error_rate", table.numbers.T),
        ("entity_error_rate", table.entities.T),
    ):
        if every.sum():
            add(name, missed, every, "there is none to hear")
    casing, cased, punctuation, marks = table.orthography.T
    if table.written.has_capitals:
        add("casing_error_rate", casing, cased, _NONE_RIGHT)
    if table.written.has_marks:
        add("punctuation_error_rate", punctuation, marks, _NONE_RIGHT)
    return figures


def _used(table: Table) -> str:
    """How often each reference was the one with the fewest errors."""
    first = len(table.words) - table.used.total()
    each = [(1, first), *((place + 1, count) for place, count in sorted(table.used.items()))]
    return ", ".join(f"reference {place}: {count}" for place, count in each)


def in_unknown_languages(table: Table, known: Sequence[str] | None) -> str | None:
    """Which rows are in languages that the model does not have, in words; None for none.

    known: codes; None where nobody can tell.
    """
    foreign = {code: n for code, n in table.languages.items() if known and code not in known}
    if not foreign:
        return None
    rows, every = sum(foreign.values()), table.languages.total()
    return f"{rows} of {every} rows are in a language that the model does not know: " + ", ".join(
        sorted(foreign)
    )


def speed(predictions: Iterable[Prediction]) -> Mapping[str, Figure]:
    """`speed_of` the predictions."""
    return speed_of(Timings(predictions))


def speed_of(timings: Timings) -> Mapping[str, Figure]:
    """RTF, RTFx and the latency of whole utterances, over those that were answered.

    RTF = sum of processing seconds / sum of audio seconds; RTFx is its inverse. The latency of an
    utterance that was answered together with others is that of their call, which it waits for.
    All are marked busy where the engine waited for a CPU for more than BUSY_SHARE of its time.
    """
    seconds, audio = timings.processing, timings.audio
    n = len(seconds)
    if np.isnan(audio).any():  # of hypotheses from elsewhere, on a corpus without its sound
        return {**_no_speed(n, _NO_LENGTH), **latency(timings.calls, timings.waited_in_calls)}
    spent, heard = float(seconds.sum()), float(audio.sum())
    if n == 0 or spent <= 0 or heard <= 0:
        return _no_speed(n, _NO_AUDIO)
    speakers = timings.speakers
    share = share_waited(seconds, timings.waited)
    totals = {
        "rtf": rate(seconds, audio, speakers, otherwise=_NO_AUDIO, proportion=False),
        "rtfx": rate(audio, seconds, speakers, otherwise=_NO_AUDIO, proportion=False),
    }
    return {
        **{name: marked(figure, share) for name, figure in totals.items()},
        "processing_time": marked(Figure(spent, n), share),
        **energy_use(timings.energy),
        **latency(timings.calls, timings.waited_in_calls),
        **_first_token(timings),
    }


def _no_speed(n: int, why: str) -> Mapping[str, Figure]:
    names = ["rtf", "rtfx", *(f"latency_p{p}" for p in PERCENTILES)]
    return {name: Figure(None, n, reason=why) for name in names}


def _first_token(timings: Timings) -> Mapping[str, Figure]:
    """Of engines that stream; one without text has no first token, and no time until it."""
    times, waited = timings.first_tokens
    if not len(times):
        return {}
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


_NO_AUDIO = "no utterance was answered"
_NO_LENGTH = "how long the utterances are is not known"
_NO_WORDS = "the references hold no words"
_NONE_RIGHT = "no word was heard right"


def _errors_and_length(counts: Counts) -> tuple[Floats, Floats]:
    return counts[:, 1:].sum(axis=1).astype(float), counts[:, :3].sum(axis=1).astype(float)


def letters_per_word(scored: Scored) -> float:
    """Characters of the references per word: they are wrong by the word."""
    words, characters = (int(counts[:, :3].sum()) for counts in (scored.words, scored.characters))
    return max(1.0, characters / words) if words else 1.0


def _rate(
    counts: Counts, speakers: Sequence[Hashable] | None, what: str, together: float = 1.0
) -> Figure:
    errors, length = _errors_and_length(counts)
    otherwise = f"the references hold no {what}"
    return _share(errors, length, speakers, otherwise, together=together)


def _share(
    part: Floats | Counts,
    whole: Floats,
    speakers: Sequence[Hashable] | None,
    otherwise: str,
    *,
    proportion: bool = True,
    together: float = 1.0,
) -> Figure:
    """The ratio of two sums over the corpus with its interval; `otherwise`: why there is none."""
    figure = rate(
        part.astype(float),
        whole,
        speakers,
        otherwise=otherwise,
        proportion=proportion,
        together=together,
    )
    return of_speakers(figure, speakers)
