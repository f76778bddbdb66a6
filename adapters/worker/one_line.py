"""What a traceback comes to, in one line."""

from __future__ import annotations

import re

#: The line of a traceback that names the exception; what is above it is where it was raised.
_RAISED = re.compile(r"[A-Za-z_][\w.]*(?:: .*|:|$)")


def raised(text: str) -> str:
    """The exception that a traceback ends with, and the first line of what it says.

    A text that is no traceback gives its first line.
    """
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    starts = [n for n, line in enumerate(lines) if line.startswith("Traceback (")]
    if not starts:
        return lines[0].strip() if lines else ""
    for n in range(starts[-1] + 1, len(lines)):
        if _RAISED.fullmatch(lines[n]):
            more = lines[n + 1 : n + 2] if lines[n].endswith(":") else []
            return " ".join(line.strip() for line in (lines[n], *more))
    return lines[-1].strip()
