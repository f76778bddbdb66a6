"""The tasks that exist: the one list that names them. A team's own are registered beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from evals.metric import Metric
from evals.metrics import METRICS
from evals.task import Added, Task
from evals.tasks.asr.task import TASK as ASR
from evals.tasks.chat.task import TASK as CHAT
from evals.tasks.hallucination.task import TASK as HALLUCINATION
from evals.tasks.latency.task import TASK as LATENCY
from evals.tasks.robustness.task import TASK as ROBUSTNESS
from evals.tasks.smoke.task import TASK as SMOKE
from evals.tasks.tts.task import TASK as TTS

if TYPE_CHECKING:
    from evals.measurement import Figure
    from evals.stored import Stored

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

    A test may carry the marker of the task in whose table its figures stand as well.
    """
    carried = {name: TASKS[name] for name in names if name in TASKS}
    within = [task for task in carried.values() if task.shown_with in carried]
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
    if unknown := sorted(known - METRICS.keys()):
        yield f"unknown metric {unknown[0]!r}"
    own = new | known
    named = {
        "essential": [task.essential] if task.essential else [],
        "compared": task.compared,
        "sliced": sorted(task.sliced),
        "columns": [c.metric for c in task.columns or () if c.task is None],
    }
    for field, metrics in named.items():
        if missing := [m for m in metrics if m not in own]:
            yield f"{field}: {missing[0]} is none of its metrics"


for _task in (ASR, LATENCY, SMOKE, TTS, CHAT, ROBUSTNESS, HALLUCINATION):
    register(_task)
if _orphans := METRICS.keys() - {m for task in TASKS.values() for m in task.metrics}:
    raise ValueError(f"metrics that no task lists: {', '.join(sorted(_orphans))}")
