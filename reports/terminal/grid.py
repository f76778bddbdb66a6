"""A table that fits a terminal: what is too wide for one goes on in another below it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells
from rich.table import Table
from rich.text import Text

#: Between two columns.
_GAP = 2
#: Behind a piece of a name that goes on in the next line where it has no hyphen or the like.
_GOES_ON = "…"
_SHORTEST_NAME = 8


@dataclass(frozen=True, slots=True)
class GridColumn:
    """heading: may have several lines. with_last: it says nothing without the column before it.

    words: it stands at the left of its column, as names do.
    """

    heading: str
    with_last: bool = False
    words: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows of cells. names: so many columns at the left name a row, the others are figures."""

    names: int
    columns: Sequence[GridColumn]
    rows: Sequence[Sequence[Text]]


def terminal_width(*, is_terminal: bool) -> int | None:
    """In columns, as COLUMNS or the terminal says; None for a file or a pipe."""
    if is_terminal or os.environ.get("COLUMNS"):
        return shutil.get_terminal_size().columns
    return None


def fitting(grid: Grid, width: int | None) -> Iterator[Table | Text]:
    """The grid as one table, or where that is wider than `width` columns as several.

    A name that all rows share is said above, then; each table repeats the other names. No figure
    is left out or cut, and a name goes on in a line of its own, indented. width: None for any.
    """
    if width is None or _total(_widths(grid)) <= width:
        yield _table(grid, range(len(grid.columns)))
        return
    shared = [
        place
        for place in range(1, grid.names)
        if len({row[place].plain for row in grid.rows}) == 1 and grid.columns[place].heading
    ]
    for place in shared:
        yield Text(f"{grid.columns[place].heading}: {grid.rows[0][place].plain}")
    names = [place for place in range(grid.names) if place not in shared]
    grid = _folded(grid, names, width)
    for block in _blocks(grid, names, width):
        yield _table(grid, [*names, *block])


def _blocks(grid: Grid, names: Sequence[int], width: int) -> Iterator[Sequence[int]]:
    """The columns of figures, as many together as there is room for beside the names."""
    widths = _widths(grid)
    block: list[int] = []
    for group in _groups(grid):
        if block and _total([widths[p] for p in (*names, *block, *group)]) > width:
            yield block
            block = []
        block = [*block, *group]
    if block:
        yield block


def _groups(grid: Grid) -> Iterator[list[int]]:
    """Columns that belong together: a figure and its interval."""
    group: list[int] = []
    for place in range(grid.names, len(grid.columns)):
        if group and not grid.columns[place].with_last:
            yield group
            group = []
        group = [*group, place]
    if group:
        yield group


def _folded(grid: Grid, names: Sequence[int], width: int) -> Grid:
    """Names and headings over several lines, so that the widest figure has its place."""
    widths = _widths(grid)
    cells = [
        max((cell_len(row[p].plain) for row in grid.rows), default=0) for p in range(len(widths))
    ]
    figures = max((_total([cells[p] for p in group]) for group in _groups(grid)), default=0)
    room = (width - figures - _GAP * len(names)) // max(1, len(names))
    room = max(_SHORTEST_NAME, room)
    rows = [
        [
            Text("\n".join(_lines(cell.plain, room)), style=cell.style)
            if place in names and cell_len(cell.plain) > room
            else cell
            for place, cell in enumerate(row)
        ]
        for row in grid.rows
    ]
    taken = sum(min(widths[p], room) + _GAP for p in names)
    left = max(_SHORTEST_NAME, width - taken)
    columns = [
        GridColumn(
            "\n".join(x for line in c.heading.split("\n") for x in _lines(line, left)),
            c.with_last,
            c.words,
        )
        for c in grid.columns
    ]
    return Grid(grid.names, columns, rows)


def _lines(name: str, room: int) -> Iterator[str]:
    """The name in pieces of at most `room` columns, broken after a sign where there is one."""
    line = ""
    for piece in re.findall(r".+?(?:[-/_. ]+|$)", name):
        if line.strip() and cell_len(line + piece.rstrip()) > room:
            yield line.rstrip()
            line = " "
        while cell_len(line + piece.rstrip()) > room:
            first, *_ = chop_cells(piece, room - cell_len(line) - 1)
            yield line + first + _GOES_ON
            line, piece = " ", piece[len(first) :]
        line += piece
    yield line.rstrip()


def _widths(grid: Grid) -> list[int]:
    return [
        max(
            cell_len(line)
            for text in (column.heading, *(row[place].plain for row in grid.rows))
            for line in text.split("\n")
        )
        for place, column in enumerate(grid.columns)
    ]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _table(grid: Grid, places: Sequence[int]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for place in places:
        column = grid.columns[place]
        words = column.words or place < grid.names
        table.add_column(column.heading, justify="left" if words else "right", no_wrap=True)
    for row in grid.rows:
        table.add_row(*[row[place] for place in places])
    return table
