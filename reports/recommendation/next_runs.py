"""What to run where the evidence is too short for a recommendation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from evals.measures.statistics.further_evidence import (
    Further,
    further_evidence,
    is_the_judges,
    said,
)
from evals.records.measurement import Figure, Measurement
from reports.recommendation.eligibility import Contest, Problem, Standing
from reports.recommendation.suggested_command import Command
from reports.recommendation.what_if import failed_by, would_win

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


@dataclass
class _Run:
    """A task that is to be run again in one way, with all models that need it.

    metrics, further: what more utterances decide, and how many would.
    """

    models: dict[str, None] = field(default_factory=dict)
    metrics: dict[str, None] = field(default_factory=dict)
    further: list[Further] = field(default_factory=list)


def to_run(
    standings: Sequence[Standing], winner: Standing | None, held: Contest, command: Command
) -> Sequence[str]:
    """A line for each run that may change the answer or give one; each ends with the command.

    Runs are for models that lack nothing but evidence, and that would win if it were good.
    """
    fit = [s for s in standings if not s.problems]
    runs: dict[tuple[str, str], _Run] = {}
    hopeless: dict[str, None] = {}
    for standing in standings:
        problems = [p for p in standing.problems if p.kind != "failed"]
        if not problems or any(p.kind not in SHORT for p in problems):
            continue
        keys = {p.key for p in problems if p.key is not None}
        if not failed_by(standing, held, keys):
            continue
        if winner is not None and not would_win(standing, fit, held):
            continue
        lines = [line for p in problems if (line := _hopeless(p)) is not None]
        hopeless |= dict.fromkeys(lines)
        for p in problems if not lines else ():
            run = runs.setdefault((p.task, _way(p)), _Run())
            run.models[standing.model] = None
            if p.kind == "unclear":
                run.metrics[p.name] = None
                run.further.append(_further(p))
    told = [f"{_said(way, run)}{command(task, *run.models)}" for (task, way), run in runs.items()]
    return [*told, *hopeless]


def _hopeless(problem: Problem) -> str | None:
    """The line on a figure that no corpus can decide; None for any other."""
    further = _further(problem)
    if problem.kind != "unclear" or problem.row is None:
        return None
    if is_the_judges(problem.row.own, problem.row.value, problem.limit):
        again = f"another --judge, or sentences with recordings of people, for {problem.name} on"
        return f"{again} {problem.row.corpus}: what is above the limit may be the judge's"
    if further.reason is None and (further.utterances or 0) <= _TOO_MANY:
        return None
    at = f"{problem.name} on {problem.row.corpus}"
    return f"no corpus decides {at}: it is almost at its limit"


def _way(problem: Problem) -> str:
    """How a task is to be run again; empty: as before."""
    row = problem.row
    if problem.kind == "unclear" and row is not None:
        return f"like those of {row.corpus}"
    reason = row.reason if row is not None else None
    again = f"{problem.task} once more (before: {reason})" if reason else ""
    return _HOW.get(problem.kind, again)


def _said(way: str, run: _Run) -> str:
    """The words before the command."""
    if not run.further:
        return f"{way}: " if way else ""
    utterances = max(f.utterances or 0 for f in run.further)
    speakers = max(f.speakers or 0 for f in run.further)
    number = f"about {utterances:,} more" if utterances else "more"
    if speakers:
        number = said(utterances, speakers) or number
    return f"{number} {way} ({', '.join(run.metrics)}): "


def _further(problem: Problem) -> Further:
    row: Measurement | None = problem.row
    if row is None or problem.limit is None:
        return Further()
    if row.limit == problem.limit.value and (row.further_utterances or row.further_speakers):
        # Of its own interval, which the session could forecast.
        return Further(row.further_utterances, row.further_speakers)
    return further_evidence(Figure(row.value, row.n, row.ci, own=row.own), problem.limit)
