"""Times and words as a terminal shows them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from reports.text.safe_terminal import plain

_MISSING = "*"


def when(started: str) -> str:
    """An ISO time to the minute."""
    return plain(started).replace("T", " ")[:16]


def say(text: str) -> None:
    """Print; what the terminal's encoding has no character for becomes a question mark."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))


def stacked(columns: Sequence[tuple[str | None, ...]], width: int) -> Iterable[list[str]]:
    """Rows of words with each column as wide as its widest word, in blocks of at most `width`.

    None is shown as asterisks, as many as the other words of its column have cells.
    """
    block: list[list[str]] = []
    used = 0
    for column in columns:
        words = [None if word is None else plain(word) for word in column]
        wide = max((cell_len(word) for word in words if word is not None), default=0)
        if block and used + wide > width:
            yield _rows(block)
            block, used = [], 0
        filled = [_MISSING * wide if word is None else word for word in words]
        block.append([word + " " * (wide - cell_len(word)) for word in filled])
        used += wide + 1
    if block:
        yield _rows(block)


def _rows(block: Sequence[Sequence[str]]) -> list[str]:
    return [" ".join(row).rstrip() for row in zip(*block, strict=True)]
