"""How much worse a model hears under each condition than on the same speech undisturbed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup

from evals.tasks.robustness.scores import CLEAN
from reports.page.charts.labels import Row, missing, rows, said, ticker
from reports.page.charts.markers import colour, legend, marker, parted, whisker
from reports.page.charts.scales import Scale, bottom_axis, left_axis, linear, within_reach
from reports.page.charts.svg import (
    BAD,
    LINE,
    MUTED,
    TEXT,
    WIDTH,
    figure,
    grid,
    join,
    keyed,
    line,
    number,
    picture,
    rect,
    shorten,
    tag,
    text,
    width_of,
)
from reports.scorecard.scorecard import Scorecard

#: "white-20db": noise of that level below the speech. "gain-12db" alone is no curve.
_LEVEL = re.compile(r"(.+?)-(\d+(?:\.\d+)?)db")
#: Lines on one chart.
_MOST_MODELS = 6
_LEFT, _RIGHT = 46.0, WIDTH - 16.0
_TOP, _BOTTOM = 22.0, 200.0
_NAMES = 120.0

_Drifts = Mapping[tuple[str, str], Row]


def robustness(card: Scorecard) -> Markup | None:
    """For each corpus a curve for each kind of noise, and dots for the rest; None without any."""
    own = [row for row in rows(card) if row.measurement.task == "robustness"]
    drawn: list[Markup] = []
    for corpus in dict.fromkeys(row.measurement.corpus for row in own):
        here = [row for row in own if row.measurement.corpus == corpus]
        drifts = {
            (r.measurement.slice, r.measurement.model): r
            for r in here
            if r.measurement.metric == "wer_drift"
        }
        present = {model for _, model in drifts}
        models = [(i, m.name) for i, m in enumerate(card.models) if m.name in present]
        curves, single = _kinds(dict.fromkeys(condition for condition, _ in drifts))
        base = [r for r in here if r.measurement.metric == "wer" and r.measurement.slice == CLEAN]
        remark = f"on {corpus}, WER under it minus WER of the clean speech, in points"
        # More lines than these could not be told apart; the scale is that of all.
        groups = parted(models, _MOST_MODELS)
        for noise, levels in curves.items():
            drawn += [
                _curve(noise, levels, some, drifts, remark + which, base) for some, which in groups
            ]
        if single:
            caption = "Other conditions" if curves else "Conditions"
            drawn += [
                _dots(caption, single, some, drifts, remark + which, base) for some, which in groups
            ]
    return grid(drawn)


def _kinds(
    conditions: Iterable[str],
) -> tuple[Mapping[str, Mapping[float, str]], Sequence[str]]:
    """Noise to its conditions by level in dB, and the conditions that are no part of a curve."""
    found: defaultdict[str, dict[float, str]] = defaultdict(dict)
    everything = list(conditions)
    for condition in everything:
        if match := _LEVEL.fullmatch(condition):
            found[match[1]][float(match[2])] = condition
    curves = {
        noise: dict(sorted(levels.items(), reverse=True))
        for noise, levels in found.items()
        if len(levels) > 1
    }
    on_curves = {c for levels in curves.values() for c in levels.values()}
    return curves, [c for c in everything if c not in on_curves]


def _curve(
    noise: str,
    levels: Mapping[float, str],
    models: Sequence[tuple[int, str]],
    drifts: _Drifts,
    remark: str,
    base: Sequence[Row],
) -> Markup:
    """Drift over the level of a noise, the loudest noise to the right."""
    here = [row for (condition, _), row in drifts.items() if condition in levels.values()]
    y = _scale(here, _BOTTOM, _TOP, most=5)
    louder, softer = min(levels), max(levels)
    room = 3.0 * len(models)

    def place(level: float) -> float:
        part = (softer - level) / (softer - louder)
        return _LEFT + 12 + room / 2 + part * (_RIGHT - _LEFT - 24 - room)

    drawn = left_axis(y, _LEFT, _RIGHT, ticker(y, "wer_drift"))
    free_from = 0.0
    for level in levels:
        x = place(level)
        label = f"{level:g} dB"
        drawn.append(line(x, _BOTTOM, x, _BOTTOM + 4))
        if x - 20 >= free_from:
            drawn.append(text(x, _BOTTOM + 17, label, anchor="middle", fill=MUTED, class_="level"))
            free_from = x + 22
    drawn.append(text(0, 13, "points", fill=MUTED))
    drawn.append(text(_RIGHT, _BOTTOM + 33, "louder noise →", anchor="end", fill=MUTED))
    spoken: list[str] = []
    for order, (index, model) in enumerate(models):
        aside = (order - (len(models) - 1) / 2) * 3.0
        known = [(place(level) + aside, drifts.get((c, model))) for level, c in levels.items()]
        drawn.append(_line([(x, row) for x, row in known], y, colour(index)))
        for x, row in known:
            if row is None:
                continue
            spoken.append(row.title)
            m = row.measurement
            drawn += _limit_upright(row, x, y)
            if m.value is not None:
                drawn.append(
                    keyed(
                        row.key,
                        row.title,
                        *whisker(y, m.ci, x, colour(index), upright=True),
                        marker(x, y(m.value), index),
                    )
                )
    more, height = legend(models, _BOTTOM + 40, WIDTH)
    label = f"WER drift in {noise} noise, {remark}. " + ". ".join(spoken)
    caption = f"{noise.capitalize()} noise"
    drawing = picture(height, label, *drawn, *more)
    return figure(caption, remark, drawing, *_notes(here, models, levels.values(), drifts, base))


def _dots(
    caption: str,
    conditions: Sequence[str],
    models: Sequence[tuple[int, str]],
    drifts: _Drifts,
    remark: str,
    base: Sequence[Row],
) -> Markup:
    """A row for each condition, in it a mark for each model."""
    here = [row for (condition, _), row in drifts.items() if condition in conditions]
    names = min(_NAMES, max(width_of(c, TEXT) for c in conditions))
    x = _scale(here, names + 10, _RIGHT, most=5)
    lane = 11.0 if len(models) < 4 else 9.0
    height = max(20.0, lane * len(models) + 6)
    bottom = 4 + height * len(conditions)
    drawn = bottom_axis(x, 4, bottom, ticker(x, "wer_drift"))
    spoken: list[str] = []
    for i, condition in enumerate(conditions):
        y = 4 + height * i
        if i:
            drawn.append(line(0, y, _RIGHT, y, stroke=LINE, stroke_dasharray="1 3"))
        short = shorten(condition, names, TEXT)
        name_at = y + height / 2 + 4
        drawn.append(tag("g", tag("title", condition), text(0, name_at, short, size=TEXT)))
        for order, (index, model) in enumerate(models):
            row = drifts.get((condition, model))
            if row is None:
                continue
            spoken.append(row.title)
            m = row.measurement
            top = y + 3 + lane * order + (height - 6 - lane * len(models)) / 2
            middle = top + lane / 2
            if m.limit is not None and x.holds(m.limit):
                limit = x(m.limit)
                drawn.append(
                    keyed(
                        row.limit_key,
                        row.limit_title,
                        rect(limit, top, x.end - limit, lane, fill=BAD, fill_opacity=0.07),
                        line(limit, top, limit, top + lane, stroke=BAD, stroke_width=1.4),
                    )
                )
            if m.value is not None:
                drawn.append(
                    keyed(
                        row.key,
                        row.title,
                        rect(
                            x.start, top, x.end - x.start, lane,
                            fill="none", pointer_events="all",
                        ),
                        *whisker(x, m.ci, middle, colour(index)),
                        marker(x(m.value), middle, index),
                    )
                )  # fmt: skip
    more, end = legend(models, bottom + 24, WIDTH)
    label = f"WER drift, {remark}. " + ". ".join(spoken)
    drawing = picture(end, label, *drawn, *more)
    return figure(caption, remark, drawing, *_notes(here, models, conditions, drifts, base))


def _line(known: Sequence[tuple[float, Row | None]], y: Scale, ink: str) -> Markup:
    """Through the known figures; what is missing leaves a gap."""
    path = ""
    pen_down = False
    for x, row in known:
        value = row.measurement.value if row is not None else None
        if value is not None:
            path += f"{'L' if pen_down else 'M'}{number(x)} {number(y(value))}"
        pen_down = value is not None
    return tag("path", d=path or "M0 0", fill="none", stroke=ink, stroke_width=1.6)


def _limit_upright(row: Row, x: float, y: Scale) -> list[Markup]:
    """A short line at the most that a condition may cost."""
    limit = row.measurement.limit
    if limit is None or not y.holds(limit):
        return []
    at = y(limit)
    bar = line(x - 7, at, x + 7, at, stroke=BAD, stroke_width=1.6, stroke_dasharray="4 2")
    return [keyed(row.limit_key, row.limit_title, bar)]


def _scale(own: Sequence[Row], start: float, end: float, *, most: int) -> Scale:
    values = [row.measurement.value for row in own if row.measurement.value is not None]
    ends = [e for row in own if row.measurement.value is not None for e in row.measurement.ci or ()]
    limits = [row.measurement.limit for row in own if row.measurement.limit is not None]
    near = [limit for limit in limits if within_reach(limit, [*values, *ends])]
    return linear([*values, *ends, *near], start, end, most=most, least=0.01)


def _notes(
    here: Sequence[Row],
    models: Sequence[tuple[int, str]],
    conditions: Iterable[str],
    drifts: _Drifts,
    base: Sequence[Row],
) -> list[Markup]:
    """The clean WER that the drifts start from, the limits, and what is not there."""
    names = {name for _, name in models}
    clean = [
        tag(
            "span",
            tag("bdi", row.measurement.model),
            f" {said(value, 'wer')}",
            data_key=row.key,
            title=row.title,
        )
        for row in base
        if (value := row.measurement.value) is not None and row.measurement.model in names
    ]
    notes: list[Markup] = []
    if clean:
        notes.append(join(["Clean WER: ", Markup(", ").join(clean), "."]))
    if any(r.measurement.limit is not None and r.measurement.model in names for r in here):
        notes.append(join(["Red line: the most that a condition may cost."]))
    gaps: list[Markup] = []
    for condition in conditions:
        for _, model in models:
            row = drifts.get((condition, model))
            if row is None:
                gaps.append(tag("span", tag("bdi", model), f" {condition} not run"))
            elif row.measurement.value is None:
                state = f" {condition} {missing(row.measurement)}"
                gaps.append(
                    tag("span", tag("bdi", model), state, data_key=row.key, title=row.title)
                )
    if gaps:
        notes.append(join(["Not shown: ", Markup("; ").join(gaps), "."]))
    return notes
