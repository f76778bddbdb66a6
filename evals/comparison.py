"""The same utterances by a model before and after: paired differences and what got worse."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evals.alignment import Aligned
from evals.error_rate import Counts
from evals.intervals import Floats, difference_interval
from evals.measurement import Figure

#: Metrics that are compared, by the name of their change.
CHANGES = ("wer_change", "cer_change", "sentence_error_rate_change", "success_rate_change")


class NotComparable(Exception):
    """Two sets of predictions are not of the same thing; the message says in what they differ."""


@dataclass(frozen=True, slots=True)
class Worsened:
    """An utterance with more word errors than before."""

    id: str
    reference: str
    before: str
    after: str
    errors_before: int
    errors_after: int


def changes(before: Aligned, after: Aligned, *, seed: int = 0) -> Mapping[str, Figure]:
    """After minus before, by the names in CHANGES, each with its paired interval.

    Rates have one denominator, the references', so their difference is a ratio of sums and
    its interval is drawn over speakers, or utterances, with both of a pair together.
    Raises NotComparable unless ids, references and their order are the same.
    """
    _refuse_unpaired(before, after)
    clusters = after.speakers
    n = len(after.predictions)
    ones = np.ones(n)

    def of_counts(old: Counts, new: Counts, nothing: str) -> Figure:
        errors, before = (counts[:, 1:].sum(axis=1).astype(float) for counts in (new, old))
        whole = new[:, :3].sum(axis=1).astype(float)
        return _difference(errors - before, whole, clusters, seed, nothing)

    wrong, wrong_before = ((a.words[:, 1:].sum(axis=1) > 0) * 1.0 for a in (after, before))
    answered, answered_before = (
        np.array([float(p.error is None) for p in a.predictions]) for a in (after, before)
    )
    figures = (
        of_counts(before.words, after.words, "words"),
        of_counts(before.characters, after.characters, "characters"),
        _difference(wrong - wrong_before, ones, clusters, seed, "utterances"),
        _difference(answered - answered_before, ones, clusters, seed, "utterances"),
    )
    return dict(zip(CHANGES, figures, strict=True))


def worsened(before: Aligned, after: Aligned) -> list[Worsened]:
    """The utterances that got worse, the worst first, then in the corpus's order."""
    _refuse_unpaired(before, after)
    old, new = (a.words[:, 1:].sum(axis=1) for a in (before, after))
    order = np.argsort(old - new, kind="stable")
    return [
        Worsened(
            after.predictions[i].id,
            after.predictions[i].reference,
            before.predictions[i].hypothesis,
            after.predictions[i].hypothesis,
            int(old[i]),
            int(new[i]),
        )
        for i in order
        if new[i] > old[i]
    ]


def _difference(
    change: Floats, whole: Floats, clusters: Sequence[Hashable] | None, seed: int, nothing: str
) -> Figure:
    n, total = len(whole), float(whole.sum())
    if not total:
        return Figure(None, n, reason=f"the references hold no {nothing}")
    interval = difference_interval(change, whole, clusters, seed=seed)
    return Figure(float(change.sum()) / total, n, interval)


def _refuse_unpaired(before: Aligned, after: Aligned) -> None:
    if before.normalizer != after.normalizer:
        raise NotComparable(f"normalizer {before.normalizer} before, {after.normalizer} now")
    old = [(p.id, p.reference) for p in before.predictions]
    new = [(p.id, p.reference) for p in after.predictions]
    if old == new:
        return
    if len(old) != len(new):
        raise NotComparable(f"{len(old)} utterances before, {len(new)} now")
    place = next(i for i in range(len(old)) if old[i] != new[i])
    raise NotComparable(f"utterance {place + 1} was {old[place][0]!r}, now {new[place][0]!r}")
