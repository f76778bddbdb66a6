"""Which model to put to a use, and why: only what keeps every limit is weighed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evals.gate.thresholds import Thresholds
from evals.measures import metric_text
from evals.measures.run_conditions import BUSY
from evals.records.measurement import Measurement
from reports.recommendation.eligibility import (
    TIE,
    Contest,
    Problem,
    Standing,
    best,
    contest,
    not_run,
    ranked,
    said,
)
from reports.recommendation.next_runs import to_run
from reports.recommendation.suggested_command import Command, plain_command
from reports.recommendation.what_if import (
    Brink,
    LimitFlip,
    WeightFlip,
    brink,
    lead,
    limit_flips,
    share_of_lead,
    told_weight,
    weight_flips,
)
from reports.scorecard.scorecard import Candidate, Recommendation

#: So many changes of each sort are told; the others are larger.
_SHOWN = 2


def recommend(
    measurements: Sequence[Measurement],
    models: Sequence[str],
    failed: frozenset[str],
    thresholds: Thresholds,
    use_case: str,
    licences: Mapping[str, str | None] | None = None,
    command: Command = plain_command,
) -> Recommendation:
    """The model with the most weighted headroom among those that keep every limit of a use.

    models: in the catalogue's order. failed: those with a test that did not pass. licences: of
    each model; one that is not named has none that is known. command: what runs a task again.
    """
    held = contest(measurements, models, failed, thresholds, use_case, licences or {})
    standings = held.standings()
    order = ranked(standings)
    fit = [s for s in standings if not s.problems]
    winner = best(fit) if fit else None
    rival = next((s for s in order if s is not winner), None) if winner else None
    changes = [_told_weight(f, fit, held) for f in weight_flips(fit, held)[:_SHOWN]]
    changes += [
        _told_limit(f)
        for f in limit_flips(standings, held)[:_SHOWN]
        if f.winner != (winner.model if winner else None) or (rival and f.lets_in == rival.model)
    ]
    edge = brink(winner, held) if winner else None
    if winner and edge:
        changes.append(_told_brink(edge, winner))
    if winner and rival and not rival.problems:
        changes += _told_overlap(winner, rival, held)
    asked = [winner.model] if winner else held.models
    found = Recommendation(
        use_case=use_case,
        model=winner.model if winner else None,
        reason=_reason(winner, rival, held) if winner else _nobody(order, held),
        candidates=[_candidate(s) for s in order],
        description=held.case.description,
        task=held.case.task,
        weights=dict(held.case.weights),
        runner_up=rival.model if rival else None,
        decided_by=_decided_by(winner, rival, held) if winner and rival else [],
        would_change=changes,
        to_run=[*to_run(standings, winner, held, command)],
        not_run=not_run(asked, measurements, held.case.task, thresholds),
    )
    lead = f"{found.lead}; " if found.lead else ""
    return found.model_copy(update={"reason": lead + found.reason})


def recommend_all(
    measurements: Sequence[Measurement],
    models: Sequence[str],
    failed: frozenset[str],
    thresholds: Thresholds,
    licences: Mapping[str, str | None],
    command: Command = plain_command,
) -> tuple[Recommendation, list[Recommendation]]:
    """The recommendation for the first use in the file whose task ran, and for all such uses.

    Where none did, the first is that of the first use of all, and the others are none.
    """
    ran = {m.task for m in measurements}
    uses = [name for name, case in thresholds.use_cases.items() if case.task in ran]
    found = [
        recommend(measurements, models, failed, thresholds, use, licences, command)
        for use in uses or [next(iter(thresholds.use_cases))]
    ]
    return found[0], found if uses else []


def _candidate(standing: Standing) -> Candidate:
    return Candidate(
        model=standing.model,
        score=standing.score,
        parts=dict(standing.parts),
        rejected=[p.text for p in standing.problems],
    )


def _nobody(order: Sequence[Standing], held: Contest) -> str:
    limits = f"every limit of {held.use}" if _has_own(held) else "every production limit"
    why = "; ".join(f"{s.model}: {_briefly(s.problems[0])}" for s in order)
    return f"no model is shown to keep {limits} ({why or 'none ran'})"


def _has_own(held: Contest) -> bool:
    return bool(held.case.reject or held.case.reject_licences)


def _reason(winner: Standing, rival: Standing | None, held: Contest) -> str:
    weights = ", ".join(f"{key} {weight:g}" for key, weight in held.weights.items())
    kept = "every limit kept" if _has_own(held) else "every production limit kept"
    text = f"{_figures(winner)}; {kept}; score {winner.score:.2f} (weights: {weights})"
    weighed = {held.case.place(key) for key in held.weights}
    slowed = dict.fromkeys(
        m.model for m in held.rows if (m.task, m.key) in weighed and BUSY in m.conditions
    )
    if slowed:
        text += f"; the machine was busy, so that {' and '.join(slowed)} may be faster than this"
    if rival is None:
        return text + "; nothing to compare it with"
    if rival.problems:
        return f"{text}; next, {rival.model}: {rival.problems[0].text}"
    text = f"{text}; next, {rival.model}: {_figures(rival)}; score {rival.score:.2f}"
    if abs(lead(winner, rival, held)) <= TIE:
        text += ", which is as good: the catalogue's order decided"
    return text


def _figures(standing: Standing) -> str:
    return ", ".join(_said(standing, key) for key in standing.values)


def _said(standing: Standing, key: str) -> str:
    return said(key, standing.values[key].value or 0.0)


def _decided_by(winner: Standing, rival: Standing, held: Contest) -> list[str]:
    """What set the winner apart, the most first; the shares add up to the lead."""
    if rival.problems:
        return [f"{rival.model} is out: {p.text}" for p in rival.problems]
    ahead = lead(winner, rival, held)
    lines = [
        f"{_said(winner, key)} against {_said(rival, key)}: {share:+.3f} of {ahead:+.3f}"
        for key, share in share_of_lead(winner, rival, held)
    ]
    if abs(ahead) <= TIE:
        lines.insert(0, f"the catalogue's order: scores within {TIE:g} are as good")
    return lines


def _told_weight(flip: WeightFlip, fit: Sequence[Standing], held: Contest) -> str:
    side = "above" if flip.above else "below"
    present = held.weights[flip.key]
    weight = told_weight(flip, fit, held)
    return (
        f"a weight of {flip.key} {side} {weight} (now {present:g}) makes {flip.winner} the winner"
    )


def _told_limit(flip: LimitFlip) -> str:
    parts = []
    for (task, name), value in flip.values.items():
        now = ", ".join(f"{source} has {_limit(name, v)}" for source, v in flip.present[task, name])
        parts.append(f"{_limit(name, value)} for {task} {name} ({now})")
    noun = "a limit" if len(parts) == 1 else "limits"
    then = "which then wins" if flip.winner == flip.lets_in else f"and {flip.winner} then wins"
    return f"{noun} of {' and '.join(parts)} would let {flip.lets_in} in, {then}"


def _told_brink(found: Brink, winner: Standing) -> str:
    (task, name), side = found.key, "below" if found.present.bound == "max" else "above"
    then = f"{found.winner} then wins" if found.winner else "nobody is left"
    now = f"{found.present.source} has {_limit(name, found.present.value)}"
    out = f"would put {winner.model} out: {then}"
    return f"a limit {side} {_limit(name, found.value)} for {task} {name} ({now}) {out}"


def _told_overlap(winner: Standing, rival: Standing, held: Contest) -> list[str]:
    """The warning that two models' intervals overlap on the metric that decided.

    The interval of a model knows nothing of the other's, so that overlapping ones say little of a
    difference on the same utterances: this warns too often, never too seldom.
    """
    key, share = share_of_lead(winner, rival, held)[0]
    mine, theirs = winner.values[key], rival.values[key]
    if share <= 0 or mine.ci is None or theirs.ci is None:
        return []
    if mine.ci[1] < theirs.ci[0] or theirs.ci[1] < mine.ci[0]:
        return []
    intervals = " and ".join(
        f"{s.model} {metric_text.figure(m.metric, m.value or 0.0, m.ci)}"
        for s, m in ((winner, mine), (rival, theirs))
    )
    return [f"more evidence: their intervals of {key} overlap ({intervals})"]


def _limit(name: str, value: float) -> str:
    return metric_text.limit(name.partition("/")[0], value)


def _briefly(problem: Problem) -> str:
    """A problem in a few words; what an error was is told with the figures that are missing."""
    return f"{problem.task} ended in an error" if problem.kind == "error" else problem.text
