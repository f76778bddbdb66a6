"""A task: what it measures, what it needs, and what every report shows of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from evals.records.measurement import Figure
from evals.records.metric import Metric

if TYPE_CHECKING:
    from evals.gate.evaluation import Evaluation
    from evals.measures.statistics.paired_interval import Floats
    from evals.run.case_store import Stored

from collections.abc import Iterable
from typing import TYPE_CHECKING

from evals.metrics import METRICS

if TYPE_CHECKING:
    from evals.records.measurement import Figure
    from evals.run.case_store import Stored

#: What a task runs on: recordings, sentences to say, conversations, or the fixed clip alone.
CorpusKind: TypeAlias = Literal["speech", "sentences", "dialogues", "clip"]
#: What a model has to implement: a key of adapters.interface.PROTOCOLS.
ProtocolName: TypeAlias = Literal["asr", "tts", "chat"]
#: Where the column of a table is shown: the terminal, the page, the Markdown summary.
Place: TypeAlias = Literal["terminal", "page", "summary"]
EVERYWHERE: frozenset[Place] = frozenset({"terminal", "page", "summary"})
SCREENS: frozenset[Place] = frozenset({"terminal", "page"})
TERMINAL: frozenset[Place] = frozenset({"terminal"})
SUMMARY: frozenset[Place] = frozenset({"summary"})


@dataclass(frozen=True, slots=True)
class Column:
    """A figure in the table of a task.

    task: whose figure it is (default: the table's task). on: where it is shown. heading, short,
    digits: in place of the metric's own, which the page, the terminal and the terminal take.
    interval: in the terminal a column with its 95 % interval follows. where_measured: the column is
    left out where no model has a value. A drawing of the figure takes the heading too.
    """

    metric: str
    task: str | None = None
    on: frozenset[Place] = EVERYWHERE
    heading: str = ""
    short: str = ""
    digits: int | None = None
    interval: bool = False
    where_measured: bool = False


class Shares(NamedTuple):
    """A rate by utterance: the sum of the numerators over the sum of the denominators.

    numerators: counts. denominators: the same in both runs, 0 where an utterance does not count.
    clusters: what hangs together (a speaker, a dialogue), by utterance; None: each stands alone.
    """

    numerators: Floats
    denominators: Floats
    clusters: Sequence[Any] | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """A metric that was added to a task from outside, and what makes its figure.

    figure: of what is stored of one model on one corpus.
    """

    metric: Metric
    figure: Callable[[Stored], Figure]


@dataclass(frozen=True, slots=True)
class Task:
    """One task; everything else asks it.

    name: the marker of its tests, and its key in scorecard and thresholds. title: over its table.
    meaning: what `pytest --markers` says. corpus: the kind that it runs on. protocol: what a model
    has to implement. lines: the class of its stored answers; None where it has none.
    own_metrics: the metrics that it reports, by name, or new ones. score: makes every figure from
    what is stored; a session and `python -m reports rescore` call it.

    essential: the metric without which there is no grade; None: it is not graded. graded_with: the
    task in whose grade its bands count. shown_with: the task in whose table its figures stand.
    selected_with: the task whose marker its tests carry too, so that `-m` selects them by either.
    counts_for: the task whose models are held to its limits where it ran; said where it did not.
    columns: of its table; None: all of its metrics.
    drawn: the figures that the page draws, a row for each model; None: its essential metric.
    front: two of its metrics, of which more and of which less is better; the page draws which
    models no other beats in both.
    row_name: in the terminal, what a row is (default: the model).
    parts: the slices that each of its figures is of, such as conditions. The last column of its
    table is their drift from the undisturbed, the others are of that.
    sliced: the metrics that it reports by KEY=VALUE of a manifest too.
    where_named: it runs only where -m or a path names it, since it takes long.
    compared: the metrics that `compare` and `--baseline` pair by utterance; empty: it is said to
    be put side by side. pair: makes their rates by utterance from the lines and the normalizer;
    None: the way of its kind of lines.
    wrong: whether the page lists its lines with an error. not_listed: what the page says instead.
    test: the file with its test, evals/test_NAME.py unless it is from outside.
    """

    name: str
    title: str
    meaning: str
    corpus: CorpusKind
    protocol: ProtocolName
    own_metrics: Sequence[str | Metric]
    score: Callable[[Evaluation, Stored], None]
    lines: type[Any] | None = None
    essential: str | None = None
    graded_with: str | None = None
    shown_with: str | None = None
    selected_with: str | None = None
    counts_for: str | None = None
    columns: Sequence[Column] | None = None
    drawn: Sequence[Column] | None = None
    front: tuple[str, str] | None = None
    row_name: str = "model"
    parts: Sequence[str] = ()
    sliced: frozenset[str] = frozenset()
    where_named: bool = False
    compared: Sequence[str] = ()
    pair: Callable[[Sequence[Any], str], Mapping[str, Shares]] | None = None
    wrong: bool = False
    not_listed: str = ""
    test: Path | None = None
    added: list[Added] = field(default_factory=list, compare=False)

    @property
    def metrics(self) -> Sequence[str]:
        """The names of the metrics that it reports, those from outside last."""
        own = [m if isinstance(m, str) else m.name for m in self.own_metrics]
        return [*own, *(added.metric.name for added in self.added)]

    @property
    def file_name(self) -> str:
        """The name of the file with its test."""
        return self.test.name if self.test is not None else f"test_{self.name}.py"

    @property
    def marker(self) -> str:
        """Its line in `pytest --markers`."""
        only = " (runs only where it is asked for)" if self.where_named else ""
        return f"{self.name}: {self.meaning}{only}"

    @property
    def charts(self) -> Sequence[Column]:
        """The figures that the page draws, a row for each model."""
        if self.drawn is not None:
            return self.drawn
        return [Column(self.essential)] if self.essential is not None else []

    def columns_on(self, place: Place) -> Sequence[Column]:
        """The columns of its table at a place."""
        columns = self.columns
        if columns is None:
            columns = [Column(name) for name in self.metrics]
        else:
            columns = [*columns, *(Column(added.metric.name) for added in self.added)]
        return [column for column in columns if place in column.on]

    def record(self, evaluation: Evaluation, stored: Stored) -> None:
        """Record all figures: its own, then those of metrics from outside."""
        self.score(evaluation, stored)
        for added in self.added:
            evaluation.record({added.metric.name: added.figure(stored)})


#: Every task by its name, in the order in which reports show them.
TASKS: dict[str, Task] = {}
#: What is wrong with tasks and metrics from outside, a text each.
PROBLEMS: list[str] = []


def register(task: Task) -> Task:
    """Make a task known to sessions and reports. What is wrong with it is in PROBLEMS."""
    found = [*_wrong_with(task)]
    if found:
        PROBLEMS.extend(f"task {task.name} ({task.score.__module__}): {why}" for why in found)
        return task
    for metric in task.own_metrics:
        if isinstance(metric, Metric):
            METRICS[metric.name] = metric
    TASKS[task.name] = task
    return task


def add_metric(task: str, metric: Metric, figure: Callable[[Stored], Figure]) -> Metric:
    """Add a metric to a task. What is wrong with it is in PROBLEMS.

    figure: makes its figure from what is stored of one model on one corpus.
    """
    at = f"metric {metric.name} ({figure.__module__})"
    if task not in TASKS:
        PROBLEMS.append(f"{at}: unknown task {task!r}. Tasks: {', '.join(TASKS)}")
    elif metric.name in METRICS:
        PROBLEMS.append(f"{at}: there is a metric of that name")
    else:
        METRICS[metric.name] = metric
        TASKS[task].added.append(Added(metric, figure))
    return metric


def group_of(task: str) -> list[Task]:
    """A task and those whose bands count in its grade."""
    return [t for t in TASKS.values() if task in (t.name, t.graded_with)]


def task_of(names: Iterable[str]) -> Task | None:
    """The task of a test with markers of these names.

    A test may carry the marker of the task in whose table its figures stand as well, and that of
    the task that it is selected with.
    """
    carried = {name: TASKS[name] for name in names if name in TASKS}
    within = [t for t in carried.values() if {t.shown_with, t.selected_with} & {*carried}]
    return next(iter([*within, *carried.values()]), None)


def title_of(task: str) -> str:
    """The title of a task; of one that is not here, its name."""
    return TASKS[task].title if task in TASKS else task


def _wrong_with(task: Task) -> Iterable[str]:
    new = {m.name for m in task.own_metrics if isinstance(m, Metric)}
    known = {m for m in task.own_metrics if isinstance(m, str)}
    if not task.name.isidentifier():
        yield "a name is of letters, digits and _"
    if task.name in TASKS:
        yield "there is a task of that name"
    if twins := sorted(new & METRICS.keys()):
        yield f"there is a metric {twins[0]} already: list its name instead"
    if task.front and [METRICS[m].bound for m in task.front if m in METRICS] != ["min", "max"]:
        yield "front: a metric of which more is better, and one of which less is"
    if unknown := sorted(known - METRICS.keys()):
        yield f"unknown metric {unknown[0]!r}"
    own = new | known
    named = {
        "essential": [task.essential] if task.essential else [],
        "compared": task.compared,
        "sliced": sorted(task.sliced),
        "columns": [c.metric for c in task.columns or () if c.task is None],
        "drawn": [c.metric for c in task.drawn or () if c.task is None],
        "front": task.front or (),
    }
    for key, metrics in named.items():
        if missing := [m for m in metrics if m not in own]:
            yield f"{key}: {missing[0]} is none of its metrics"
