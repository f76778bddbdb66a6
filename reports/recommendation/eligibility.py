"""Who may be recommended for a use and how well each does there: pure, so that it can be retried.

What would turn an answer round is found by holding the same contest under other rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from evals.gate.evaluation import describe
from evals.gate.thresholds import PRODUCTION, Thresholds, UseCase
from evals.gate.verdict import breaks, decide
from evals.measures import metric_text
from evals.measures.run_conditions import BUSY, CONTENDED, PROVIDED, WHY, ungated
from evals.metrics import METRICS
from evals.records.measurement import Evidence, Figure, Limit, Measurement
from evals.task import TASKS, group_of
from reports.scorecard.licences import refusal

#: A task and the name by which thresholds.yaml limits one of its metrics.
Key: TypeAlias = tuple[str, str]
#: Scores that are this near are as good: timing noise moves the third digit.
TIE = 0.005

#: broken: a limit is; unclear: it lies in the interval; missing: it was not run, and can be;
#: absent: the model does not report it; contended, busy: taken on a
#: shared or busy machine; pieces: in more than one session, or on more than one machine.
Kind: TypeAlias = Literal[
    "broken",
    "unclear",
    "missing",
    "absent",
    "error",
    "contended",
    "pieces",
    "busy",
    "licence",
    "failed",
]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a model may not be recommended, in words and in parts."""

    kind: Kind
    text: str
    key: Key | None = None
    row: Measurement | None = None
    limit: Limit | None = None

    @property
    def task(self) -> str:
        """The task of its limit; empty where it is of none."""
        return self.key[0] if self.key else ""

    @property
    def name(self) -> str:
        """The name by which its metric is limited."""
        return self.key[1] if self.key else ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a model does in a contest. score: weighted headroom; None where a part is missing."""

    model: str
    score: float | None
    parts: Mapping[str, float]
    values: Mapping[str, Measurement]
    problems: Sequence[Problem]


@dataclass(frozen=True)
class Contest:
    """The rules of a use and the figures that it is held on.

    models: in the catalogue's order, which decides where scores are as good. rows: of the
    tasks that count. required: keys whose task counts even where it did not run. evidence: what a
    figure of people must rest on.
    """

    use: str
    case: UseCase
    weights: Mapping[str, float]
    limits: Mapping[Key, Sequence[Limit]]
    required: frozenset[Key]
    models: Sequence[str]
    rows: Sequence[Measurement]
    failed: frozenset[str]
    licences: Mapping[str, str | None]
    evidence: Evidence

    def standings(self) -> list[Standing]:
        """Each model's, in the catalogue's order."""
        return [self._standing(model) for model in self.models]

    def relaxed(self, values: Mapping[Key, float], model: str) -> Contest:
        """The contest with limits no stricter than the values, and a model's failure undone."""
        limits = {
            key: [m if m.keeps(value) else replace(m, value=value) for m in self.limits[key]]
            for key, value in values.items()
        }
        return replace(self, limits={**self.limits, **limits}, failed=self.failed - {model})

    def tightened(self, key: Key, value: float) -> Contest:
        """The same contest with limits on a key that are no looser than the value."""
        limits = [replace(m, value=value) if m.keeps(value) else m for m in self.limits[key]]
        return replace(self, limits={**self.limits, key: limits})

    def _standing(self, model: str) -> Standing:
        own = [m for m in self.rows if m.model == model]
        ran = {m.task for m in own}
        corpora = dict.fromkeys(m.corpus for m in own if m.task == self.case.task)
        problems: list[Problem] = []
        for key, limits in self.limits.items():
            task, name = key
            if TASKS[task].counts_for is not None and task not in ran and key not in self.required:
                continue
            rows = [m for m in own if (m.task, m.key) == key]
            # A part of one corpus need not be in the others.
            everywhere = task == self.case.task and "/" not in name
            if not rows or (everywhere and len(rows) < len(corpora)):
                problems.append(_not_there(key, own))
            for row in rows:
                problem = _problem(row, key, limits, self.evidence)
                if problem:
                    problems.append(problem)
        refused = refusal(self.licences.get(model), self.case.reject_licences)
        if refused:
            problems.append(Problem("licence", refused))
        # What no further evidence can take away says the most.
        problems.sort(key=lambda p: p.kind not in ("broken", "error", "absent", "licence"))
        if model in self.failed:  # last: what follows from figures says more
            problems.append(Problem("failed", "a test of it failed"))
        values = self._values(own)
        parts = {
            key: headroom(m.value, self.limit_of(key))
            for key, m in values.items()
            if m.value is not None
        }
        complete = set(parts) == set(self.weights)
        score = weigh(parts, self.weights) if complete else None
        return Standing(model, score, parts, values, problems)

    def limit_of(self, key: str) -> Limit:
        """The strictest limit of a weighed metric, which its headroom is measured to."""
        _, limit = decide(Figure(None, 0), self.limits[self.case.place(key)])
        if limit is None:
            raise ValueError(f"{key} is weighed without a limit")
        return limit

    def _values(self, own: Sequence[Measurement]) -> dict[str, Measurement]:
        """For each weighed metric the corpus on which the model is worst, which speaks for it."""
        worst: dict[str, Measurement] = {}
        for key in self.weights:
            rows = [m for m in own if (m.task, m.key) == self.case.place(key)]
            known = [(m.value, m) for m in rows if m.value is not None]
            if known:
                pick = max if self.limit_of(key).bound == "max" else min
                worst[key] = pick(known, key=lambda pair: pair[0])[1]
        return worst


def contest(
    measurements: Sequence[Measurement],
    models: Sequence[str],
    failed: frozenset[str],
    thresholds: Thresholds,
    use_case: str,
    licences: Mapping[str, str | None],
) -> Contest:
    """The contest for a use, among the models that do its task."""
    case = thresholds.use_cases[use_case]
    # Without a figure that is weighed there is no score, so that its task has to have run too.
    required = frozenset(case.place(key) for key in (*case.reject, *case.weights))
    tasks = counted_tasks(case.task)
    # Of a task that is not the use's, only what the use itself names counts.
    limits = {
        key: all_of
        for key, all_of in thresholds.use_limits(use_case).items()
        if key[0] in tasks or key in required
    }
    relevant = tasks | {task for task, _ in required}
    others = {task.name for task in TASKS.values() if task.essential} - tasks
    does: dict[str, set[str]] = {}
    for m in measurements:
        does.setdefault(m.model, set()).add(m.task)
    return Contest(
        use=use_case,
        case=case,
        weights=case.weights,
        limits=limits,
        required=required,
        # A voice is no candidate for hearing; a recognizer without a figure is, with that said.
        models=[m for m in models if not (does.get(m, set()) & others) or does[m] & tasks],
        rows=[m for m in measurements if m.task in relevant],
        failed=failed,
        licences=licences,
        evidence=thresholds.evidence(PRODUCTION, "tier"),
    )


def counted_tasks(task: str) -> set[str]:
    """The tasks whose limits count in a use of a task: all that its models do."""
    others = [t.name for t in TASKS.values() if t.counts_for == task]
    return {task, *(t.name for t in group_of(task)), *others}


def not_run(
    models: Sequence[str], measurements: Sequence[Measurement], task: str, thresholds: Thresholds
) -> list[str]:
    """Of the tasks that production limits and that count in a use, those that a model has not run.

    models: of which any is meant. task: of the use. In the order of the file. A task that ended
    in an error has run.
    """
    ran: dict[str, set[str]] = {model: set() for model in models}
    for m in measurements:
        if m.model in ran and (m.value is not None or m.verdict == "error"):
            ran[m.model].add(m.task)
    counted = counted_tasks(task)
    return [
        name
        for name, limits in thresholds.tiers[PRODUCTION].limits.items()
        if limits and name in counted and not all(name in done for done in ran.values())
    ]


def weigh(parts: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """The weighted mean of the parts."""
    return sum(weights[key] * parts[key] for key in weights) / sum(weights.values())


def best(fit: Sequence[Standing], weights: Mapping[str, float] | None = None) -> Standing:
    """The winner: the first in the catalogue's order of those within TIE of the best score.

    fit: in that order, all with every part. weights: others than those of the scores.
    """
    scores = [s.score or 0.0 if weights is None else weigh(s.parts, weights) for s in fit]
    top = max(scores)
    return next(s for s, score in zip(fit, scores, strict=True) if score >= top - TIE)


def ranked(standings: Sequence[Standing]) -> list[Standing]:
    """The fit ones, the winner first, then the rejected by their score."""
    left = [s for s in standings if not s.problems]
    order = []
    while left:
        order.append(best(left))
        left.remove(order[-1])
    rejected = [s for s in standings if s.problems]
    # To two digits, so that noise in time does not order equals.
    return order + sorted(rejected, key=lambda s: -round(s.score or 0.0, 2))


def headroom(value: float, limit: Limit) -> float:
    """The part of a limit that is left: 1 is nothing used, 0 is at the limit or past it."""
    if limit.bound == "max":
        return max(0.0, min(1.0, 1 - value / limit.value)) if limit.value > 0 else 0.0
    return max(0.0, min(1.0, 1 - limit.value / value)) if value > 0 else 0.0


def worst_end(m: Measurement, bound: str) -> float:
    """The end of the interval that a limit must hold for."""
    value = m.value or 0.0
    low, high = m.ci or (value, value)
    return high if bound == "max" else low


def said(key: str, value: float) -> str:
    """A figure for a person: "WER 4.00 %".

    key: METRIC, METRIC/PART, or with the task before, TASK/METRIC.
    """
    task, slash, rest = key.partition("/")
    own = rest if slash and task in TASKS else key
    metric, _, part = own.partition("/")
    # In the table of another task it is called what that has over its column.
    columns = [c for t in TASKS.values() for c in t.columns or () if c.task == task]
    called = [c.short for c in columns if c.metric == metric and c.short]
    name = called[0] if called else METRICS[metric].title
    return f"{name}{f'/{part}' if part else ''} {metric_text.value(metric, value)}"


def _not_there(key: Key, own: Sequence[Measurement]) -> Problem:
    task, name = key
    metric = name.partition("/")[0]
    if any(PROVIDED in m.conditions for m in own):
        return Problem("absent", f"{task} {name}: its predictions were made elsewhere", key)
    measured = [m for m in own if m.task == task and m.value is not None]
    # A model that answered in this task without this metric will not report it next time either.
    if measured and not any(m.metric == metric for m in measured):
        return Problem("absent", f"{task} {name} is not reported for it", key)
    return Problem("missing", f"{task} {name} was not run", key)


def _problem(
    row: Measurement, key: Key, limits: Sequence[Limit], evidence: Evidence
) -> Problem | None:
    """Why a figure does not show that a limit is kept; None where it does.

    What the evidence leaves open breaks a limit here whatever the gate of a tier makes of it: a
    model is recommended for what is known of it.
    """
    conditions = tuple(row.conditions)
    figure = Figure(
        row.value, row.n, row.ci, conditions=conditions, speakers=row.speakers, own=row.own
    )
    verdict, limit = decide(figure, limits, evidence)
    unfair = sorted(ungated(conditions))
    if row.value is None or unfair:
        verdict = row.verdict if row.value is None else "inconclusive"
    if limit is None or not breaks(verdict, inconclusive_fails=True):
        return None
    if PROVIDED in conditions:
        # No further run of ours can tell more.
        why = describe(row) if row.value is None else f"{row.key}: {WHY[PROVIDED]}"
        return Problem("absent", f"{row.task} {why}", key, row)
    if row.value is None:
        kind: Kind = {"error": "error", "not_supported": "absent"}.get(verdict, "missing")  # type: ignore[assignment]  # three of Kind
        return Problem(kind, f"{row.task} {describe(row)}", key, row)
    if unfair:
        kind = "contended" if CONTENDED in unfair else "pieces"
        return Problem(kind, f"{row.key}: {WHY[unfair[0]]}", key, row)
    kind = "broken" if verdict == "fail" else "busy" if BUSY in conditions else "unclear"
    state = "breaks" if verdict == "fail" else "is not shown to keep"
    lacking = evidence.missing_from(figure) if verdict == "inconclusive" else None
    judged = verdict == "inconclusive" and row.own is not None
    why = f": {row.reason}" if BUSY in conditions or judged else f": {lacking}" if lacking else ""
    whose = "the production limit" if limit.source == PRODUCTION else f"{limit.source}'s limit"
    allowed = metric_text.allowed(row.metric, limit.bound, limit.value)
    text = f"{said(f'{row.task}/{row.key}', row.value)} on {row.corpus} {state} {whose} ({allowed})"
    return Problem(kind, text + why, key, row, limit)
