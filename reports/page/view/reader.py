"""Figures and texts of a scorecard, each with its place in it."""

from __future__ import annotations

from evals.measures.run_conditions import is_unfair
from evals.metrics import metric_of
from reports.page.view.tables import (
    Cell,
)
from reports.scorecard.scorecard import Scorecard
from reports.text.formats import Shown, Source, format_of
from reports.text.safe_html import plain


class Reader:
    """Figures and texts of a scorecard, each with its place in it."""

    def __init__(self, card: Scorecard) -> None:
        self._card = card
        self._source = Source(card.model_dump(mode="json"))
        self._found = {
            (m.task, m.model, m.corpus, m.metric, "all" if m.is_whole else m.slice): index
            for index, m in reversed(list(enumerate(card.measurements)))
        }
        self._letters = {
            (c.task, g.model, c.corpus): (i, j)
            for i, g in enumerate(card.grades)
            for j, c in enumerate(g.corpora)
        }
        self._gates = {g.model: i for i, g in enumerate(card.grades)}

    def _texts(self, *at: str | int) -> list[Shown]:
        """The texts of a list."""
        return [self._source.text(*at, i) for i in range(len(self._source.value(*at)))]

    def _maybe(self, form: str, *at: str | int) -> Shown | None:
        """The value at a path, unless it is null."""
        return None if self._source.value(*at) is None else self._source.show(form, *at)

    def _case(self, task: str, model: str, corpus: str) -> tuple[Shown, Shown]:
        index = next(
            i
            for i, m in enumerate(self._card.measurements)
            if (m.task, m.model, m.corpus) == (task, model, corpus)
        )
        at = ("measurements", index)
        return self._source.text(*at, "model"), self._source.text(*at, "corpus")

    def _part(self, task: str, metric: str, part: str) -> Shown:
        """The name of a part or condition, from a row that has it."""
        index = next(
            i
            for i, m in enumerate(self._card.measurements)
            if (m.task, m.metric, m.slice) == (task, metric, part)
        )
        return self._source.text("measurements", index, "slice")

    def _cell(self, index: int, letter: Shown | None = None) -> Cell:
        m = self._card.measurements[index]
        at = ("measurements", index)
        form = format_of(metric_of(m.metric, m.unit))
        show = self._source.show
        verdict = show("words", *at, "verdict")
        unit = plain(metric_of(m.metric, m.unit).shown_unit)
        if m.value is None:
            return Cell(state=m.verdict, verdict=verdict, unit=unit)
        return Cell(
            state=m.verdict,
            value=show(form, *at, "value"),
            low=show(form, *at, "ci", 0) if m.ci else None,
            high=show(form, *at, "ci", 1) if m.ci else None,
            letter=letter,
            verdict=verdict,
            unfair=is_unfair(m.conditions),
            sort=m.value,
            unit=unit,
            limit=show(form, *at, "limit") if m.limit is not None else None,
            bound=show("text", *at, "bound") if m.bound is not None else None,
        )
