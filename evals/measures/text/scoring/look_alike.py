"""Differences between two tokens that a reader cannot see, named by their code points."""

from __future__ import annotations

import unicodedata

from rapidfuzz.distance import Levenshtein

#: Letters of other scripts that look like Latin ones in most fonts.
_LATIN = str.maketrans(
    "\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0456\u0458\u0455\u03bf\u03b1\u03bd\u03c1\u0131",
    "aceopxyijsoavpi",
)


def unseen_difference(one: str | None, other: str | None) -> str | None:
    """The code points in which two tokens that look alike differ, None where a reader sees how.

    "U+0435 / U+0065" is a Cyrillic letter for a Latin one; what only one has stands alone.
    """
    if one is None or other is None or one == other or (one.isascii() and other.isascii()):
        return None
    if _looks(one) != _looks(other):
        return None
    return ", ".join(
        " / ".join(
            filter(
                None,
                (
                    _points(one[edit.src_start : edit.src_end]),
                    _points(other[edit.dest_start : edit.dest_end]),
                ),
            )
        )
        for edit in Levenshtein.opcodes(one, other)
        if edit.tag != "equal"
    )


def _looks(token: str) -> str:
    """A token without loose marks and what has no width, look-alikes as the Latin letter.

    A letter with its accent as one character is another letter, which a reader sees.
    """
    whole = unicodedata.normalize("NFC", token.casefold())
    return "".join(c for c in whole if unicodedata.category(c) not in ("Mn", "Cf")).translate(
        _LATIN
    )


def _points(text: str) -> str:
    return " ".join(f"U+{ord(c):04X}" for c in text)
