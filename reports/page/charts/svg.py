"""SVG written by hand: elements, text that fits, and a figure with its caption.

All text is escaped, and colours are the page's CSS variables, each with a colour for
where there is no page. A drawing is WIDTH units wide, so that on a phone (358 pixels
beside its margins) a unit is nearly a pixel and SMALL text can be read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from markupsafe import Markup, escape

from reports.text.safe_html import plain

WIDTH = 380.0
#: Heights of text in units: of names and values, and of ticks and remarks.
TEXT = 12.5
SMALL = 11.5

INK = "var(--ink, #1b1f24)"
MUTED = "var(--muted, #59636e)"
PAPER = "var(--paper, #ffffff)"
LINE = "var(--line, #d6dbe1)"
ACCENT = "var(--accent, #2456a6)"
BAD = "var(--bad, #b3261e)"

#: What XML 1.0 has no place for and `plain` leaves.
_NOT_XML = re.compile("[\ufffe\uffff]")
_NARROW = frozenset("iIjlt.,:;'|!()[]f-/ ")
_BROAD = frozenset("mwMW%@&")
_ELLIPSIS = "…"


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """An element. Attributes: None is left out, `_` is `-`, a trailing `_` is dropped."""
    words = name
    for key, value in attributes.items():
        if value is not None:
            said = number(value) if isinstance(value, float | int) else escape(legal(str(value)))
            words += f' {key.rstrip("_").replace("_", "-")}="{said}"'
    inside = join(children)
    if not inside and name in ("line", "rect", "path"):
        return Markup(f"<{words}/>")  # noqa: S704  every attribute was escaped
    return Markup(f"<{words}>{inside}</{name}>")  # noqa: S704  so was what is inside


def join(parts: Iterable[object]) -> Markup:
    """One after another; what is no Markup is escaped, None is nothing."""
    known = (part for part in parts if part is not None)
    whole = "".join(p if isinstance(p, Markup) else escape(legal(str(p))) for p in known)
    return Markup(whole)  # noqa: S704  every part was escaped


def legal(text: str) -> str:
    """Text in which nothing hides or reorders, and which XML has a place for."""
    return _NOT_XML.sub("\ufffd", plain(text))


def number(value: float) -> str:
    """A coordinate to a hundredth of a unit."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if value else "0"


def text(
    x: float,
    y: float,
    said: str,
    *,
    size: float = SMALL,
    anchor: str = "start",
    fill: str = INK,
    halo: bool = False,
    **attributes: object,
) -> Markup:
    """Text with its baseline at y. anchor: start, middle or end. halo: it lies over lines."""
    where = None if anchor == "start" else anchor
    if halo:
        attributes |= {"stroke": PAPER, "stroke_width": 3, "paint_order": "stroke"}
    return tag("text", said, x=x, y=y, font_size=size, text_anchor=where, fill=fill, **attributes)


@lru_cache(4096)
def width_of(said: str, size: float) -> float:
    """About how wide text is in units, rather too much than too little.

    Nothing here knows the reader's font: the widths are those of common sans-serif ones.
    """
    return size * sum(map(_em, said))


def _em(character: str) -> float:
    if character.isascii():
        if character in _NARROW:
            return 0.34
        if character in _BROAD:
            return 0.92
        return 0.68 if character.isupper() else 0.57
    if unicodedata.combining(character):
        return 0.0
    return 1.0 if unicodedata.east_asian_width(character) in "WF" else 0.68


@lru_cache(4096)
def shorten(said: str, width: float, size: float) -> str:
    """Text that fits: of longer text the middle is left out, as names differ at their ends."""
    if width_of(said, size) <= width:
        return said
    for kept in range(len(said) - 1, 0, -1):
        head = (kept + 1) // 2
        short = said[:head] + _ELLIPSIS + said[len(said) - (kept - head) :]
        if width_of(short, size) <= width:
            return short
    return _ELLIPSIS


def line(
    x1: float, y1: float, x2: float, y2: float, stroke: str = LINE, **attributes: object
) -> Markup:
    """A line of one unit, unless stroke_width says otherwise."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=stroke, **attributes)


def rect(x: float, y: float, width: float, height: float, **attributes: object) -> Markup:
    """A rectangle, never of less than no width."""
    return tag("rect", x=x, y=y, width=max(0.0, width), height=max(0.0, height), **attributes)


def keyed(key: str | None, title: str, *children: object, run: str | None = None) -> Markup:
    """What shows a figure: where it stands in the scorecard, and what it says in full.

    run: whose scorecard, where a chart is of several.
    """
    return tag("g", tag("title", title), *children, data_key=key, data_run=run)


def picture(height: float, label: str, *children: object) -> Markup:
    """A drawing WIDTH units wide. label: what it shows, for those who cannot see it."""
    return tag(
        "svg",
        *children,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {number(WIDTH)} {number(height)}",
        width="100%",
        role="img",
        aria_label=label,
        style="display:block;font-variant-numeric:tabular-nums",
    )


def figure(caption: str, remark: str, drawing: Markup, *notes: object) -> Markup:
    """A drawing under its caption, over its notes, no wider than reads well."""
    muted = f"color:{MUTED}"
    return tag(
        "figure",
        tag("figcaption", tag("strong", caption), " ", tag("span", remark, style=muted)),
        drawing,
        *(tag("p", note, style=f"{muted};font-size:.85em;margin:.3em 0 0") for note in notes),
        class_="chart",
        style="margin:0;min-width:0;max-width:27rem",
    )


def grid(figures: Iterable[Markup]) -> Markup | None:
    """Figures side by side where there is room; None without any."""
    drawn = list(figures)
    if not drawn:
        return None
    columns = "repeat(auto-fill,minmax(min(100%,25rem),1fr))"
    style = f"display:grid;grid-template-columns:{columns};gap:1.5rem;align-items:start"
    return tag("div", *drawn, class_="charts", style=style)
