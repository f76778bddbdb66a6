"""Suspicious references in words, for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from reports.scorecard.scorecard import SuspiciousReference, SuspiciousReferences

#: Rows of a corpus that a terminal shows.
SHOWN = 3
_LONG = 200


def heading(found: SuspiciousReferences) -> str:
    """How many there are on a corpus, and what makes them suspicious."""
    rows = "reference" if found.total == 1 else "references"
    return (
        f"Look at {found.total:,} {rows} of {found.corpus}: models that hear the rest well agree "
        "on another sentence there (no figure is changed by it)"
    )


def lines(found: SuspiciousReferences) -> Iterator[str]:
    """The heading, the first few with their texts, and where the others are."""
    yield heading(found)
    for row in found.rows[:SHOWN]:
        yield f"  {row.id}: {_short(row.reference)!r} is heard as {heard(row)}"
    if found.total > SHOWN:
        where = "`suspicious_references` in the scorecard"
        yield f"  and {found.total - min(SHOWN, len(found.rows)):,} more: {where}"


def heard(row: SuspiciousReference) -> str:
    """What was heard instead, each text once, with the models that heard it."""
    by_text: dict[str, list[str]] = {}
    for one in row.heard:
        by_text.setdefault(_short(one.hypothesis), []).append(one.model)
    return "; ".join(f"{text!r} by {', '.join(models)}" for text, models in by_text.items())


def _short(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[:_LONG]}..."
