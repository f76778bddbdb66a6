"""Limits from repeated runs: how far a model's figures vary although nothing changed.

A limit that an unchanged model breaks now and then teaches people to ignore it; one
far beyond what was ever seen lets a regression through. What varies between runs of
one model on one corpus is its noise (times, memory, sampled decoding); what would
vary with another corpus of the kind is the sampling interval that each figure carries.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evals.gate.thresholds import Thresholds
from evals.measures.statistics.student_t import student_quantile, student_tail
from evals.metrics import METRICS, metric_of
from evals.records.measurement import Bound, Limit, Measurement
from reports.scorecard.scorecard import ModelRecord, Scorecard
from reports.text.outward import outward

#: With fewer, a standard deviation says next to nothing.
MIN_RUNS = 3
#: How often an unchanged model may break a proposed limit.
FLAKE_TARGET = 0.001
_DIGITS = 2

Key = tuple[str, str, str, str]  # model, corpus, task, metric


class NotComparable(ValueError):
    """Runs that differ in more than chance; a line for each difference."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What runs of one model say about one figure.

    values: of the runs that have it, in the order given.
    worst: the end of each value's interval that has to keep a limit for a "pass";
    the value itself where it has no interval.
    sampling: the widest 95 % interval seen, for another corpus of the kind; None without any.
    left_out: why runs are missing from `values`.
    limit: the strictest that holds for the figure now.
    strict: whether an interval that holds the limit breaks the gate.
    flake: the probability that the next run of an unchanged model breaks it; None where there
    is no limit, or fewer than MIN_RUNS values.
    proposal: a limit that it breaks less often than the target; None where none can be told.
    why_not: why there is no proposal.
    """

    model: str
    corpus: str
    task: str
    metric: str
    bound: Bound
    unit: str
    normalizer: str | None
    values: Sequence[float]
    worst: Sequence[float]
    sampling: tuple[float, float] | None
    left_out: Sequence[str]
    limit: Limit | None
    strict: bool
    flake: float | None
    proposal: float | None
    why_not: str | None

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def sd(self) -> float | None:
        """Between runs, with n - 1 in the denominator; None for a single one."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    @property
    def is_constant(self) -> bool:
        """Whether every run gave the same value."""
        return len(set(self.values)) == 1 and len(set(self.worst)) == 1


def calibrate(
    runs: Mapping[str, Scorecard], thresholds: Thresholds, *, target: float = FLAKE_TARGET
) -> list[Calibrated]:
    """Every figure of whole corpora in the runs, in the order of the first that has it.

    runs: by the name under which an error speaks of them.
    Raises NotComparable for runs of different models, corpora or machines. Changes since a
    baseline are left out, since they have a margin and not a limit.
    """
    _refuse(runs)
    models = {record.name: record for card in runs.values() for record in card.models}
    keys: dict[Key, None] = {}
    for card in runs.values():
        keys |= dict.fromkeys(_key(m) for m in card.measurements if _is_calibrated(m))
    figures = {
        key: [m for card in runs.values() for m in card.measurements if _is(m, key)] for key in keys
    }
    order = [*models]
    return [
        _calibrated(key, rows, len(runs), models[key[0]], thresholds, target)
        for key, rows in sorted(
            figures.items(), key=lambda item: (order.index(item[0][0]), item[0][1], item[0][2])
        )
    ]


def flake_probability(values: Sequence[float], limit: float, bound: Bound) -> float | None:
    """The probability that the next value is on the wrong side of the limit.

    For n values of a normal distribution with mean m and standard deviation s, both
    estimated from them, (next - m) / (s sqrt(1 + 1/n)) has Student's t distribution with
    n - 1 degrees of freedom (Hahn and Meeker 1991, Statistical Intervals, chapter 4: the
    prediction interval for one future observation). Values that are all equal give 0 or 1;
    fewer than MIN_RUNS give None.
    """
    n = len(values)
    if n < MIN_RUNS:
        return None
    side = 1 if bound == "max" else -1
    mean, sd = statistics.fmean(values), statistics.stdev(values)
    if sd == 0:
        return 0.0 if Limit(bound, limit, "").keeps(values[0]) else 1.0
    return student_tail(side * (limit - mean) / (sd * math.sqrt(1 + 1 / n)), n - 1)


def propose(values: Sequence[float], bound: Bound, *, target: float = FLAKE_TARGET) -> float | None:
    """A limit that the next value breaks with at most the target probability.

    The mean of n values plus k standard deviations, with k = t(1 - target, n - 1)
    sqrt(1 + 1/n) as in `flake_probability`, never tighter than the worst value seen, and
    rounded outwards to two digits. k falls from 26 for 3 runs over 4.5 for 10 to 3.7 for 20
    at the default target: more runs buy a tighter limit. None for fewer than MIN_RUNS.
    """
    n = len(values)
    if n < MIN_RUNS:
        return None
    side = 1 if bound == "max" else -1
    outer = [side * value for value in values]
    margin = student_quantile(1 - target, n - 1) * math.sqrt(1 + 1 / n) * statistics.stdev(outer)
    limit = side * max(*outer, statistics.fmean(outer) + margin)
    return outward(limit, up=bound == "max", digits=_DIGITS)


def _key(m: Measurement) -> Key:
    return m.model, m.corpus, m.task, m.metric


def _is(m: Measurement, key: Key) -> bool:
    return _key(m) == key and _is_calibrated(m)


def _is_calibrated(m: Measurement) -> bool:
    metric = metric_of(m.metric)
    return m.is_whole and metric.change_of is None and metric.may_be_limited


def _calibrated(
    key: Key,
    rows: Sequence[Measurement],
    runs: int,
    record: ModelRecord,
    thresholds: Thresholds,
    target: float,
) -> Calibrated:
    model, corpus, task, metric = key
    spec = METRICS[metric]
    bound = spec.bound
    fair = [m for m in rows if not (spec.is_speed and m.conditions)]
    have = [(m.value, m.ci) for m in fair if m.value is not None]
    left_out = [
        f"{count} {what}"
        for count, what in (
            (len(rows) - len(fair), "on a shared or busy machine"),
            (len(fair) - len(have), "without a value"),
            (runs - len(rows), "that did not measure it"),
        )
        if count
    ]
    values = [value for value, _ in have]
    ends = [sorted(ci) if ci else [value, value] for value, ci in have]
    worst = [high if bound == "max" else low for low, high in ends]
    best = [low if bound == "max" else high for low, high in ends]
    intervals = [ci for _, ci in have if ci]
    limits = thresholds.limits(
        model=model, tier=record.tier, task=task, corpus=corpus, gate="tier"
    ).get(metric, [])
    limit = (min if bound == "max" else max)(limits, key=lambda x: x.value, default=None)
    strict = thresholds.inconclusive_fails(record.tier, "tier")
    proposal = propose(worst, bound, target=target)
    why_not = None
    if proposal is None:
        why_not = f"not enough runs: {len(values)} of {MIN_RUNS}"
    elif not (spec.is_speed or spec.unit == "MB") and len(intervals) < len(have):
        proposal, why_not = None, "no sampling interval"
    elif proposal <= 0 and bound == "min":
        proposal, why_not = None, "too noisy: no limit above 0"
    elif spec.is_share and proposal > 1:
        proposal, why_not = None, "too noisy or too bad: no limit below 100 %"
    return Calibrated(
        model=model,
        corpus=corpus,
        task=task,
        metric=metric,
        bound=bound,
        unit=spec.unit,
        normalizer=next((m.normalizer for m in rows), None),
        values=values,
        worst=worst,
        sampling=(
            (min(low for low, _ in intervals), max(high for _, high in intervals))
            if intervals
            else None
        ),
        left_out=left_out,
        limit=limit,
        strict=strict,
        flake=(flake_probability(worst if strict else best, limit.value, bound) if limit else None),
        proposal=proposal,
        why_not=why_not,
    )


def _refuse(runs: Mapping[str, Scorecard]) -> None:
    """Raise NotComparable where runs differ in what makes figures differ."""
    problems: list[str] = []
    first_seen: dict[tuple[str, ...], tuple[str, Any]] = {}
    started: dict[tuple[str, str], str] = {}
    for name, card in runs.items():
        identity = (card.run.id, card.run.started)
        if identity in started:
            problems.append(f"{name}: the same run as {started[identity]}")
        started.setdefault(identity, name)
        for what, value in _terms(card).items():
            other, expected = first_seen.setdefault(what, (name, value))
            if value != expected:
                where, label = " ".join(what[:-1]), what[-1]
                subject = f"{where}: {label}" if where else label
                problems.append(
                    f"{name}: {subject} is {_said(value)}, and {_said(expected)} in {other}"
                )
    if problems:
        raise NotComparable("\n".join(problems))


def _terms(card: Scorecard) -> dict[tuple[str, ...], Any]:
    """Everything that has to be equal, under the names that errors use."""
    p = card.provenance
    terms: dict[tuple[str, ...], Any] = {
        ("threads",): p.threads,
        ("processor",): p.processor,
        ("cores",): p.cores,
    }
    for corpus in p.corpora:
        terms[f"corpus {corpus.name}", "content hash"] = corpus.content_hash
    of: Mapping[str, Callable[[ModelRecord], Any]] = {
        "engine": lambda m: m.engine,
        "checkpoint": lambda m: m.checkpoint,
        "checkpoint hash": lambda m: m.checkpoint_sha256,
        "revision": lambda m: m.revision,
        "options": lambda m: m.options,
        "device": lambda m: m.device,
        "engine's packages": lambda m: m.packages,
    }
    for record in card.models:
        for label, read in of.items():
            terms[f"model {record.name}", label] = read(record)
    for m in card.measurements:
        if _is_calibrated(m) and m.value is not None:
            terms[f"{m.model} on {m.corpus}", m.metric, "normalizer"] = m.normalizer
    return terms


def _said(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 200 else text[:200] + "..."
