"""The tables of the page, one for each task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evals import task as task_columns
from evals.metrics import METRICS, metric_of
from evals.records.measurement import Measurement
from evals.task import TASKS, title_of
from reports.page.view.reader import Reader
from reports.page.view.tables import (
    Cell,
    Column,
    Detail,
    Row,
    TaskTable,
)
from reports.text.safe_html import plain


class TaskTables(Reader):
    """The tables of the page, one for each task."""

    def _tables(self) -> Iterator[TaskTable]:
        tasks = list(dict.fromkeys(m.task for m in self._card.measurements))
        ranks = list(TASKS)
        for task in sorted(tasks, key=lambda t: ranks.index(t) if t in ranks else len(ranks)):
            own = [m for m in self._card.measurements if m.task == task]
            cases = list(dict.fromkeys((m.model, m.corpus) for m in own))
            wanted = [
                column
                for column in (TASKS[task].columns_on("page") if task in TASKS else ())
                if any(
                    (m.task, m.metric) == (column.task or task, column.metric)
                    for m in self._card.measurements
                )
            ]
            yield TaskTable(
                task=task,
                title=plain(title_of(task)),
                graded=any(key[0] == task for key in self._letters),
                columns=[self._column(column) for column in wanted],
                rows=[self._row(task, *case, wanted) for case in cases] if wanted else [],
                heads=[self._case(task, *case) for case in cases],
                details=list(self._details(task, own, cases)),
            )

    def _column(self, column: task_columns.Column) -> Column:
        metric = METRICS[column.metric]
        heading = column.heading or metric.page_heading
        return Column(heading, plain(metric.shown_unit), metric.meaning)

    def _row(
        self, task: str, model: str, corpus: str, columns: Sequence[task_columns.Column]
    ) -> Row:
        cells = []
        place = self._letters.get((task, model, corpus))
        for column in columns:
            of, metric = column.task or task, column.metric
            index = self._found.get((of, model, corpus, metric, "all"))
            if index is None and of != task:
                # The tasks of a group that have no corpus of their own.
                index = next(
                    (
                        i
                        for key, i in self._found.items()
                        if (*key[:2], key[3]) == (of, model, metric)
                    ),
                    None,
                )
            letter = None
            if place is not None:
                i, j = place
                named = f"{of}/{metric}"
                if named in self._card.grades[i].corpora[j].metrics:
                    letter = self._source.text("grades", i, "corpora", j, "metrics", named)
            cells.append(Cell("not_run") if index is None else self._cell(index, letter))
        name, where = self._case(task, model, corpus)
        grade = None
        if place is not None and self._card.grades[place[0]].corpora[place[1]].grade:
            grade = self._source.text("grades", place[0], "corpora", place[1], "grade")
        gate = self._gates.get(model)
        return Row(
            name,
            where,
            grade,
            self._source.text("grades", gate, "gate") if gate is not None else None,
            cells,
        )

    def _details(
        self, task: str, own: Sequence[Measurement], cases: Sequence[tuple[str, str]]
    ) -> Iterator[Detail]:
        """Slices are left out where they say a corpus's parts: the heat map has them."""
        mapped = TASKS[task].sliced if task in TASKS and not TASKS[task].where_named else ()
        keys = dict.fromkeys(
            (m.metric, "all" if m.is_whole else m.slice)
            for m in own
            if m.is_whole or m.metric not in mapped
        )
        for metric, part in keys:
            if not metric_of(metric).may_be_limited:
                continue  # a row for each normalizer, of which `sensitivity` tells what matters
            unit = next(m.unit for m in own if m.metric == metric)
            indices = [self._found.get((task, *case, metric, part)) for case in cases]
            yield Detail(
                name=metric_of(metric).capitalized,
                part=None if part == "all" else self._part(task, metric, part),
                unit=plain(metric_of(metric, unit).shown_unit),
                meaning=metric_of(metric).meaning,
                cells=[Cell("not_run") if i is None else self._cell(i) for i in indices],
            )
