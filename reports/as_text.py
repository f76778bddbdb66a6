"""Figures and outside text as a terminal shows them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from evals.metric import UNSAID
from evals.metrics import METRICS
from fixtures.shown import printable

_MISSING = "*"


def is_share(metric: str) -> bool:
    """Whether a metric is a part of a whole, and so said in percent."""
    return METRICS[metric].is_share


def value(metric: str, number: float | None) -> str:
    """A value of a metric with its unit: 0.0625 of wer is "6.25 %"."""
    if number is None:
        return "-"
    if is_share(metric):
        return f"{100 * number:.2f} %"
    unit = METRICS[metric].unit
    return short(number) + ("" if unit in UNSAID else f" {unit}")


def interval(metric: str, ends: tuple[float, float] | None) -> str:
    """A 95 % interval, without its unit."""
    if ends is None:
        return "-"
    low, high = ends
    return f"{_bare(metric, low)} to {_bare(metric, high)}"


def points(metric: str, number: float | None) -> str:
    """A difference of values with its sign; of shares in percentage points."""
    if number is None:
        return "-"
    # Adding 0 turns -0.0, which is what rounding leaves of a tiny one, into 0.0.
    return f"{round(100 * number, 2) + 0.0:+.2f}" if is_share(metric) else f"{number + 0.0:+.4g}"


def point_interval(metric: str, ends: tuple[float, float] | None) -> str:
    """The interval of a difference, each end with its sign."""
    return "-" if ends is None else f"{points(metric, ends[0])} to {points(metric, ends[1])}"


def short(number: float) -> str:
    """Four digits: enough to compare, not more than is known."""
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"


def plain(text: str) -> str:
    """Text from outside without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() else " " for c in text)


def by_lines(text: str) -> str:
    r"""Text of several lines, with what does not print as its escape, such as \x1b."""
    return printable(text, keep="\n")


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


def _bare(metric: str, number: float) -> str:
    return f"{100 * number:.2f}" if is_share(metric) else short(number)
