"""The key of an OpenAI-compatible server, and keeping it out of what is said."""

from __future__ import annotations

import itertools
import os

from adapters.engines.openai_api.options import ENGINE
from adapters.interface import ModelError


class Key:
    """The key, shown by no repr."""

    def __init__(self, value: str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "Key(...)"

    def strike(self, text: str) -> str:
        """Replace the key, and any eight characters of it in a row: servers shorten and cut."""
        key = self.value.lower()
        if not key:
            return text
        width = min(8, len(key))
        hidden = [False] * len(text)
        for start in range(len(text) - width + 1):
            if text[start : start + width].lower() in key:
                hidden[start : start + width] = [True] * width
        runs = itertools.groupby(zip(hidden, text, strict=True), key=lambda pair: pair[0])
        return "".join("[key]" if hide else "".join(c for _, c in run) for hide, run in runs)


def key_in(variable: str | None) -> Key:
    """The key in an environment variable; empty for a server without keys. Raises ModelError."""
    if variable is None:
        return Key("")
    value = os.environ.get(variable, "")
    if not value:
        raise ModelError(
            f"{ENGINE}: the environment variable {variable} is not set: put the key there, or "
            "set api_key_env: null for a server without keys"
        )
    if not all("!" <= character <= "~" for character in value):
        raise ModelError(
            f"{ENGINE}: the environment variable {variable} holds what no key does "
            "(a blank, a line break or a character beyond ASCII)"
        )
    return Key(value)
