"""What a test of a task works with: record every figure first, then assert."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evals.gate.case import Case
from evals.gate.thresholds import Gate, Thresholds
from evals.gate.verdict import breaks_gate, decide
from evals.measures import metric_text
from evals.measures.run_conditions import (
    BUSY,
    NO_TIMES,
    PROVIDED,
    PROVIDED_HELD,
    WHY,
    touched,
)
from evals.measures.statistics.further_evidence import Further, further_evidence, in_words
from evals.metrics import METRICS
from evals.records.measurement import ALL, Evidence, Figure, Limit, Measurement, Verdict, limit_key

#: The name under which lines of text travel that a session notes beside its figures.
NOTE = "model_lab.note"
#: The figure whose reason says which error the first utterance without an answer has.
ANSWERED = "success_rate"


class GateBroken(AssertionError):
    """At least one required measurement does not pass; the message names each."""


@dataclass
class Evaluation:
    """One model on one task and corpus.

    emit: takes each measurement the moment it is recorded.
    note: takes what belongs in the report beside the measurements: a name, and data for JSON.
    margins: the limits of the changes since the baseline, where the baseline has this model.
    conditions: that the run was made under; speed is then shown but never gates.
    sample: of a corpus of which `--limit` drew a sample, how large that is; empty for a whole one.
    """

    case: Case
    thresholds: Thresholds
    gate: Gate
    emit: Callable[[Measurement], None]
    conditions: Sequence[str] = ()
    note: Callable[[str, Any], None] = lambda name, data: None
    margins: Mapping[str, Limit] = field(default_factory=dict)
    sample: str = ""
    recorded: list[Measurement] = field(default_factory=list)

    def record(
        self,
        figures: Mapping[str, Figure],
        *,
        normalizer: str | None = None,
        slice_name: str = ALL,
    ) -> None:
        """Turn figures into measurements, with a verdict each where there is a limit."""
        all_limits = self._limits()
        for metric, figure in figures.items():
            limits = all_limits.get(limit_key(metric, slice_name), [])
            evidence = None if metric in self.margins else self._evidence
            verdict, limit = decide(figure, limits, evidence)
            further = Further()
            if limit is not None and verdict == "inconclusive" and BUSY not in figure.conditions:
                further = further_evidence(figure, limit, evidence)
            lacking = evidence.missing_from(figure) if evidence is not None else None
            reason = lacking if verdict == "inconclusive" and lacking else figure.reason
            reason = reason or further.reason
            conditions = figure.conditions
            gated = bool(limits) and self.gate != "off"
            unfair = touched(metric, self.conditions)
            if figure.value is None and PROVIDED in figure.conditions:
                unfair = (PROVIDED,)
            if PROVIDED in unfair and figure.value is None:
                # Nobody can measure it any more, so that it is missed and breaks no gate.
                conditions, gated = unfair, False
                of_machine = METRICS[metric].is_of_machine and not figure.n
                reason = NO_TIMES if of_machine else figure.reason
            elif PROVIDED in unfair and self.thresholds.provided_times == "held":
                conditions = (*figure.conditions, PROVIDED_HELD)
            elif unfair:
                conditions, further = unfair, Further()
                if limit is not None and figure.value is not None:
                    verdict, gated = "inconclusive", False
                    reason = WHY[unfair[0]]
            self._add(
                Measurement(
                    model=self.case.model,
                    task=self.case.task,
                    corpus=self.case.corpus,
                    metric=metric,
                    value=figure.value,
                    unit=METRICS[metric].unit,
                    n=figure.n,
                    verdict=verdict,
                    ci=figure.ci,
                    slice=slice_name,
                    normalizer=normalizer,
                    limit=limit.value if limit else None,
                    bound=limit.bound if limit else None,
                    limit_source=limit.source if limit else None,
                    gated=gated,
                    reason=reason,
                    conditions=conditions,
                    further_utterances=further.utterances,
                    further_speakers=further.speakers,
                    speakers=figure.speakers,
                    by=figure.by,
                    own=figure.own,
                )
            )

    def record_missing(
        self,
        metrics: Sequence[str],
        verdict: Verdict,
        reason: str,
        *,
        gated: bool,
        slice_name: str = ALL,
    ) -> None:
        """Say of figures that they do not exist, and why."""
        for metric in metrics:
            self._add(
                Measurement(
                    model=self.case.model,
                    task=self.case.task,
                    corpus=self.case.corpus,
                    metric=metric,
                    value=None,
                    unit=METRICS[metric].unit,
                    n=0,
                    verdict=verdict,
                    slice=slice_name,
                    gated=gated
                    and self.gate != "off"
                    and limit_key(metric, slice_name) in self._limits(),
                    reason=reason,
                )
            )

    def attach(self, name: str, data: Any) -> None:
        """Send more than figures to the report, under this model, task and corpus."""
        self.note(name, {"model": self.case.model, "corpus": self.case.corpus, "rows": data})

    def check(self) -> None:
        """Raise GateBroken unless every limit of this model, task and corpus is kept.

        A limited metric that was never recorded breaks the gate like a broken limit.
        """
        if self.gate == "off":
            return
        self._record_absent_parts()
        self._record_unprovided()
        broken = [
            describe(m)
            for m in self.recorded
            if breaks_gate(m, self.thresholds, self.case.tier, self.gate)
        ]
        have = {m.key for m in self.recorded}
        broken += [
            f"{metric} was not measured, but {limits[0].source} limits it"
            for metric, limits in self._limits().items()
            if metric not in have
        ]
        if broken:
            c = self.case
            title = f"{c.model} on {self.sample}{c.corpus} ({c.task}):"
            raise GateBroken("\n  ".join([title, *broken]))

    def _record_absent_parts(self) -> None:
        """Say of each limit on a part that the corpus does not have that this is why."""
        have = {m.key for m in self.recorded}
        for key in self._limits():
            metric, slash, part = key.partition("/")
            if slash and key not in have and metric in have:
                reason = f"no utterance of {self.case.corpus} has {part}, or all have"
                self.record_missing([metric], "not_measured", reason, gated=True, slice_name=part)

    def _record_unprovided(self) -> None:
        """Say of each limit on time or memory that answers from elsewhere have none."""
        have = {m.key for m in self.recorded}
        for key in self._limits():
            metric, _, part = key.partition("/")
            if key not in have and PROVIDED in touched(metric, self.conditions):
                figures = {metric: Figure(None, 0, reason=NO_TIMES)}
                self.record(figures, slice_name=part or ALL)

    def _add(self, measurement: Measurement) -> None:
        self.recorded.append(measurement)
        self.emit(measurement)

    @property
    def _evidence(self) -> Evidence | None:
        return self.thresholds.evidence(self.case.tier, self.gate)

    def _limits(self) -> Mapping[str, list[Limit]]:
        c = self.case
        limits = self.thresholds.limits(
            model=c.model, tier=c.tier, task=c.task, corpus=c.corpus, gate=self.gate
        )
        return {**limits, **{metric: [limit] for metric, limit in self.margins.items()}}


def sample_in_words(rows: int, of: int | None) -> str:
    """How large a sample is, before its corpus's name; empty for a whole corpus."""
    return f"a sample ({rows:,} of {of:,} rows) of " if of is not None else ""


def describe(m: Measurement) -> str:
    """One line for a person: the value, its interval, the limit and who set it, in one unit."""
    if m.value is None:
        return f"{m.key} {m.verdict.replace('_', ' ')}: {m.reason or 'no reason given'}"
    figure = metric_text.figure(m.metric, m.value, m.ci, m.limit)
    limit = ""
    if m.limit is not None:
        allowed = metric_text.allowed(m.metric, m.bound, m.limit)
        limit = f", {allowed} allowed by {m.limit_source}"
    more = in_words(m)
    state = " is inconclusive" + (f" ({more} would decide)" if more else "")
    state = state if m.verdict == "inconclusive" else ""
    told = m.metric == ANSWERED or (m.verdict == "inconclusive")
    why = f": {m.reason}" if told and m.reason else ""
    return f"{m.key} {figure}{state}{limit}{why}"
