"""Where a model fails: a heat map of the word error rate of each part of a corpus."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from markupsafe import Markup

from evals.measures.text.slices import FEWEST
from reports.page.charts.labels import Row, missing, rows, tick_said
from reports.page.charts.markers import marker, parted
from reports.page.charts.scales import linear
from reports.page.charts.svg import (
    ACCENT,
    INK,
    LINE,
    MUTED,
    SMALL,
    WIDTH,
    figure,
    grid,
    keyed,
    number,
    picture,
    rect,
    shorten,
    tag,
    text,
    width_of,
)
from reports.scorecard.scorecard import Scorecard

#: The narrowest cell that holds "100.0", and the widest.
_NARROWEST, _WIDEST = 44.0, 90.0
_ROW = 20.0
#: Columns on one map.
_MOST_MODELS = 5
#: Parts on one map, the worst ones.
_MOST_PARTS = 20
#: The darkest cell: ink on it can still be read, in the light and in the dark.
_DARKEST = 0.55
_LINES = 3
#: How far names slant that are too long for their column, and how long they may be.
_SLANT = math.radians(38)
_SLANTED = 130.0


def slices(card: Scorecard) -> Markup | None:
    """A map for each corpus and kind of part (category, speaker...); None without any."""
    own = [
        row
        for row in rows(card)
        if row.measurement.metric == "wer" and "=" in row.measurement.slice
    ]
    drawn: list[Markup] = []
    for task, corpus in dict.fromkeys((r.measurement.task, r.measurement.corpus) for r in own):
        here = [r for r in own if (r.measurement.task, r.measurement.corpus) == (task, corpus)]
        values = [r.measurement.value for r in here if r.measurement.value is not None]
        # One scale for all maps of a corpus, so that they can be compared.
        most = min(1.0, linear([max(0.0, v) for v in values], 0, 1, least=0.01).high)
        present = {r.measurement.model for r in here}
        models = [(i, m.name) for i, m in enumerate(card.models) if m.name in present]
        for kind in dict.fromkeys(r.measurement.slice.partition("=")[0] for r in here):
            of_kind = [r for r in here if r.measurement.slice.partition("=")[0] == kind]
            where = corpus if task == "asr" else f"{corpus} ({task})"
            for some, which in parted(models, _MOST_MODELS):
                drawn.append(_draw(where, kind, of_kind, some, which, most))
    return grid(drawn)


def _draw(
    corpus: str,
    kind: str,
    own: Sequence[Row],
    models: Sequence[tuple[int, str]],
    which: str,
    most: float,
) -> Markup:
    table = {(r.measurement.slice, r.measurement.model): r for r in own}
    names = _ordered(own)
    shown = names[:_MOST_PARTS]
    values = [name.partition("=")[2] for name in shown]
    room = WIDTH - _NARROWEST * len(models) - 6
    widest = min(room, max(60.0, *(width_of(value, SMALL) for value in values)))
    left = widest + 6
    cell = min(_WIDEST, (WIDTH - left) / len(models))
    drawn: list[Markup] = []
    top = _headings(drawn, models, left, cell)
    y = top
    spoken: list[str] = []
    for name, value in zip(shown, values, strict=True):
        short = shorten(value, widest, SMALL)
        drawn.append(tag("g", tag("title", value), text(0, y + 14, short)))
        for column, (_, model) in enumerate(models):
            row = table.get((name, model))
            drawn.append(_cell(row, f"{model}, {value}", left + cell * column, y, cell, most))
            if row is not None:
                spoken.append(row.title)
        y += _ROW
    drawn += _ramp(most, left, y + 10)
    said_of = f"on {corpus}, WER in %{which}"
    if len(names) > len(shown):
        said_of += f", the {len(shown)} worst of {len(names)}"
    cells = [table.get((name, model)) for name in shown for _, model in models]
    measured = [row.measurement for row in cells if row and row.measurement.value is not None]
    few = any(m.n < FEWEST for m in measured)
    notes = [f"Italics: fewer than {FEWEST} utterances."] if few else []
    if len(measured) < len(cells):
        notes.append("none: not run, not measured or an error; touch or point to see which.")
    label = f"Word error rate by {kind} {said_of}. " + ". ".join(spoken)
    return figure(f"Errors by {kind}", said_of, picture(y + 40, label, *drawn), *notes)


def _ordered(own: Sequence[Row]) -> list[str]:
    """Parts with the worst first; lengths, which have an order of their own, in that."""
    worst: dict[str, float] = {}
    for row in own:
        m = row.measurement
        worst[m.slice] = max(worst.get(m.slice, -1.0), -1.0 if m.value is None else m.value)
    if all(re.match(r"duration=(over )?\d", name) for name in worst):
        return sorted(worst, key=_seconds)
    return sorted(worst, key=lambda name: (-worst[name], name))


def _seconds(name: str) -> tuple[float, bool]:
    found = re.search(r"[\d.]+", name)
    return float(found[0]) if found else 0.0, "over" in name


def _headings(
    drawn: list[Markup], models: Sequence[tuple[int, str]], left: float, cell: float
) -> float:
    """Each model's mark over its column with its name: on a few lines, or slanted where they
    would not hold it. Where the rows begin."""
    lines = [_wrapped(name, cell - 4) for _, name in models]
    fits = all(len(words) <= _LINES for words in lines)
    fits = fits and all(width_of(w, SMALL) <= cell - 4 for words in lines for w in words)
    if fits:
        height = 13.0 * max(map(len, lines))
    else:
        longest = max(width_of(name, SMALL) for _, name in models)
        height = min(_SLANTED, longest) * math.sin(_SLANT) + 8
    for column, ((index, name), words) in enumerate(zip(models, lines, strict=True)):
        middle = left + cell * (column + 0.5)
        parts = [marker(middle, height + 10, index)]
        if fits:
            base = height - 13 * (len(words) - 1)
            parts += [
                text(middle, base + 13 * i, word, anchor="middle") for i, word in enumerate(words)
            ]
        else:
            room = min(_SLANTED, (middle - 4) / math.cos(_SLANT))
            turn = f"rotate({number(math.degrees(_SLANT))} {number(middle + 2)} {number(height)})"
            short = shorten(name, room, SMALL)
            parts.append(text(middle + 2, height, short, anchor="end", transform=turn))
        drawn.append(tag("g", tag("title", name), *parts))
    return height + 19


def _wrapped(name: str, width: float) -> list[str]:
    """A name on lines, broken after a hyphen or the like; a long word has one of its own."""
    lines: list[str] = []
    for word in re.findall(r"[^-_/ .]*[-_/ .]|[^-_/ .]+", name):
        if lines and width_of(lines[-1] + word, SMALL) <= width:
            lines[-1] += word
        else:
            lines.append(word)
    return [line.strip() for line in lines]


def _cell(row: Row | None, where: str, x: float, y: float, width: float, most: float) -> Markup:
    """The value on a tint of it; what does not exist says so on no tint."""
    middle, base = x + width / 2, y + 14
    edge = {"stroke": LINE, "stroke_width": 0.6}
    if row is None or row.measurement.value is None:
        title = row.title if row else f"{where}: not run"
        state = missing(row.measurement) if row else "not run"
        # Narrow cells have no room for words; the title has them.
        if width_of(state, SMALL) > width - 2:
            state = "none"
        box = rect(x, y, width, _ROW, fill="none", pointer_events="all", **edge)
        said_so = text(middle, base, state, anchor="middle", fill=MUTED, font_style="italic")
        return keyed(row.key if row else None, title, box, said_so)
    m = row.measurement
    value = m.value or 0.0
    share = min(1.0, max(0.0, value / most))
    box = rect(x, y, width, _ROW, fill=ACCENT, fill_opacity=_DARKEST * share, class_="cell", **edge)
    style = "italic" if m.n < FEWEST else None
    label = shorten(tick_said(value, 0.001, "percent1").removesuffix(" %"), width - 2, SMALL)
    return keyed(
        row.key,
        row.title,
        box,
        text(middle, base, label, anchor="middle", fill=INK, font_style=style),
    )


def _ramp(most: float, left: float, y: float) -> list[Markup]:
    """What the tints mean."""
    steps, wide = 10, 130.0
    drawn = [
        rect(left + wide * i / steps, y, wide / steps, 8, fill=ACCENT,
             fill_opacity=_DARKEST * (i + 0.5) / steps)
        for i in range(steps)
    ]  # fmt: skip
    drawn.append(text(left, y + 21, "0 %", fill=MUTED))
    end = tick_said(most, most, "percent2")
    end = f"{end} and more" if most >= 1 else end
    drawn.append(text(left + wide, y + 21, end, anchor="end", fill=MUTED))
    return drawn
