"""The four panels: errors, speed, memory and scores, a row for each model and corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evals.records.measurement import ALL, Limit
from reports.page.charts.labels import (
    BROKEN,
    MARKS,
    UNFAIR,
    Row,
    form_of,
    is_rate,
    missing,
    named,
    rows,
    said,
    tick_said,
    ticker,
)
from reports.page.charts.markers import colour, marker, whisker
from reports.page.charts.scales import (
    Scale,
    bottom_axis,
    linear,
    logarithmic,
    spans_decades,
    within_reach,
)
from reports.page.charts.scores import scores
from reports.page.charts.svg import (
    BAD,
    INK,
    MUTED,
    SMALL,
    TEXT,
    WIDTH,
    figure,
    grid,
    join,
    keyed,
    line,
    picture,
    rect,
    shorten,
    tag,
    text,
    width_of,
)
from reports.scorecard.scorecard import Scorecard

_ROW = 22.0
_NAMES = 150.0  # the most room for names
_LEAST_NAMES = 70.0  # a limit's text stands over them
_RIGHT = 306.0  # where the plot ends; values stand right of it
_VALUES = WIDTH - 15.0
_TOP = 18.0  # room for what the limits are


@dataclass(frozen=True, slots=True)
class _Panel:
    """A metric of a task. by_limit_of: where a metric has no limit, its inverse's counts."""

    task: str
    metric: str
    caption: str
    better: str
    by_limit_of: str | None = None


_LOWER, _HIGHER = "lower is better", "higher is better"
_FAST = f"audio seconds per second: {_HIGHER}"
_PANELS = (
    _Panel("asr", "wer", "Word error rate", _LOWER),
    _Panel("asr", "rtfx", "Speed, RTFx", _FAST, "rtf"),
    _Panel("asr", "peak_memory", "Peak memory", _LOWER),
    _Panel("asr", "peak_device_memory", "Peak device memory", _LOWER),
    _Panel("tts", "wer", "Voices: word error rate", "as a judge hears them: lower is better"),
    _Panel("tts", "rtfx", "Voices: speed, RTFx", _FAST, "rtf"),
    _Panel("tts", "peak_memory", "Voices: peak memory", _LOWER),
    _Panel("tts", "peak_device_memory", "Voices: peak device memory", _LOWER),
    _Panel("chat", "turn_success_rate", "Chat: turns that succeed", _HIGHER),
    _Panel("chat", "first_audio_p95", "Chat: first audio, p95", _LOWER),
    _Panel("chat", "peak_memory", "Chat: peak memory", _LOWER),
    _Panel("chat", "peak_device_memory", "Chat: peak device memory", _LOWER),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Bound:
    """A row's limit in the panel's own unit."""

    limit: Limit
    key: str
    title: str


def panels(card: Scorecard) -> Markup | None:
    """Errors, speed, memory, scores, for each task that ran; None where none did."""
    everything = [row for row in rows(card) if row.measurement.slice == ALL]
    drawn = [_draw(card, panel, everything) for panel in _PANELS]
    return grid(d for d in (*drawn, *scores(card)) if d is not None)


def _draw(card: Scorecard, panel: _Panel, everything: Sequence[Row]) -> Markup | None:
    of_task = [row for row in everything if row.measurement.task == panel.task]
    own = [row for row in of_task if row.measurement.metric == panel.metric]
    known = [row.measurement.value for row in own if row.measurement.value is not None]
    if not own or (panel.metric == "peak_device_memory" and not known):
        return None
    at = {(row.measurement.model, row.measurement.corpus): row for row in own}
    corpora = list(dict.fromkeys(row.measurement.corpus for row in own))
    contestants = [
        (i, m.name)
        for i, m in enumerate(card.models)
        if panel.task in m.tasks or any(row.measurement.model == m.name for row in own)
    ]
    bounds = _bounds(panel, own, of_task)
    widest = max(width_of(name, TEXT) for _, name in contestants)
    names = min(_NAMES, max(_LEAST_NAMES, widest))
    scale = _scale(panel, own, bounds, names + 8)
    height = _TOP + len(corpora) * len(contestants) * _ROW + (len(corpora) > 1) * len(corpora) * 20
    drawn = bottom_axis(scale, _TOP, height, ticker(scale, panel.metric))
    drawn += _limit_labels(panel, scale, bounds)
    y = _TOP
    spoken: list[str] = []
    for corpus in corpora:
        if len(corpora) > 1:
            short = shorten(corpus, WIDTH, TEXT)
            drawn.append(text(0, y + 14, short, size=TEXT, fill=INK, font_weight="bold"))
            y += 20
        for index, name in contestants:
            row = at.get((name, corpus))
            bound = bounds.get(row.index) if row else None
            drawn.append(_row(panel, scale, y, index, name, corpus, row, bound))
            spoken.append(row.title if row else f"{name} on {corpus}: not run")
            y += _ROW
    label = f"{panel.caption} ({panel.better}). " + ". ".join(spoken)
    return figure(
        panel.caption,
        _remark(panel, own, corpora, scale),
        picture(height + 20, label, *drawn),
        *_notes(own, bounds, scale),
    )


def _row(
    panel: _Panel,
    scale: Scale,
    y: float,
    index: int,
    name: str,
    corpus: str,
    row: Row | None,
    bound: _Bound | None,
) -> Markup:
    """A model on a corpus: its name, its mark with the interval, its value."""
    middle = y + _ROW / 2
    shown = shorten(name, scale.start - 8, TEXT)
    parts: list[Markup] = [
        rect(0, y, WIDTH, _ROW, fill="none", pointer_events="all"),
        text(0, middle + 4, shown, size=TEXT),
    ]
    if row is None or row.measurement.value is None:
        state = missing(row.measurement) if row else "not run"
        parts.append(
            text(scale.start + 4, middle + 4, state, fill=MUTED, font_style="italic", halo=True)
        )
        title = row.title if row else f"{name} on {corpus}: {named(panel.metric)} not run"
        return keyed(row.key if row else None, title, *parts)
    m = row.measurement
    value = m.value or 0.0
    place = scale(value)
    ink = colour(index)
    if m.ci is None and not scale.log:
        # Without an interval the length itself can be read: from zero, like a bar.
        zero = scale(0.0)
        stem = {"stroke_width": 3, "stroke_opacity": 0.45}
        parts.append(line(zero, middle, place, middle, stroke=ink, **stem))
    parts += whisker(scale, m.ci, middle, ink, dashed=row.is_unfair)
    parts.append(marker(place, middle, index, hollow=row.is_unfair))
    broken = row.mark == BROKEN
    weight = "bold" if broken else None
    fill = BAD if broken else INK
    figure_said = shorten(said(value, m.metric), _VALUES - _RIGHT + 8, TEXT)
    parts.append(
        text(
            _VALUES, middle + 4, figure_said, size=TEXT, anchor="end", fill=fill, font_weight=weight
        )
    )
    if row.mark:
        parts.append(text(_VALUES + 3, middle + 4, row.mark, size=TEXT, fill=fill))
    whole = keyed(row.key, row.title, *parts)
    return join([_bound_drawn(scale, y, bound), whole]) if bound else whole


def _bound_drawn(scale: Scale, y: float, bound: _Bound) -> Markup | None:
    """The limit as a line through the row, and what lies past it tinted."""
    limit = bound.limit
    if not scale.holds(limit.value):
        return None
    x = scale(limit.value)
    past = (x, scale.end) if limit.bound == "max" else (scale.start, x)
    return keyed(
        bound.key,
        bound.title,
        rect(past[0], y, past[1] - past[0], _ROW, fill=BAD, fill_opacity=0.07),
        line(x, y, x, y + _ROW, stroke=BAD, stroke_width=1.4, stroke_dasharray="4 3"),
    )


def _bounds(panel: _Panel, own: Sequence[Row], of_task: Sequence[Row]) -> dict[int, _Bound]:
    """Index of a measurement to its limit; RTFx at least 1 / the limit of RTF."""
    found: dict[int, _Bound] = {}
    inverse = {
        (row.measurement.model, row.measurement.corpus): row
        for row in of_task
        if row.measurement.metric == panel.by_limit_of
    }
    for row in own:
        m = row.measurement
        source = row
        if m.limit is None and (m.model, m.corpus) in inverse:
            source = inverse[m.model, m.corpus]
        n = source.measurement
        if n.limit is None or n.bound is None:
            continue
        if source is row:
            limit, more = Limit(n.bound, n.limit, n.limit_source or ""), ""
        elif n.limit > 0:
            limit = Limit("min" if n.bound == "max" else "max", 1 / n.limit, n.limit_source or "")
            more = f" ({named(m.metric)} {said(limit.value, m.metric)})"
        else:
            continue
        found[row.index] = _Bound(limit, source.limit_key, source.limit_title + more)
    return found


def _scale(panel: _Panel, own: Sequence[Row], bounds: dict[int, _Bound], left: float) -> Scale:
    measured = [row.measurement for row in own if row.measurement.value is not None]
    values = [m.value for m in measured if m.value is not None]
    ends = [end for m in measured for end in m.ci or ()]
    limits = [b.limit.value for b in bounds.values()]
    if panel.metric != "wer" and spans_decades(values):
        # A lower end near zero must not add decades in which there is no value.
        floor = min(values) / 10
        return logarithmic(
            [*values, *(e for e in ends if e >= floor), *(v for v in limits if v >= floor)],
            left, _RIGHT, most=4,
        )  # fmt: skip
    near = [v for v in limits if within_reach(v, [*values, *ends])]
    return linear(
        [*values, *ends, *near], left, _RIGHT, most=4, least=0.01 if is_rate(panel.metric) else 1.0
    )


def _limit_labels(panel: _Panel, scale: Scale, bounds: dict[int, _Bound]) -> list[Markup]:
    """What the limits are, above the plot: the least and the most, and between as far as fits."""
    limits = [v for v in sorted({b.limit.value for b in bounds.values()}) if scale.holds(v)]
    if limits and scale(limits[-1]) - scale(limits[0]) < 12:
        limits = limits[:1]
    drawn: list[Markup] = []
    ends = {0: "end", len(limits) - 1: "start"} if len(limits) > 1 else {}
    free_from, free_until = 0.0, WIDTH
    if ends:
        free_from, free_until = scale(limits[0]) + 10, scale(limits[-1]) - 10
    for i, value in enumerate(limits):
        # A rate's two digits say nothing of a limit.
        rate = is_rate(panel.metric)
        label = (
            tick_said(value, value, form_of(panel.metric)) if rate else said(value, panel.metric)
        )
        label = label if i else f"limit {label}"
        half = width_of(label, SMALL) / 2
        anchor = ends.get(i, "middle")
        x = scale(value) + {"end": 4, "start": -4}.get(anchor, 0)
        if anchor == "middle":
            x = x if ends else min(WIDTH - half, max(half, x))
            if x - half < free_from or x + half > free_until:
                continue
            free_from = x + half + 6
        drawn.append(text(x, _TOP - 5, label, anchor=anchor, fill=BAD))
    return drawn


def _remark(panel: _Panel, own: Sequence[Row], corpora: Sequence[str], scale: Scale) -> str:
    words = [panel.better]
    if scale.log:
        words.append("log scale")
    if len(corpora) == 1:
        words.append(f"on {corpora[0]}")
        counts = {row.measurement.n for row in own if row.measurement.value is not None}
        if len(counts) == 1 and counts != {1}:
            words.append(f"n = {counts.pop():,}")
    if any(row.measurement.ci for row in own):
        words.append("95 % intervals")
    return ", ".join(words)


def _notes(own: Sequence[Row], bounds: dict[int, _Bound], scale: Scale) -> list[Markup | str]:
    """What the marks mean that are there, and the limits that are not."""
    notes: list[Markup | str] = []
    marks = {row.mark for row in own if row.measurement.value is not None}
    meant = [f"{mark}: {MARKS[mark]}" for mark in (BROKEN, "?") if mark in marks]
    if meant:
        notes.append(f"{'; '.join(meant)}.")
    if "~" in marks:
        notes.append(UNFAIR)
    beyond: dict[str, Markup] = {}
    for row in own:
        bound = bounds.get(row.index)
        if bound and not scale.holds(bound.limit.value):
            side = "at least" if bound.limit.bound == "min" else "at most"
            limit = f"{side} {said(bound.limit.value, row.measurement.metric)}"
            beyond.setdefault(limit, tag("span", limit, data_key=bound.key, title=bound.title))
    if beyond:
        notes.append(join(["Limits off the scale: ", Markup("; ").join(beyond.values())]))
    return notes
