"""A comparison as a terminal shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evals.measures.metric_text import interval, point_interval, points, value
from reports.comparison.result import Change, Comparison, Report, SideBySide
from reports.comparison.utterance_changes import Moved
from reports.comparison.wording import (
    beside_by_case,
    beside_said,
    described,
    direction_said,
    headline,
    lacking,
    lines_of,
    margin_said,
    verdict_said,
)
from reports.text.safe_terminal import plain
from reports.text.text_table import text_table

#: Utterances that the terminal lists of each kind.
SHOWN = 20


def render(report: Report, *, shown: int = SHOWN) -> str:
    """The text for a terminal, plain where it is piped too."""
    lines = [f"Reference: {plain(described(report.reference))}"]
    for c in report.comparisons:
        lines.append(f"Compared:  {plain(described(c.run))}")
        lines += _paired(c)
        for title, moved in (("worse", c.worse), ("better", c.better)):
            lines += _listed(title, moved, shown)
        lines += [*_beside(c), ""]
    return "\n".join([*lines, _LEGEND, ""])


#: What the figures mean, for who sees them for the first time.
_LEGEND = (
    "before, after: on the utterances that both runs have. change: after minus before, shares in "
    "percentage points. 95 % interval: of the change, paired. worse, better: its interval is on "
    "one side of 0."
)


def _paired(c: Comparison) -> Iterator[str]:
    for text in c.differences:
        yield f"  differs: {plain(text)}"
    for text in (*c.only, *c.notes):
        yield f"  note: {plain(text)}"
    for r in c.refused:
        yield plain(f"  NOT COMPARED: {r.of}: {r.reason}")
    for text in lacking(c):
        yield f"  note: {plain(text)}"
    if c.paired:
        yield "\nPaired differences"
        yield from text_table(
            ("model", "corpus", "task", "part", "metric"),
            ("n", "before", "after", "change", "95 % interval"),
            ("", "margin", "verdict"),
            map(_cells, c.paired),
        )


def _beside(c: Comparison) -> Iterator[str]:
    if c.beside:
        yield "\nSide by side: nothing is claimed of these (~: busy or shared machine)"
    for of, rows in beside_by_case(c):
        yield plain("{} on {} ({})".format(*of))
        heads = ("before", "95 %", "after", "95 %")
        for line in text_table(("metric",), heads, (), map(_beside_cells, rows)):
            yield f"  {line}"


def _cells(c: Change) -> list[str]:
    part = "" if c.of.slice == "all" else c.of.slice
    cells = [c.of.model, c.of.corpus, c.of.task, part, c.metric, f"{c.n:,}"]
    if c.change is None:
        why = f"not measured: {c.reason}"
        return [*cells, "-", "-", "-", "-", why, "", verdict_said(c)]
    return [
        *cells,
        value(c.metric, c.before),
        value(c.metric, c.after),
        points(c.metric, c.change),
        point_interval(c.metric, c.ci),
        direction_said(c),
        margin_said(c),
        verdict_said(c),
    ]


def _beside_cells(row: SideBySide) -> list[str]:
    part = "" if row.of.slice == "all" else f" ({row.of.slice})"
    return [
        row.metric + part,
        beside_said(row.metric, row.before, row.before_state, row.before_conditions),
        "" if row.before_ci is None else f"[{interval(row.metric, row.before_ci)}]",
        beside_said(row.metric, row.after, row.after_state, row.after_conditions),
        "" if row.after_ci is None else f"[{interval(row.metric, row.after_ci)}]",
    ]


def _listed(way: str, moved: Sequence[Moved], shown: int) -> Iterator[str]:
    if not moved:
        yield f"\nGot {way}: none"
        return
    yield f"\nGot {way}: {len(moved):,} utterances, those that changed the most first"
    for row in moved[:shown]:
        yield f"  {row.added:+d}  {plain(headline(row))}"
        for name, text in lines_of(row):
            yield f"      {name:<8}{text}"
    if len(moved) > shown:
        yield f"  and {len(moved) - shown:,} more (--show N, --json PATH)"
