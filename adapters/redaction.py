"""Secrets in the environment: kept from the models' processes, and struck from what is written.

A variable counts as a secret by its name. The worker uses this too, so it stands alone.
"""

from __future__ import annotations

import json
import os
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

_WORDS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL")
#: Says how a library works; it is no secret, and models must run alike with and without.
_HARMLESS = ("TOKENIZERS_PARALLELISM",)
#: Shorter values are words that a transcript may well have.
SHORTEST = 8


def secret_names(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The variables that look like secrets, of this process or of another environment."""
    names = os.environ if environment is None else environment
    return tuple(
        name
        for name in names
        if name not in _HARMLESS and any(word in name.upper() for word in _WORDS)
    )


def withheld(needed: Iterable[str]) -> tuple[str, ...]:
    """The secrets of this process that an engine which needs those named must not get."""
    needed = set(needed)
    return tuple(name for name in secret_names() if name not in needed)


def redact(text: str) -> str:
    """The text with the value of each secret of this process replaced by its name: [NAME].

    Values of fewer than SHORTEST characters stay. As JSON and URLs write a value it is found too.
    """
    return redactor()(text)


def redactor() -> Callable[[str], str]:
    """`redact` for many texts: it reads the environment once, now, which takes most of the time."""
    found = _written()

    def redacted(text: str) -> str:
        for written, name in found:
            if written in text:
                text = text.replace(written, f"[{name}]")
        return text

    return redacted


def redact_file(path: Path, start: int = 0) -> bool:
    """Redact a file from byte `start` on; says whether it held a secret. No file holds none.

    What is no text stays as it is. The file is replaced at once, so that nothing of it is lost.
    """
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(start)
        before = file.read().decode("utf-8", "surrogateescape")
    after = redact(before)
    if after == before:
        return False
    scratch = path.with_name(f".{path.name}.redacted")
    scratch.write_bytes(head + after.encode("utf-8", "surrogateescape"))
    scratch.replace(path)
    return True


def _written() -> list[tuple[str, str]]:
    """Every way in which a value may be written, with its name; the longest first.

    A value that begins with another would leave its end behind otherwise.
    """
    found = []
    for name in secret_names():
        value = os.environ.get(name, "").strip()
        if len(value) < SHORTEST:
            continue
        ways = (
            value,
            json.dumps(value)[1:-1],
            json.dumps(value, ensure_ascii=False)[1:-1],
            urllib.parse.quote(value, safe=""),
        )
        found += [(way, name) for way in dict.fromkeys(ways)]
    return sorted(found, key=lambda pair: -len(pair[0]))
