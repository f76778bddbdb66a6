"""What the page says of figures: what broke, what is capped, what is to be looked at."""

from __future__ import annotations

from collections.abc import Iterator

from evals.gate.verdict import concern
from evals.metrics import metric_of
from evals.task import TASKS, title_of
from reports.page.view.reader import Reader
from reports.page.view.tables import (
    Capped,
    DominantLine,
    FlipLine,
    Problem,
    ReferenceLine,
    ReferenceTable,
    Regression,
    Unmeasured,
    WorseLine,
)
from reports.text.formats import Shown
from reports.text.safe_html import plain

#: Of the utterances that got worse, this many are shown of each model and corpus.
SHOWN_WORSENED = 30


class Findings(Reader):
    """What the page says of figures: what broke, what is capped, what is to be looked at."""

    def _problems(self) -> Iterator[Problem]:
        """The broken first, then what is missing, then what the evidence does not decide."""
        source = self._source
        ranks = {"broken": 0, "missing": 1, "undecided": 2}
        found = [
            (ranks[what], index, m)
            for index, m in enumerate(self._card.measurements)
            if (what := concern(m)) is not None
        ]
        for _, index, m in sorted(found, key=lambda one: one[:2]):
            at = ("measurements", index)
            yield Problem(
                state=m.verdict,
                model=source.text(*at, "model"),
                corpus=source.text(*at, "corpus"),
                task=plain(title_of(m.task)),
                metric=metric_of(m.metric).capitalized,
                slice=None if m.slice == "all" else source.text(*at, "slice"),
                cell=self._cell(index),
                source=source.text(*at, "limit_source") if m.limit_source else None,
                further=source.show("whole", *at, "further_utterances")
                if m.further_utterances
                else None,
                reason=source.text(*at, "reason") if m.reason else None,
            )

    def _capped(self) -> Iterator[Capped]:
        source = self._source
        for i, grade in enumerate(self._card.grades):
            for j, corpus in enumerate(grade.corpora):
                if corpus.capped_by and corpus.grade:
                    at = ("grades", i, "corpora", j)
                    missing = [
                        source.text(*at, "capped_by", k) for k in range(len(corpus.capped_by))
                    ]
                    yield Capped(
                        source.text("grades", i, "model"),
                        source.text(*at, "corpus"),
                        source.text(*at, "grade"),
                        missing,
                    )

    def _flips(self) -> Iterator[FlipLine]:
        for i in range(len(self._card.sensitivity)):
            at = ("sensitivity", i)
            show = self._source.show
            yield FlipLine(
                show("text", *at, "corpus"),
                show("text", *at, "better"),
                show("text", *at, "worse"),
                [show("percent2", *at, key, k) for key in ("wer", "wer_there") for k in (0, 1)],
                show("text", *at, "normalizer"),
            )

    def _dominant(self) -> Iterator[DominantLine]:
        show = self._source.show
        for i, row in enumerate(self._card.dominant_utterances):
            at = ("dominant_utterances", i)
            yield DominantLine(
                model=show("text", *at, "model"),
                corpus=show("text", *at, "corpus"),
                task=plain(title_of(row.task)),
                part=None if row.slice == "all" else show("text", *at, "slice"),
                id=show("text", *at, "id"),
                errors=show("whole", *at, "errors"),
                all_errors=show("whole", *at, "all_errors"),
                share=show("percent1", *at, "share"),
                wer=show("percent2", *at, "wer"),
                without=self._maybe("percent2", *at, "wer_without"),
                answered=row.answered,
            )

    def _references(self) -> Iterator[ReferenceTable]:
        show = self._source.show
        for i, found in enumerate(self._card.suspicious_references):
            at = ("suspicious_references", i)
            yield ReferenceTable(
                corpus=show("text", *at, "corpus"),
                total=show("whole", *at, "total"),
                more=found.total > len(found.rows),
                rows=[
                    ReferenceLine(
                        show("text", *at, "rows", j, "id"),
                        show("text", *at, "rows", j, "reference"),
                        [
                            (
                                show("text", *at, "rows", j, "heard", k, "model"),
                                show("text", *at, "rows", j, "heard", k, "hypothesis"),
                                show("whole", *at, "rows", j, "heard", k, "errors"),
                            )
                            for k in range(len(row.heard))
                        ],
                    )
                    for j, row in enumerate(found.rows)
                ],
            )

    def _regressions(self) -> Iterator[Regression]:
        card, text, show = self._card, self._source.text, self._source.show
        lists = {(w.model, w.corpus): i for i, w in enumerate(card.worsened)}
        changed = [
            (index, m) for index, m in enumerate(card.measurements) if m.metric.endswith("_change")
        ]
        cases = dict.fromkeys([*((m.model, m.corpus) for _, m in changed), *lists])
        for case in cases:
            mine = [(index, m) for index, m in changed if (m.model, m.corpus) == case]
            place = lists.get(case)
            at: tuple[str, int] = (
                ("worsened", place) if place is not None else ("measurements", mine[0][0])
            )
            rows = card.worsened[place].rows if place is not None else []
            yield Regression(
                model=text(*at, "model"),
                corpus=text(*at, "corpus"),
                changes=[
                    (metric_of(m.metric.removesuffix("_change")).capitalized, self._cell(index))
                    for index, m in mine
                ],
                rows=[
                    WorseLine(
                        *(
                            text(*at, "rows", i, key)
                            for key in ("id", "reference", "before", "after")
                        ),
                        *(
                            show("whole", *at, "rows", i, key)
                            for key in ("errors_before", "errors_after")
                        ),
                    )
                    for i in range(len(rows[:SHOWN_WORSENED]))
                ],
                total=show("length", *at, "rows") if place is not None else None,
            )

    def _unmeasured(self) -> Iterator[Unmeasured]:
        groups: dict[tuple[str | None, ...], list[int]] = {}
        for index, m in enumerate(self._card.measurements):
            if m.value is None:
                key = (m.verdict, m.model, m.task, m.corpus, m.reason)
                groups.setdefault(key, []).append(index)
        for members in groups.values():
            at = ("measurements", members[0])
            m = self._card.measurements[members[0]]
            source = self._source
            yield Unmeasured(
                model=source.text(*at, "model"),
                task=plain(title_of(m.task)),
                corpus=source.text(*at, "corpus"),
                verdict=source.show("words", *at, "verdict"),
                state=m.verdict,
                metrics=[self._missed(i) for i in members],
                reason=source.text(*at, "reason") if m.reason else None,
            )

    def _missed(self, index: int) -> Shown:
        m = self._card.measurements[index]
        if m.slice == "all" or not (m.task in TASKS and TASKS[m.task].parts):
            return self._source.show("words", "measurements", index, "metric")
        return self._source.text("measurements", index, "slice")
