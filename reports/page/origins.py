"""Values of a scorecard as the pages write them: each names its key in scorecard.json.

A key is a JSON pointer (RFC 6901) and a format one of FORMATS, so that who has both files can
check each figure: `FORMATS[format](value at key)` is the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any

from markupsafe import Markup
from pydantic import BaseModel

from reports.scorecard.scorecard import Scorecard
from reports.text.formats import FORMATS

_SPAN = Markup('<span class="n" data-key="{}" data-format="{}">{}</span>')
_BDI = Markup('<bdi data-key="{}" data-format="{}">{}</bdi>')
#: Formats of texts, which may run from right to left; the others write numbers.
_TEXTS = frozenset({"text", "words", "options"})


class Origins:
    """Where each object of a scorecard stands in its file."""

    def __init__(self, card: Scorecard) -> None:
        self._card = card  # an id means its object only while that lives
        self._keys = {id(each): key for key, each in _objects(card, "")}

    def key(self, owner: object, *path: str | int) -> str:
        """The JSON pointer of what is at a path within an object of the scorecard."""
        return self._keys[id(owner)] + pointer(*path)

    def write(self, owner: Any, *path: str | int, form: str = "text") -> Markup:
        """The value at a path within an object of the scorecard, in a format of FORMATS."""
        value = owner
        for part in path:
            named = isinstance(part, str) and not isinstance(value, dict)
            value = getattr(value, str(part)) if named else value[part]
        element = _BDI if form in _TEXTS else _SPAN
        return element.format(self.key(owner, *path), form, FORMATS[form](value))


def pointer(*path: str | int) -> str:
    """The JSON pointer of a path, as RFC 6901 writes it."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def _objects(value: Any, key: str) -> Iterator[tuple[str, object]]:
    """The objects with fields in a value, itself included, with their keys."""
    if isinstance(value, BaseModel):
        yield key, value
        for name in type(value).model_fields:
            yield from _objects(getattr(value, name), key + pointer(name))
    elif isinstance(value, list):
        for i, each in enumerate(value):
            yield from _objects(each, f"{key}/{i}")
    elif is_dataclass(value):
        yield key, value
