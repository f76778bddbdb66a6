"""A comparison in words, the same for the terminal and the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from evals.measures.metric_text import points, value
from reports.comparison.result import Change, Comparison, RunInfo, SideBySide
from reports.comparison.utterance_changes import Moved
from reports.text.metric_text import stacked, when
from reports.text.safe_terminal import plain

__all__ = [
    "beside_by_case",
    "beside_said",
    "described",
    "direction_said",
    "headline",
    "lacking",
    "lines_of",
    "margin_said",
    "verdict_said",
]

_TEXT_WIDTH = 100
_UNCHANGED = "no utterance differs"


def described(run: RunInfo) -> str:
    """A run in one line: where, when, which code, and what was wrong with it."""
    sha = "not in git" if run.git_sha is None else f"code {run.git_sha[:12]}"
    words = [f"{run.path} ({run.id}, {when(run.started)} UTC, {sha}"]
    if run.git_dirty:
        words.append(" with changes")
    words.append(")")
    if not run.complete:
        words.append(", PARTIAL: it was interrupted")
    if run.conditions:
        words.append(f", {', '.join(run.conditions)}: its times are not the models' own")
    return "".join(words)


def _missing(only_before: Sequence[str], only_after: Sequence[str]) -> str:
    """What only one run has, in words; nothing where both have the same."""
    said = [
        f"{len(ids):,} {where} ({', '.join(ids[:5])}{', ...' if len(ids) > 5 else ''})"
        for ids, where in ((only_before, "missing now"), (only_after, "missing before"))
        if ids
    ]
    return ", ".join(said)


def lacking(c: Comparison) -> list[str]:
    """A note on each comparison that lacks utterances of a run: its pairs, and what is missing."""
    return [
        f"{p.of}: compared on the {p.n:,} utterances of both; "
        f"{_missing(p.only_before, p.only_after)}"
        for p in c.pairings
        if p.only_before or p.only_after
    ]


def beside_by_case(
    c: Comparison,
) -> list[tuple[tuple[str, str, str], list[SideBySide]]]:
    """What was not compared in pairs, by model, corpus and task."""
    groups = groupby(c.beside, key=lambda b: (b.of.model, b.of.corpus, b.of.task))
    return [(case, list(rows)) for case, rows in groups]


def margin_said(c: Change) -> str:
    """How much worse a metric may become."""
    return "" if c.margin is None else points(c.metric, c.margin).lstrip("+")


def direction_said(c: Change) -> str:
    """Which way a change points, in words."""
    return {"same": _UNCHANGED, "unclear": "not shown either way"}.get(c.direction, c.direction)


def verdict_said(c: Change) -> str:
    """A change's verdict against its margin."""
    if c.verdict is None:
        return "no margin"
    if c.further_utterances:
        return f"{c.verdict}: about {c.further_utterances:,} more utterances would decide"
    return c.verdict.replace("_", " ")


def beside_said(metric: str, number: float | None, state: str, conditions: Sequence[str]) -> str:
    """A figure of one run; ~ marks what was taken on a busy or shared machine."""
    if number is None:
        return state
    return value(metric, number) + (" ~ " + ", ".join(conditions) if conditions else "")


def headline(row: Moved) -> str:
    """Which utterance, and how many errors it had and has."""
    if row.unit == "turns":
        was = "failed before, succeeds now" if row.added < 0 else "succeeded before, fails now"
    else:
        was = f"{row.errors_before} wrong of {row.length} words, now {row.errors_after}"
    return f"{row.id}  {row.of}: {was}"


def lines_of(row: Moved) -> Iterator[tuple[str, str]]:
    """What was said and heard, aligned where there are words to align."""
    for block in stacked(row.columns, _TEXT_WIDTH):
        yield from zip(("said", "before", "now"), block, strict=True)
    if not row.columns:
        yield "said", plain(row.reference)
        yield "before", plain(row.before)
        yield "now", plain(row.after)
    if row.why:
        yield "why", plain(row.why)
    for name, failed in (("before", row.failed_before), ("now", row.failed_after)):
        if failed:
            yield name, f"no answer: {plain(failed)}"
