"""What to run where the evidence is too short for a recommendation."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evals.measures import metric_text
from evals.measures.statistics.further_evidence import Further, further_evidence, said
from evals.records.measurement import Figure, Measurement
from reports.recommendation.eligibility import Contest, Problem, Standing
from reports.recommendation.suggested_command import Command
from reports.recommendation.what_if import failed_by, share_of_lead, would_win

#: Kinds of problem that more or fairer evidence may take away.
SHORT = frozenset({"unclear", "missing", "contended", "pieces", "busy"})
#: What to do otherwise, by what was wrong with a figure.
_HOW = {
    "contended": "without -n",
    "pieces": "in one go on one machine",
    "busy": "on an idle machine",
}
#: Where a limit is almost the value itself, no corpus that anybody records decides.
_TOO_MANY = 100_000


def to_run(
    standings: Sequence[Standing], winner: Standing | None, held: Contest, command: Command
) -> Sequence[str]:
    """A line for each run that may change the answer or give one; each ends with the command.

    Of models for which nothing but evidence is wanting, and that would win if it were good.
    """
    fit = [s for s in standings if not s.problems]
    lines: dict[str, None] = {}
    for standing in standings:
        problems = [p for p in standing.problems if p.kind != "failed"]
        if not problems or any(p.kind not in SHORT for p in problems):
            continue
        keys = {p.key for p in problems if p.key is not None}
        if not failed_by(standing, held, keys):
            continue
        if winner is None or would_win(standing, fit, held):
            lines |= dict.fromkeys(_for(standing.model, problems, command))
    return list(lines)


def near(
    winner: Standing, rival: Standing, held: Contest, command: Command
) -> tuple[str, str | None] | None:
    """Said of two whose intervals overlap on what decided: that, and what would part them.

    A model's interval knows nothing of the other's, so that overlapping ones say little of a
    difference on the same utterances, which may be plain: this warns too often, never too
    seldom. About n * (sum of the halves / distance)^2 utterances leave no overlap.
    """
    key, share = share_of_lead(winner, rival, held)[0]
    mine, theirs = winner.values[key], rival.values[key]
    if share <= 0 or mine.ci is None or theirs.ci is None:
        return None
    if mine.value is None or theirs.value is None:
        return None
    (low, high) = sorted((mine, theirs), key=lambda m: m.value or 0.0)
    low_end, high_end = (low.ci or (0.0, 0.0))[1], (high.ci or (0.0, 0.0))[0]
    if low_end < high_end:
        return None
    intervals = " and ".join(
        f"{s.model} {metric_text.figure(m.metric, m.value, m.ci)}"
        for s, m in ((winner, mine), (rival, theirs))
        if m.value is not None
    )
    text = f"more evidence: their intervals of {key} overlap ({intervals})"
    distance = abs(mine.value - theirs.value)
    halves = (low_end - (low.value or 0.0)) + ((high.value or 0.0) - high_end)
    if not distance:
        return text, None
    n = min(mine.n, theirs.n)
    more = max(1, math.ceil(n * ((halves / distance) ** 2 - 1)))
    run = (
        f"at most about {more:,} more like those of {mine.corpus} would part {winner.model} and "
        f"{rival.model} by {key}: {command(mine.task, winner.model, rival.model)}"
    )
    return text, run


def _for(model: str, problems: Sequence[Problem], command: Command) -> Sequence[str]:
    lines: dict[str, None] = {}
    unclear: dict[tuple[str, str], list[Problem]] = {}
    for p in problems:
        task = p.key[0] if p.key else ""
        run = command(task, model)
        if p.kind == "unclear" and p.row is not None:
            unclear.setdefault((task, p.row.corpus), []).append(p)
        elif p.kind in _HOW:
            lines[f"{_HOW[p.kind]}: {run}"] = None
        else:
            reason = p.row.reason if p.row is not None else None
            lines[f"{task} once more (before: {reason}): {run}" if reason else run] = None
    for (task, corpus), found in unclear.items():
        metrics = ", ".join(dict.fromkeys(p.key[1] for p in found if p.key))
        further = [_further(p) for p in found]
        hopeless = [
            p.key[1]
            for p, f in zip(found, further, strict=True)
            if p.key and (f.reason or (f.utterances or 0) > _TOO_MANY)
        ]
        if hopeless:
            named = ", ".join(dict.fromkeys(hopeless))
            lines[f"no corpus decides {named} on {corpus}: it is almost at its limit"] = None
            continue
        utterances = max(f.utterances or 0 for f in further)
        speakers = max(f.speakers or 0 for f in further)
        number = f"about {utterances:,} more" if utterances else "more"
        if speakers:
            number = said(utterances, speakers) or number
        lines[f"{number} like those of {corpus} ({metrics}): {command(task, model)}"] = None
    return list(lines)


def _further(problem: Problem) -> Further:
    row: Measurement | None = problem.row
    if row is None or problem.limit is None:
        return Further()
    if row.limit == problem.limit.value and (row.further_utterances or row.further_speakers):
        # Of its own interval, which the session could forecast.
        return Further(row.further_utterances, row.further_speakers)
    return further_evidence(Figure(row.value, row.n, row.ci), problem.limit)
