"""Text from outside, made safe to look at: nothing in it can hide, reorder or break the page."""

from __future__ import annotations

import re

# Controls, what reorders or hides text (bidirectional and zero-width controls, separators), and
# halves of a character, which no file can hold.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_PICTURES = 0x2400  # of the controls below 0x20, in their order
_DELETE = 0x7F


def plain(text: str) -> str:
    """The text with every character that cannot be seen shown as a symbol."""
    return _HIDDEN.sub(_symbol, text)


def _symbol(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(_PICTURES + code)
    if code == _DELETE:
        return "\u2421"
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return f"\u27e8U+{code:04X}\u27e9"
