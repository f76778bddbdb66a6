"""Reads a page as a person's browser does not: every figure with its origin, every script, every link."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

_VOID = {"meta", "link", "input", "br", "hr", "img"}


@dataclass
class Element:
    name: str
    attributes: dict[str, str | None]
    text: str = ""
    parents: tuple[str, ...] = ()


@dataclass
class Page(HTMLParser):
    """elements: all of them, in order, each with all text inside it. loose: texts that stand in no
    element with an origin of its own."""

    html: str
    elements: list[Element] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[Element] = []
        self.feed(self.html)
        self.close()
        assert not self._open, f"never closed: {[e.name for e in self._open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs), parents=tuple(e.name for e in self._open))
        self.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs), parents=tuple(e.name for e in self._open)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> without a beginning"
        assert self._open[-1].name == tag, f"</{tag}> ends {self._open[-1].name}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data
        known = {"data-key", "data-source", "data-count"}
        inside = {e.name for e in self._open}
        if not inside & {"script", "style", "title", "svg", "figure"} and not any(
            known & e.attributes.keys() for e in self._open
        ):
            self.loose.append(data)

    def having(self, attribute: str) -> list[Element]:
        return [e for e in self.elements if attribute in e.attributes]

    def named(self, name: str) -> list[Element]:
        return [e for e in self.elements if e.name == name]

    @property
    def text(self) -> str:
        """What there is to read, with whitespace as one."""
        main = next(e for e in self.elements if e.name == "main")
        return re.sub(r"\s+", " ", main.text)

    @property
    def errors(self) -> dict[str, Any]:
        """The data of the errors section."""
        (data,) = (e for e in self.elements if e.attributes.get("id") == "errors-data")
        found: dict[str, Any] = json.loads(data.text)
        return found


def resolve(pointer: str, card: Any) -> Any:
    """The value at a JSON pointer, as RFC 6901 has it."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        card = card[int(name)] if isinstance(card, list) else card[name]
    return card
