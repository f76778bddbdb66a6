"""Where a model fails: a heat map of a metric of each part of a corpus, as its WER."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from markupsafe import Markup

from evals.measures.text.slices import FEWEST
from evals.metrics import METRICS
from evals.records.metric import Metric
from evals.task import TASKS
from reports.page.charts import svg
from reports.page.charts.labels import Row, form_of, missing, rows, tick_said
from reports.page.charts.markers import marker, parted
from reports.page.charts.scales import linear
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
    own: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows(card):
        m = row.measurement
        if "=" in m.slice and m.task in TASKS and m.metric in TASKS[m.task].sliced:
            own.setdefault((m.task, m.corpus, m.metric), []).append(row)
    tasks = {task for task, _, _ in own}
    drawn: list[Markup] = []
    for (task, corpus, metric), here in own.items():
        where = corpus if len(tasks) == 1 else f"{corpus} ({TASKS[task].title.lower()})"
        values = [r.measurement.value for r in here if r.measurement.value is not None]
        # One scale for all maps of a corpus, so that they can be compared.
        most = linear([max(0.0, v) for v in values], 0, 1, least=0.01).high
        if METRICS[metric].is_share:
            most = min(1.0, most)
        present = {r.measurement.model for r in here}
        models = [(i, m.name) for i, m in enumerate(card.models) if m.name in present]
        for kind in dict.fromkeys(r.measurement.slice.partition("=")[0] for r in here):
            of_kind = [r for r in here if r.measurement.slice.partition("=")[0] == kind]
            for some, which in parted(models, _MOST_MODELS):
                drawn.append(_draw(METRICS[metric], where, kind, of_kind, some, which, most))
    return svg.grid(drawn)


def _draw(
    metric: Metric,
    corpus: str,
    kind: str,
    own: Sequence[Row],
    models: Sequence[tuple[int, str]],
    which: str,
    most: float,
) -> Markup:
    table = {(r.measurement.slice, r.measurement.model): r for r in own}
    names = _ordered(own, metric)
    shown = names[:_MOST_PARTS]
    values = [name.partition("=")[2] for name in shown]
    room = svg.WIDTH - _NARROWEST * len(models) - 6
    widest = min(room, max(60.0, *(svg.width_of(value, svg.SMALL) for value in values)))
    left = widest + 6
    cell = min(_WIDEST, (svg.WIDTH - left) / len(models))
    drawn: list[Markup] = []
    top = _headings(drawn, models, left, cell)
    y = top
    spoken: list[str] = []
    for name, value in zip(shown, values, strict=True):
        short = svg.shorten(value, widest, svg.SMALL)
        drawn.append(svg.tag("g", svg.tag("title", value), svg.text(0, y + 14, short)))
        for column, (_, model) in enumerate(models):
            row = table.get((name, model))
            at = f"{model}, {value}"
            drawn.append(_cell(metric, row, at, left + cell * column, y, cell, most))
            if row is not None:
                spoken.append(row.title)
        y += _ROW
    drawn += _ramp(metric, most, left, y + 10)
    unit = f", in {metric.shown_unit}" if metric.shown_unit else ""
    said_of = f"on {corpus}{unit}{which}"
    if len(names) > len(shown):
        said_of += f", the {len(shown)} worst of {len(names)}"
    cells = [table.get((name, model)) for name in shown for _, model in models]
    measured = [row.measurement for row in cells if row and row.measurement.value is not None]
    few = any(m.n < FEWEST for m in measured)
    notes = [f"Italics: fewer than {FEWEST} utterances."] if few else []
    if len(measured) < len(cells):
        notes.append("none: not run, not measured or an error; touch or point to see which.")
    label = f"{metric.capitalized} by {kind} {said_of}. " + ". ".join(spoken)
    return svg.figure(
        f"{metric.capitalized} by {kind}", said_of, svg.picture(y + 40, label, *drawn), *notes
    )


def _ordered(own: Sequence[Row], metric: Metric) -> list[str]:
    """Parts with the worst first; lengths, which have an order of their own, in that."""
    worst: dict[str, float] = {}
    sign = 1 if metric.bound == "max" else -1
    for row in own:
        m = row.measurement
        badness = -math.inf if m.value is None else sign * m.value
        worst[m.slice] = max(worst.get(m.slice, -math.inf), badness)
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
    fits = fits and all(svg.width_of(w, svg.SMALL) <= cell - 4 for words in lines for w in words)
    if fits:
        height = 13.0 * max(map(len, lines))
    else:
        longest = max(svg.width_of(name, svg.SMALL) for _, name in models)
        height = min(_SLANTED, longest) * math.sin(_SLANT) + 8
    for column, ((index, name), words) in enumerate(zip(models, lines, strict=True)):
        middle = left + cell * (column + 0.5)
        parts = [marker(middle, height + 10, index)]
        if fits:
            base = height - 13 * (len(words) - 1)
            parts += [
                svg.text(middle, base + 13 * i, word, anchor="middle")
                for i, word in enumerate(words)
            ]
        else:
            room = min(_SLANTED, (middle - 4) / math.cos(_SLANT))
            turned = map(svg.number, (math.degrees(_SLANT), middle + 2, height))
            turn = f"rotate({' '.join(turned)})"
            short = svg.shorten(name, room, svg.SMALL)
            parts.append(svg.text(middle + 2, height, short, anchor="end", transform=turn))
        drawn.append(svg.tag("g", svg.tag("title", name), *parts))
    return height + 19


def _wrapped(name: str, width: float) -> list[str]:
    """A name on lines, broken after a hyphen or the like; a long word has one of its own."""
    lines: list[str] = []
    for word in re.findall(r"[^-_/ .]*[-_/ .]|[^-_/ .]+", name):
        if lines and svg.width_of(lines[-1] + word, svg.SMALL) <= width:
            lines[-1] += word
        else:
            lines.append(word)
    return [line.strip() for line in lines]


def _cell(
    metric: Metric, row: Row | None, where: str, x: float, y: float, width: float, most: float
) -> Markup:
    """The value on its tint; a figure that does not exist is named without a tint."""
    middle, base = x + width / 2, y + 14
    edge = {"stroke": svg.LINE, "stroke_width": 0.6}
    if row is None or row.measurement.value is None:
        title = row.title if row else f"{where}: not run"
        state = missing(row.measurement) if row else "not run"
        # Narrow cells have no room for words; the title has them.
        if svg.width_of(state, svg.SMALL) > width - 2:
            state = "none"
        box = svg.rect(x, y, width, _ROW, fill="none", pointer_events="all", **edge)
        said_so = svg.text(
            middle, base, state, anchor="middle", fill=svg.MUTED, font_style="italic"
        )
        return svg.keyed(row.key if row else None, title, box, said_so)
    m = row.measurement
    value = m.value or 0.0
    share = min(1.0, max(0.0, value / most))
    box = svg.rect(
        x, y, width, _ROW, fill=svg.ACCENT, fill_opacity=_DARKEST * share, class_="cell", **edge
    )
    style = "italic" if m.n < FEWEST else None
    form = "percent1" if metric.is_share else form_of(metric.name)
    label = svg.shorten(tick_said(value, 0.001, form).removesuffix(" %"), width - 2, svg.SMALL)
    return svg.keyed(
        row.key,
        row.title,
        box,
        svg.text(middle, base, label, anchor="middle", fill=svg.INK, font_style=style),
    )


def _ramp(metric: Metric, most: float, left: float, y: float) -> list[Markup]:
    """What the tints mean."""
    steps, wide = 10, 130.0
    drawn = [
        svg.rect(left + wide * i / steps, y, wide / steps, 8, fill=svg.ACCENT,
             fill_opacity=_DARKEST * (i + 0.5) / steps)
        for i in range(steps)
    ]  # fmt: skip
    form = form_of(metric.name)
    drawn.append(svg.text(left, y + 21, tick_said(0.0, most, form), fill=svg.MUTED))
    end = tick_said(most, most, form)
    end = f"{end} and more" if metric.is_share and most >= 1 else end
    drawn.append(svg.text(left + wide, y + 21, end, anchor="end", fill=svg.MUTED))
    return drawn
