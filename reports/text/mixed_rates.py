"""What is said of error rates whose tokens are not words alone."""

from __future__ import annotations

from evals.records.measurement import MIXED_TOKENS
from reports.scorecard.scorecard import Scorecard


def mixed_rates(card: Scorecard) -> list[str]:
    """One sentence for each corpus whose WER counts characters too."""
    corpora = dict.fromkeys(m.corpus for m in card.measurements if MIXED_TOKENS in m.conditions)
    return [
        f"WER of {corpus} is a mixed error rate: in scripts without spaces its tokens are "
        "characters, elsewhere words."
        for corpus in corpora
    ]
