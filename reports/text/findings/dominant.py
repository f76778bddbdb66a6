"""One utterance with most of a corpus's word errors, in words."""

from __future__ import annotations

from evals.measures import metric_text
from evals.records.measurement import ALL
from reports.scorecard.scorecard import DominantUtterance


def dominant_line(row: DominantUtterance) -> str:
    """Which utterance it is, its share, and the WER with and without it."""
    part = row.task if row.slice == ALL else f"{row.task}, {row.slice}"
    what = f"{row.errors:,} of {row.all_errors:,} word errors"
    how = "" if row.answered else "; it was not answered"
    without = metric_text.value("wer", row.wer_without)
    if row.wer_without is None:
        without = "none, since no other reference holds a word"
    return (
        f"{row.model} on {row.corpus} ({part}): one utterance, {row.id}, holds {what} "
        f"({100 * row.share:.1f} %{how}): WER {metric_text.value('wer', row.wer)}, "
        f"without it {without}"
    )
