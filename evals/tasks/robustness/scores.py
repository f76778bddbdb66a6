"""How much worse a model hears under a condition than on the same utterances undisturbed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from evals.measures.statistics.paired_interval import difference_interval
from evals.measures.statistics.rates import difference, of_speakers, rate
from evals.measures.text.error_counts import Counted, Scored
from evals.measures.text.error_rate import total
from evals.records.measurement import Figure
from evals.records.predictions import Prediction

#: The name of the speech as it is, beside those of CONDITIONS.
_NO_WORDS = "the references hold no words"
CLEAN = "clean"
_SHOWN = 5


def drifts(
    clean: Collection[Prediction],
    perturbed: Mapping[str, Collection[Prediction]],
    normalizer_name: str,
    *,
    look: Callable[[str, Scored], None] = lambda condition, scored: None,
) -> Mapping[str, Mapping[str, Figure]]:
    """Per condition its WER and `wer_drift` = WER(condition) - WER(clean), paired.

    Intervals are over speakers where all are known, else over utterances. An utterance
    without an answer counts as all deletions; but one that the clean run did not answer
    would make a drift look smaller, so then there is none.
    look: takes CLEAN and each condition with what its WER is computed from.
    Raises ValueError, naming them, where a condition's utterances are not exactly the
    clean ones (in any order) with the same references.
    """
    problems = [
        problem
        for condition, predictions in perturbed.items()
        for problem in _mismatches(condition, clean, predictions)
    ]
    if problems:
        raise ValueError("\n".join(problems))
    base = Counted(clean, normalizer_name)
    look(CLEAN, base)
    before = base.words
    place = {p.id: index for index, p in enumerate(base.predictions)}
    lengths = before[:, :3].sum(axis=1).astype(float)
    clean_errors = before[:, 1:].sum(axis=1).astype(float)
    n, words = len(before), int(lengths.sum())
    failed = n - int(np.count_nonzero(base.answered))
    figures: dict[str, Mapping[str, Figure]] = {}
    for condition, predictions in perturbed.items():
        scored = Counted(predictions, normalizer_name)
        look(condition, scored)
        counts = scored.words
        after = np.zeros_like(before)
        after[[place[p.id] for p in scored.predictions]] = counts
        errors = after[:, 1:].sum(axis=1).astype(float)
        if not words:
            empty = Figure(None, n, reason=_NO_WORDS)
            figures[condition] = {"wer": empty, "wer_drift": empty}
            continue
        interval = difference_interval(errors - clean_errors, lengths, base.speakers, least=1.0)
        change = (total(after).errors - total(before).errors) / words
        drift = of_speakers(difference(change, n, interval), base.speakers)
        if failed:
            drift = Figure(
                None, n, reason=f"{failed} of {n} clean utterances were not answered: no base"
            )
        figures[condition] = {
            "wer": of_speakers(
                rate(errors, lengths, base.speakers, otherwise=_NO_WORDS), base.speakers
            ),
            "wer_drift": drift,
        }
    return figures


def _mismatches(
    condition: str, clean: Collection[Prediction], perturbed: Collection[Prediction]
) -> list[str]:
    """What keeps the two from being compared utterance by utterance, a line each."""
    wrong = []
    for name, predictions in (("clean", clean), (condition, perturbed)):
        twice = [i for i, count in Counter(p.id for p in predictions).items() if count > 1]
        if twice:
            wrong.append(f"{condition}: {name} holds more than once: {_named(twice)}")
    references = {p.id: p.reference for p in clean}
    others = {p.id: p.reference for p in perturbed}
    if missing := references.keys() - others.keys():
        wrong.append(f"{condition}: not heard under it: {_named(missing)}")
    if extra := others.keys() - references.keys():
        wrong.append(f"{condition}: not among the clean ones: {_named(extra)}")
    if other := [i for i in references.keys() & others.keys() if references[i] != others[i]]:
        wrong.append(f"{condition}: another reference than the clean one: {_named(other)}")
    return wrong


def _named(ids: Sequence[str] | set[str]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return ", ".join(sorted(ids)[:_SHOWN]) + more
