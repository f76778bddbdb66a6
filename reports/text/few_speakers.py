"""Sentences on figures that are of a few people's utterances alone."""

from __future__ import annotations

from evals.records.measurement import FEW_SPEAKERS
from reports.scorecard.scorecard import Scorecard


def few_speakers(card: Scorecard) -> list[str]:
    """A sentence for each corpus with too few speakers to tell of others."""
    marked = [m for m in card.measurements if FEW_SPEAKERS in m.conditions and m.is_whole]
    speakers = {m.corpus: m.speakers or 0 for m in marked}
    return [_said(corpus, count) for corpus, count in speakers.items()]


def _said(corpus: str, count: int) -> str:
    have, whose = f"{count} speakers", "these people's"
    if count == 1:
        have, whose = "1 speaker", "this person's"
    return f"{corpus} has {have}: intervals are of {whose} utterances and tell nothing of others."
