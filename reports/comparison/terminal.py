"""A comparison as a terminal shows it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from rich.console import Console

#: Utterances that the terminal lists of each kind.
SHOWN = 20
#: Wide enough for any table: a narrow terminal wraps its lines, which loses nothing.
_WIDTH = 1000


def render(report: Report, *, shown: int = SHOWN) -> str:
    """The text for a terminal, plain where it is piped too."""
    from rich.console import Console

    out = io.StringIO()
    console = Console(
        file=out, width=_WIDTH, color_system=None, highlight=False, emoji=False, markup=False
    )

    def line(text: str = "") -> None:
        console.print(plain(text), soft_wrap=True)

    line(f"Reference: {described(report.reference)}")
    for c in report.comparisons:
        line(f"Compared:  {described(c.run)}")
        _print_paired(console, c)
        for title, moved in (("worse", c.worse), ("better", c.better)):
            for text in _listed(title, moved, shown):
                console.print(text, soft_wrap=True)
        _print_beside(console, c)
        line()
    line(_LEGEND)
    return "\n".join(row.rstrip() for row in out.getvalue().splitlines()) + "\n"


#: What the figures mean, for who sees them for the first time.
_LEGEND = (
    "before, after: on the utterances that both runs have. change: after minus before, shares in "
    "percentage points. 95 % interval: of the change, paired. worse, better: its interval is on "
    "one side of 0."
)


def _print_paired(console: Console, c: Comparison) -> None:
    from rich.table import Table

    def line(text: str) -> None:
        console.print(plain(text), soft_wrap=True)

    for text in c.differences:
        line(f"  differs: {text}")
    for text in (*c.only, *c.notes):
        line(f"  note: {text}")
    for r in c.refused:
        line(f"  NOT COMPARED: {r.of}: {r.reason}")
    for text in lacking(c):
        line(f"  note: {text}")
    if c.paired:
        console.print("\nPaired differences")
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for heading in ("model", "corpus", "task", "part", "metric"):
            table.add_column(heading, no_wrap=True)
        for heading in ("n", "before", "after", "change", "95 % interval"):
            table.add_column(heading, justify="right", no_wrap=True)
        for heading in ("", "margin", "verdict"):
            table.add_column(heading, no_wrap=True)
        for change in c.paired:
            table.add_row(*map(plain, _cells(change)))
        console.print(table)


def _print_beside(console: Console, c: Comparison) -> None:
    from rich.table import Table

    if not c.beside:
        return
    console.print("\nSide by side: nothing is claimed of these (~: busy or shared machine)")
    for of, group in beside_by_case(c):
        console.print(plain("{} on {} ({})".format(*of)), soft_wrap=True)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2), header_style="")
        table.add_column("metric", no_wrap=True)
        for heading in ("before", "95 %", "after", "95 %"):
            table.add_column(heading, justify="right", no_wrap=True)
        for row in group:
            table.add_row(*map(plain, _beside_cells(row)))
        console.print(table)


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
