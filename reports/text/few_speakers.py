"""What is said of figures that are of a few people's utterances alone."""

from __future__ import annotations

from evals.records.measurement import FEW_SPEAKERS
from reports.scorecard.scorecard import Scorecard


def few_speakers(card: Scorecard) -> list[str]:
    """A sentence for each corpus with too few speakers to tell of others."""
    marked = [m for m in card.measurements if FEW_SPEAKERS in m.conditions and m.is_whole]
    speakers = {m.corpus: m.speakers or 0 for m in marked}
    return [
        f"{corpus} has {count} speaker{'s' if count != 1 else ''}: intervals are of these people's "
        "utterances and tell nothing of others."
        for corpus, count in speakers.items()
    ]
