"""Sentences on corpora of which `--limit` drew a sample."""

from __future__ import annotations

from reports.scorecard.scorecard import Scorecard


def samples(card: Scorecard) -> list[str]:
    """A sentence for each corpus that is a sample of a larger one."""
    seed = card.provenance.seed
    return [
        f"{corpus.name} is a sample: {corpus.utterances:,} of its {corpus.sampled_from:,} rows "
        f"(--limit, with --seed {seed})."
        for corpus in card.provenance.corpora
        if corpus.sampled_from is not None
    ]
