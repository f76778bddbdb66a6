"""Tables of plain text, as wide as they are: a narrow terminal wraps lines, which loses nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.cells import cell_len

from reports.text.safe_terminal import plain


def text_table(
    left: Sequence[str], right: Sequence[str], last: Sequence[str], rows: Iterable[Sequence[str]]
) -> Iterator[str]:
    """The lines of a table.

    left, right, last: headings of columns of words, of figures, and of words again.
    """
    headings = [*left, *right, *last]
    figures = range(len(left), len(left) + len(right))
    cells = [[plain(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        spaces = [" " * (width - cell_len(cell)) for width, cell in zip(widths, row, strict=True)]
        parts = [
            s + c if i in figures else c + s
            for i, (c, s) in enumerate(zip(row, spaces, strict=True))
        ]
        yield "  ".join(parts).rstrip()
