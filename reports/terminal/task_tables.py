"""A table for each task that ran: models on corpora, or conditions where a task has parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from evals.gate.thresholds import Thresholds
from evals.measures.run_conditions import is_unfair, ungated
from evals.metrics import METRICS
from evals.records.measurement import Measurement
from evals.records.metric import PER_CENT, Metric
from evals.task import TASKS, Column, Task
from reports.scorecard.scorecard import Scorecard
from reports.terminal.grid import Grid, GridColumn

#: What stands behind a figure whose limit is not shown to be kept.
MARK = {"fail": " x", "inconclusive": " ?"}
#: What stands behind a time of a machine that did something else too.
UNFAIR = " ~"
_GRADE_STYLE = {"A": "green", "B": "green", "C": "yellow", "D": "red"}


def task_tables(card: Scorecard, thresholds: Thresholds) -> Iterator[Grid]:
    """The tables, in the order of the tasks; with no measurement at all an empty first one."""
    first = next(iter(TASKS))
    for task in TASKS.values():
        if task.shown_with is not None:
            continue
        here = {task.name, *(t.name for t in TASKS.values() if t.shown_with == task.name)}
        rows = [m for m in card.measurements if m.task in here]
        if not rows and (card.measurements or task.name != first):
            continue
        if task.parts:
            yield _by_part(task, rows)
        elif task.essential is not None:
            yield _graded(task, rows, card, thresholds)
        else:
            yield _plain(task, rows)


def _by_part(task: Task, rows: Sequence[Measurement]) -> Grid:
    """A line per part, a column per model and corpus.

    The last of the task's columns is the figure of each part; those before it are of what the
    parts are held against.
    """
    *bases, each = task.columns_on("terminal")
    of_each = METRICS[each.metric]
    runs = list(dict.fromkeys((m.model, m.corpus) for m in rows))
    columns = [GridColumn(f"{of_each.title}, in {of_each.shown_unit}")]
    columns += [GridColumn(f"{model}\n{corpus}") for model, corpus in runs]
    lines = []
    found = {(m.model, m.corpus, m.metric, m.slice): m for m in rows}
    parts = dict.fromkeys(m.slice for m in rows if m.metric == each.metric)
    for base in bases:
        for name in dict.fromkeys(m.slice for m in rows if m.metric == base.metric):
            if name not in parts:
                cells = [found.get((*run, base.metric, name)) for run in runs]
                title = METRICS[base.metric].title
                lines.append([Text(f"{name}: {title}"), *[_with_interval(m, base) for m in cells]])
    for name in parts:
        cells = [found.get((*run, each.metric, name)) for run in runs]
        lines.append([Text(name), *[_with_interval(m, each) for m in cells]])
    return Grid(1, columns, lines)


def _plain(task: Task, rows: Sequence[Measurement]) -> Grid:
    """A line per model and corpus; each figure with its interval."""
    whole = [m for m in rows if m.is_whole]
    columns = _columns(task, whole)
    headings = [GridColumn(task.row_name), GridColumn("corpus")]
    headings += [GridColumn(_heading(column)) for column in columns]
    found = {(m.model, m.corpus, m.metric): m for m in whole}
    lines = []
    for model, corpus in dict.fromkeys((m.model, m.corpus) for m in rows):
        cells = [found.get((model, corpus, column.metric)) for column in columns]
        figures = [_with_interval(m, c) for m, c in zip(cells, columns, strict=True)]
        lines.append([Text(model), Text(corpus), *figures])
    return Grid(2, headings, lines)


def _graded(
    task: Task, rows: Sequence[Measurement], card: Scorecard, thresholds: Thresholds
) -> Grid:
    """A line per model and corpus, with its grade and its gate; figures with their letters."""
    columns = _columns(task, [m for m in rows if m.is_whole])
    headings = [GridColumn(task.row_name), GridColumn("corpus"), GridColumn("grade", words=True)]
    for column in columns:
        headings.append(GridColumn(_heading(column)))
        if column.interval:
            headings.append(GridColumn("95 % interval", with_last=True))
    headings.append(GridColumn("gate", words=True))
    lines = []
    for grade in card.grades:
        own = [m for m in rows if m.model == grade.model and m.is_whole]
        if not own:
            continue
        letters = {c.corpus: c.grade for c in grade.corpora if c.task == task.name}
        for corpus in [*letters] or [""]:
            letter = letters.get(corpus) or "-"
            cells: list[Text] = []
            for column in columns:
                m = _find(own, task, column, corpus)
                cells.append(_with_letter(m, column, thresholds))
                if column.interval:
                    cells.append(Text(_interval(m)))
            lines.append(
                [
                    Text(grade.model),
                    Text(corpus or "-"),
                    Text(letter, style=_GRADE_STYLE.get(letter, "")),
                    *cells,
                    Text(grade.gate, style="red" if grade.gate == "fail" else ""),
                ]
            )
    return Grid(2, headings, lines)


def _columns(task: Task, rows: Sequence[Measurement]) -> list[Column]:
    """The columns with figures; an engine that does not stream, for one, has no first audio."""
    have = {(m.task, m.metric) for m in rows}
    measured = {(m.task, m.metric) for m in rows if m.value is not None}
    return [
        c
        for c in task.columns_on("terminal")
        if (c.task or task.name, c.metric) in (measured if c.where_measured else have)
    ]


def _heading(column: Column) -> str:
    return column.short or METRICS[column.metric].terminal_heading


def _find(
    own: Sequence[Measurement], task: Task, column: Column, corpus: str
) -> Measurement | None:
    """The figure; one of another task counts on every corpus, since that has none of its own."""
    wanted = (column.task or task.name, column.metric)
    return next(
        (
            m
            for m in own
            if (m.task, m.metric) == wanted and (m.corpus == corpus or column.task is not None)
        ),
        None,
    )


def _with_letter(m: Measurement | None, column: Column, thresholds: Thresholds) -> Text:
    """The figure with its letter, where it is graded."""
    if m is None or m.value is None:
        return _missing(m)
    letter = thresholds.grade(m.task, m.metric, m.value)
    shown = _metric(m).number(m.value, column.digits)
    return _marked(m, f"{shown} {letter}" if letter and not ungated(m.conditions) else shown)


def _with_interval(m: Measurement | None, column: Column) -> Text:
    """The figure with its interval."""
    if m is None or m.value is None:
        return _missing(m)
    metric = _metric(m)
    shown = metric.number(m.value, column.digits)
    if m.ci is not None:
        low, high = (metric.number(end, column.digits) for end in m.ci)
        shown += f" [{low}, {high}]"
    return _marked(m, shown)


def _missing(m: Measurement | None) -> Text:
    if m is None:
        return Text("not run", style="dim")
    return Text(m.verdict.replace("_", " "), style="red" if m.verdict == "error" else "yellow")


def is_marked_unfair(grid: Grid) -> bool:
    """Whether a time that was not fair is among its figures."""
    cells = (cell.plain for row in grid.rows for cell in row[grid.names :])
    return any(cell.endswith(UNFAIR) for cell in cells)


def _marked(m: Measurement, shown: str) -> Text:
    mark = UNFAIR if is_unfair(m.conditions) else MARK.get(m.verdict, "")
    return Text(shown + mark, style="red" if m.verdict == "fail" else "")


def _interval(m: Measurement | None) -> str:
    if m is None or m.ci is None:
        return "-"
    metric = _metric(m)
    digits = 1 if metric.scale == PER_CENT else None
    return " to ".join(metric.number(end, digits) for end in m.ci)


def _metric(m: Measurement) -> Metric:
    return METRICS[m.metric]
