"""Which model to put into production, and why: only what keeps every limit is weighed."""

from __future__ import annotations

from collections.abc import Sequence

from evals.cases import OF_RECOGNIZERS
from evals.evaluation import CONTENDED, describe
from evals.fair_timing import BUSY
from evals.gate import decide
from evals.measurement import Figure, Limit, Measurement
from evals.metrics import METRICS
from evals.thresholds import Thresholds, UseCase
from reports.grading import GROUPS
from reports.scorecard import Candidate, Recommendation

_SAYS = {
    "wer": "WER {:.2%}",
    "cer": "CER {:.2%}",
    "rtf": "RTF {:.3f}",
    "peak_memory": "{:,.0f} MB",
}


def recommend(
    measurements: Sequence[Measurement],
    models: Sequence[str],
    failed: frozenset[str],
    thresholds: Thresholds,
    use_case: str,
) -> Recommendation:
    """The model with the most weighted headroom among those that keep every production limit."""
    case = thresholds.use_cases[use_case]
    figures = [m for m in measurements if m.task in _tasks(case)]
    candidates = [
        _candidate(name, [m for m in figures if m.model == name], name in failed, thresholds, case)
        for name in models
    ]
    # To two digits, since timing noise moves the third; equals stay in the catalogue's order.
    candidates.sort(key=lambda c: (bool(c.rejected), -round(c.score or 0.0, 2)))
    fit = [c for c in candidates if not c.rejected]
    if not fit:
        reason = "; ".join(f"{c.model}: {c.rejected[0]}" for c in candidates)
        return Recommendation(
            use_case=use_case,
            model=None,
            reason=f"no model is shown to keep every production limit ({reason})",
            candidates=candidates,
        )
    return Recommendation(
        use_case=use_case,
        model=fit[0].model,
        reason=_reason(fit[0], candidates, figures, case),
        candidates=candidates,
    )


def _candidate(
    model: str, own: Sequence[Measurement], failed: bool, thresholds: Thresholds, case: UseCase
) -> Candidate:
    rejected: list[str] = []
    parts: dict[str, float] = {}
    ran = {m.task for m in own}
    production = {
        (task, key): limit
        for task in _tasks(case)
        if task not in OF_RECOGNIZERS or task in ran
        for key, limits in thresholds.limits(
            model="", tier="production", task=task, corpus="", gate="production"
        ).items()
        for limit in limits
    }
    corpora = dict.fromkeys(m.corpus for m in own if m.task == case.task)
    for (task, key), limit in production.items():
        rows = [m for m in own if (m.task, m.key) == (task, key)]
        # A part of one corpus need not be in the others.
        everywhere = task == case.task and "/" not in key
        if not rows or (everywhere and len(rows) < len(corpora)):
            rejected.append(f"{task} {key} was not run")
        for row in rows:
            problem = _problem(row, limit)
            if problem:
                rejected.append(problem)
        values = [m.value for m in rows if m.value is not None]
        if task == case.task and key in case.weights and values:
            # The corpus on which the model is worst speaks for it.
            parts[key] = min(_headroom(value, limit) for value in values)
    if failed:
        rejected.append("a test of it failed")  # last: what follows from figures says more
    complete = set(parts) == set(case.weights)
    score = sum(case.weights[m] * parts[m] for m in parts) / sum(case.weights.values())
    return Candidate(
        model=model,
        score=score if complete else None,
        parts=parts,
        rejected=rejected,
    )


def _tasks(case: UseCase) -> Sequence[str]:
    """The tasks whose production limits count for a use."""
    asked_for = OF_RECOGNIZERS if case.task == "asr" else ()
    return (*GROUPS.get(case.task, (case.task,)), *asked_for)


def _problem(row: Measurement, limit: Limit) -> str | None:
    """Why a figure does not show that a production limit is kept; None where it does."""
    if row.value is None:
        return f"{row.task} {describe(row)}"
    if CONTENDED in row.conditions:
        return f"{row.key} was taken on a shared machine; run without -n"
    conditions = tuple(row.conditions)
    verdict, _ = decide(Figure(row.value, row.n, row.ci, conditions=conditions), [limit])
    if verdict == "pass":
        return None
    side = "at most" if limit.bound == "max" else "at least"
    state = "breaks" if verdict == "fail" else "is not shown to keep"
    value = _SAYS.get(row.key, row.key + " {:.4g}").format(row.value)
    why = f": {row.reason}" if BUSY in conditions else ""
    return f"{value} on {row.corpus} {state} the production limit ({side} {limit.value:g}){why}"


def _headroom(value: float, limit: Limit) -> float:
    """The part of a limit that is left: 1 is nothing used, 0 is at the limit or past it."""
    if limit.bound == "max":
        return max(0.0, 1 - value / limit.value) if limit.value > 0 else 0.0
    return max(0.0, min(1.0, 1 - limit.value / value)) if value > 0 else 0.0


def _reason(
    winner: Candidate,
    candidates: Sequence[Candidate],
    figures: Sequence[Measurement],
    case: UseCase,
) -> str:
    mine = _values(winner.model, figures, case)
    said = ", ".join(_SAYS.get(m, m + " {:.4g}").format(mine[m]) for m in case.weights)
    weights = ", ".join(f"{m} {w:g}" for m, w in case.weights.items())
    text = f"{said}; every production limit kept; score {winner.score:.2f} (weights: {weights})"
    weighed = [m for m in figures if m.task == case.task and m.metric in case.weights]
    slowed = list(dict.fromkeys(m.model for m in weighed if BUSY in m.conditions))
    if slowed:
        text += f"; the machine was busy, so that {' and '.join(slowed)} may be faster than this"
    rivals = [c for c in candidates if c is not winner]
    if not rivals:
        return text + "; nothing to compare it with"
    rival = rivals[0]
    if rival.rejected:
        return f"{text}; next, {rival.model}: {rival.rejected[0]}"
    theirs = _values(rival.model, figures, case)
    worse = ", ".join(_SAYS.get(m, m + " {:.4g}").format(theirs[m]) for m in case.weights)
    text = f"{text}; next, {rival.model}: {worse}; score {rival.score:.2f}"
    if f"{rival.score:.2f}" == f"{winner.score:.2f}":
        text += ", which is as good: the catalogue's order decided"
    return text


def _values(model: str, figures: Sequence[Measurement], case: UseCase) -> dict[str, float]:
    """The worst value over the corpora, for each weighed metric."""
    values: dict[str, float] = {}
    for m in figures:
        if m.model == model and m.task == case.task and m.key in case.weights:
            if m.value is None:
                continue
            pick = max if METRICS[m.metric].bound == "max" else min
            values[m.metric] = pick(values.get(m.metric, m.value), m.value)
    return values
