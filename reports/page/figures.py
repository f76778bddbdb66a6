"""The figures of a scorecard in the order in which its page shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from evals.gate.verdict import concern
from evals.measures.run_conditions import BUSY, CONTENDED, MIXED, RESUMED
from evals.metrics import metric_of
from evals.records.measurement import ALL, Measurement
from evals.task import TASKS, Column
from reports.scorecard.scorecard import (
    CorpusGrade,
    Recommendation,
    Scorecard,
    WorsenedUtterances,
)
from reports.text.few_speakers import few_speakers
from reports.text.mixed_rates import mixed_rates
from reports.text.samples import samples

_NOTICES: Mapping[str, str] = {
    CONTENDED: "Models shared the machine: times are shown, and gate nothing.",
    RESUMED: "The run was resumed: times and memory are shown, and gate nothing.",
    MIXED: "Its shards ran on different machines: times gate nothing.",
}
#: Of the runs that a use wants, so many are named; the scorecard has all.
_RUNS = 4
_RANKS = {"broken": 0, "missing": 1, "undecided": 2}


class Figures:
    """The measurements of a scorecard, found as its tables ask for them.

    A case is a model on a corpus of a task. It is handed around as its first measurement.
    """

    def __init__(self, card: Scorecard) -> None:
        self._rows = card.measurements
        self._found = {
            (m.task, m.model, m.corpus, m.metric, _part(m)): m for m in reversed(self._rows)
        }
        self._grades = {(c.task, g.model, c.corpus): c for g in card.grades for c in g.corpora}

    @property
    def tasks(self) -> Sequence[str]:
        """The names of the tasks that have figures, in the order of reports."""
        ranks = {task: rank for rank, task in enumerate(TASKS)}
        ran = dict.fromkeys(m.task for m in self._rows)
        return sorted(ran, key=lambda task: ranks.get(task, len(ranks)))

    def cases(self, task: str) -> Sequence[Measurement]:
        """The cases of a task."""
        first: dict[tuple[str, str], Measurement] = {}
        for m in self._rows:
            if m.task == task:
                first.setdefault((m.model, m.corpus), m)
        return [*first.values()]

    def is_graded(self, task: str) -> bool:
        """Whether a model has grades for the task."""
        return any(key[0] == task for key in self._grades)

    def columns(self, task: str) -> Sequence[Column]:
        """The columns of a task's table that have figures."""
        there = {(m.task, m.metric) for m in self._rows}
        columns = TASKS[task].columns_on("page") if task in TASKS else ()
        return [c for c in columns if (c.task or task, c.metric) in there]

    def at(self, case: Measurement, column: Column) -> Measurement | None:
        """The figure of a case in a column; None where it was not run.

        Tasks that are shown in another one's table may have no corpus of their own.
        """
        of = column.task or case.task
        found = self._found.get((of, case.model, case.corpus, column.metric, ALL))
        if found is not None or of == case.task:
            return found
        wanted = (of, case.model, column.metric)
        return next((m for m in self._rows if (m.task, m.model, m.metric) == wanted), None)

    def grade(self, case: Measurement) -> CorpusGrade | None:
        """The grade of a case."""
        return self._grades.get((case.task, case.model, case.corpus))

    def details(self, task: str) -> Iterator[tuple[Measurement, Sequence[Measurement | None]]]:
        """Each metric and part of a task, as its first measurement, with a figure for each case.

        Parts of a corpus are left out: the heat map has them. So are rows for each normalizer, of
        which `sensitivity` tells what matters.
        """
        mapped = TASKS[task].sliced if task in TASKS and not TASKS[task].where_named else ()
        heads: dict[tuple[str, str], Measurement] = {}
        for m in self._rows:
            if m.task == task and (m.is_whole or m.metric not in mapped):
                heads.setdefault((m.metric, _part(m)), m)
        cases = self.cases(task)
        for (metric, part), head in heads.items():
            if metric_of(metric).may_be_limited:
                yield (
                    head,
                    [self._found.get((task, c.model, c.corpus, metric, part)) for c in cases],
                )


def answers(card: Scorecard) -> Iterator[tuple[Recommendation, Sequence[int]]]:
    """Each use with the indices in `to_run` that the page shows: few, and each run once."""
    named: set[str] = set()
    for use in card.recommendations or [card.recommendation]:
        new = [i for i, run in enumerate(use.to_run) if run not in named][:_RUNS]
        named |= {use.to_run[i] for i in new}
        yield use, new


def notices(card: Scorecard) -> Sequence[str]:
    """Warnings on the run as a whole."""
    found = []
    if not card.run.complete:
        found.append("The run is not complete: it was stopped before its end.")
    found += [text for condition, text in _NOTICES.items() if condition in card.run.conditions]
    if any(BUSY in m.conditions for m in card.measurements):
        found.append(
            "The machine was busy with other work: figures marked ~ may be better than shown."
        )
    found += [*samples(card), *few_speakers(card), *mixed_rates(card), *card.run.notes]
    if card.rescored is not None:
        found.append("Rescored: the figures are not the session's own, see Provenance.")
    if not card.measurements:
        found.append("Nothing was measured.")
    return found


def problems(card: Scorecard) -> Sequence[Measurement]:
    """The broken first, then what is missing, then what the evidence does not decide."""
    found = [(what, m) for m in card.measurements if (what := concern(m)) is not None]
    return [m for _, m in sorted(found, key=lambda one: _RANKS[one[0]])]


def changes(
    card: Scorecard,
) -> Iterator[tuple[Sequence[Measurement], WorsenedUtterances | None]]:
    """Each model and corpus: its changes since the baseline, and its utterances that got worse."""
    lists = {(w.model, w.corpus): w for w in card.worsened}
    changed = [m for m in card.measurements if metric_of(m.metric).change_of is not None]
    for case in dict.fromkeys([*((m.model, m.corpus) for m in changed), *lists]):
        yield [m for m in changed if (m.model, m.corpus) == case], lists.get(case)


def unmeasured(card: Scorecard) -> Sequence[Sequence[Measurement]]:
    """Measurements of a model without a figure, those with one reason together."""
    groups: dict[tuple[str | None, ...], list[Measurement]] = {}
    for m in card.measurements:
        if m.value is None:
            key = (m.verdict, m.model, m.task, m.corpus, m.reason)
            groups.setdefault(key, []).append(m)
    return [*groups.values()]


def is_named_by_part(m: Measurement) -> bool:
    """Whether a missing figure is told by its part rather than by its metric."""
    return m.slice != ALL and m.task in TASKS and bool(TASKS[m.task].parts)


def _part(m: Measurement) -> str:
    return ALL if m.is_whole else m.slice
