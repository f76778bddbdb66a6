"""The same utterances by a model before and after: paired differences and what got worse."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evals.measures.statistics.paired_interval import Floats, difference_interval
from evals.measures.statistics.rates import difference, of_speakers
from evals.measures.text.error_counts import Scored
from evals.measures.text.error_rate import Counts
from evals.records.measurement import Figure

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


def changes(before: Scored, after: Scored) -> Mapping[str, Figure]:
    """After minus before, by the names in CHANGES, each with its paired interval.

    Rates have one denominator, the references', so their difference is a ratio of sums and
    its interval is that of one sum over speakers, or utterances.
    Raises NotComparable unless ids, references and their order are the same.
    """
    _refuse_unpaired(before, after)
    clusters = after.speakers
    ones = np.ones(len(after.words))

    def of_counts(old: Counts, new: Counts, nothing: str) -> Figure:
        errors, before = (counts[:, 1:].sum(axis=1).astype(float) for counts in (new, old))
        whole = new[:, :3].sum(axis=1).astype(float)
        none = f"the references hold no {nothing}"
        figure = paired_difference(errors - before, whole, clusters, otherwise=none)
        return of_speakers(figure, clusters) if figure.value is not None else figure

    def of_shares(change: Floats) -> Figure:
        figure = paired_difference(change, ones, clusters, otherwise="there are no utterances")
        return of_speakers(figure, clusters)

    wrong, wrong_before = ((a.words[:, 1:].sum(axis=1) > 0) * 1.0 for a in (after, before))
    answered, answered_before = (a.answered.astype(float) for a in (after, before))
    figures = (
        of_counts(before.words, after.words, "words"),
        of_counts(before.characters, after.characters, "characters"),
        of_shares(wrong - wrong_before),
        of_shares(answered - answered_before),
    )
    return dict(zip(CHANGES, figures, strict=True))


def worsened(before: Scored, after: Scored) -> list[Worsened]:
    """The utterances that got worse, the worst first, then in the corpus's order."""
    _refuse_unpaired(before, after)
    old, new = (a.words[:, 1:].sum(axis=1) for a in (before, after))
    # Their texts are read again: those of a whole corpus are not kept for the few that are shown.
    worse = [
        (place, Worsened(now.id, now.reference, was.hypothesis, now.hypothesis, int(o), int(n)))
        for place, (was, now, o, n) in enumerate(
            zip(before.predictions, after.predictions, old, new, strict=True)
        )
        if n > o
    ]
    worse.sort(key=lambda found: (found[1].errors_before - found[1].errors_after, found[0]))
    return [found for _, found in worse]


def paired_difference(
    change: Floats, whole: Floats, clusters: Sequence[Hashable] | None, *, otherwise: str
) -> Figure:
    """sum(change) / sum(whole), with its interval and what more utterances would make of it.

    change, whole, clusters: shape (n,), see `difference_interval`. otherwise: the reason where the
    whole sums to 0.
    """
    n, total = len(whole), float(whole.sum())
    if not total:
        return Figure(None, n, reason=otherwise)
    interval = difference_interval(change, whole, clusters, least=1.0)
    same = not np.any(change)
    figure = difference(float(change.sum()) / total, n, interval)
    if same and interval is not None:
        # Without a change the interval is of changes that are too rare for so many utterances.
        low, high = interval
        figure = replace(figure, identical=True, forecast=lambda times: (low / times, high / times))
    return figure


def _refuse_unpaired(before: Scored, after: Scored) -> None:
    if before.normalizer != after.normalizer:
        raise NotComparable(f"normalizer {before.normalizer} before, {after.normalizer} now")
    sizes = len(before.words), len(after.words)
    if sizes[0] != sizes[1]:
        raise NotComparable(f"{sizes[0]} utterances before, {sizes[1]} now")
    for place, (was, now) in enumerate(
        zip(before.predictions, after.predictions, strict=True), start=1
    ):
        if (was.id, was.reference) != (now.id, now.reference):
            raise NotComparable(f"utterance {place} was {was.id!r}, now {now.id!r}")
