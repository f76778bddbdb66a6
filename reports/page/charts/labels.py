"""Figures of the scorecard as text, with the place in scorecard.json that each comes from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evals.measures.run_conditions import is_unfair
from evals.metrics import metric_of
from evals.records.measurement import Measurement
from reports.page.charts import svg
from reports.page.charts.scales import Scale
from reports.scorecard.scorecard import Scorecard
from reports.text.formats import FORMATS, format_of

_HUGE = 1e6
_POINTS = "points"
BROKEN = "✕"
#: What a mark beside a value means, in words.
MARKS = {BROKEN: "breaks its limit", "?": "not enough evidence for its limit", "~": "busy machine"}
_DECIDED = {"fail": BROKEN, "inconclusive": "?"}
UNFAIR = "Hollow, ~: taken while the machine was busy or shared, so it may be faster."


@dataclass(frozen=True, slots=True)
class Row:
    """A measurement and its index in the scorecard."""

    index: int
    measurement: Measurement

    @property
    def key(self) -> str:
        """The JSON pointer of its value."""
        return f"/measurements/{self.index}/value"

    @property
    def limit_key(self) -> str:
        return f"/measurements/{self.index}/limit"

    @property
    def title(self) -> str:
        """Model, corpus, metric, value, interval, n, and what was decided."""
        m = self.measurement
        part = "" if m.is_whole else f", {m.slice}"
        return f"{m.model} on {m.corpus}{part}: {described(m)}"

    @property
    def limit_title(self) -> str:
        m = self.measurement
        side = "at least" if m.bound == "min" else "at most"
        limit = said(m.limit, m.metric) if m.limit is not None else "none"
        return f"{m.model} on {m.corpus}: {named(m.metric)} {side} {limit}, by {m.limit_source}"

    @property
    def is_unfair(self) -> bool:
        """Whether the machine was not the model's alone, so that it looks slower than it is."""
        return is_unfair(self.measurement.conditions)

    @property
    def mark(self) -> str:
        """The mark behind the value: one of MARKS, or nothing."""
        if self.is_unfair:
            return "~"
        return mark_of(self.measurement.verdict)


def told_of(model: str, words: str, row: Row | None) -> Markup:
    """A note on a model, with the key of the figure that it is about, if there is one."""
    key, title = (row.key, row.title) if row else (None, None)
    return svg.tag("span", svg.tag("bdi", model), f" {words}", data_key=key, title=title)


def rows(card: Scorecard) -> Iterator[Row]:
    """Every measurement with its index."""
    for index, measurement in enumerate(card.measurements):
        yield Row(index, measurement)


def mark_of(verdict: str | None) -> str:
    """The mark behind a value for its verdict: one of MARKS, or nothing."""
    return _DECIDED.get(verdict or "", "")


def meant(marks: Collection[str]) -> list[str]:
    """The meanings of those marks that stand for a verdict."""
    return [f"{mark}: {MARKS[mark]}" for mark in _DECIDED.values() if mark in marks]


def described(m: Measurement) -> str:
    """Metric, value, interval, n, and what was decided, on one line."""
    if m.value is None:
        return f"{named(m.metric)} {missing(m)}" + (f": {m.reason}" if m.reason else "")
    words = [f"{named(m.metric)} {said(m.value, m.metric)}"]
    if m.ci is not None:
        words.append(interval_said(m.ci, m.metric))
    words.append(f"n = {m.n:,}")
    if m.limit is not None:
        side = "at least" if m.bound == "min" else "at most"
        words.append(f"{m.verdict} ({side} {said(m.limit, m.metric)})")
    if m.conditions:
        words.append(" and ".join(m.conditions) + (f": {m.reason}" if m.reason else ""))
    return ", ".join(words)


def interval_said(ci: Sequence[float], metric: str) -> str:
    """The ends of a 95 % interval."""
    return f"95 % interval {said(ci[0], metric)} to {said(ci[1], metric)}"


def missing(m: Measurement) -> str:
    """The state of a figure that does not exist: "not measured", "not supported" or "error"."""
    return m.verdict.replace("_", " ")


def named(metric: str) -> str:
    """A metric's name for people: "WER", "RTFx", "peak memory"."""
    return metric_of(metric).title


def form_of(metric: str) -> str:
    """The name of the format in which the pages write values of a metric."""
    return format_of(metric_of(metric))


def is_rate(metric: str) -> bool:
    """Whether values are written in percent, or as differences in points."""
    return form_of(metric).startswith(("percent", _POINTS))


def said(value: float, metric: str) -> str:
    """A value of a metric as the pages write it, with its unit: 0.0625 of wer is "6.25 %"."""
    return f"{FORMATS[form_of(metric)](value)} {metric_of(metric).shown_unit}".strip()


def change_said(value: float, metric: str) -> str:
    """A difference between two values of a metric, with its sign: in points for rates."""
    if is_rate(metric):
        return f"{FORMATS[_POINTS](value)} points"
    return f"{'+' if value > 0 else ''}{said(value, metric)}"


def tick_said(value: float, step: float, form: str) -> str:
    """A tick's text, with no more digits than ticks that are `step` apart need.

    form: a format of FORMATS; percentages and points are of ratios.
    """
    end = " %" if form.startswith("percent") else ""
    if end or form == _POINTS:
        value, step = 100 * value, 100 * step
    if abs(value) >= _HUGE or 0 < abs(value) < 1e-4:
        return f"{value:.0e}{end}"
    digits = 0
    while digits < 6 and abs(step * 10**digits - round(step * 10**digits)) > 1e-6:
        digits += 1
    sign = "+" if form == _POINTS and round(value, digits) > 0 else ""
    return f"{sign}{value + 0.0:,.{digits}f}{end}".replace("-", "\u2212")


def ticker(scale: Scale, metric: str) -> Callable[[float], str]:
    """Writes the ticks of a scale of a metric."""
    ticks = scale.ticks
    form = form_of(metric)
    if scale.log:
        return lambda tick: tick_said(tick, min(1.0, tick), form)
    return lambda tick: tick_said(tick, ticks[1] - ticks[0], form)
