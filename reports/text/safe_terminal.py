"""Text from outside, made safe for a terminal and for the outputs of CI."""

from __future__ import annotations

from fixtures.safe_text import printable


def plain(text: str, *, keep: str = "") -> str:
    """The text with a space for each control character, which a terminal would obey.

    keep: characters that stay as they are.
    """
    return "".join(c if c.isprintable() or c in keep else " " for c in text)


def by_lines(text: str) -> str:
    r"""Text of several lines, with what does not print as its escape, such as \x1b."""
    return printable(text, keep="\n")
