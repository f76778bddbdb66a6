"""What the page shows of a scorecard, in its order, typed; every figure with its key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evals import task as task_columns
from evals.gate.verdict import concern
from evals.measures.run_conditions import BUSY, CONTENDED, MIXED, RESUMED, is_unfair
from evals.metrics import METRICS, metric_of
from evals.records.measurement import Measurement
from evals.task import TASKS, title_of
from reports.page.view.tables import (
    Answer,
    Capped,
    Cell,
    Column,
    ConfusionList,
    Contender,
    CostLine,
    Detail,
    DominantLine,
    FlipLine,
    ModelLine,
    Problem,
    ReferenceLine,
    ReferenceTable,
    Regression,
    Row,
    TaskTable,
    Unmeasured,
    View,
    WorseLine,
)
from reports.scorecard.scorecard import Scorecard
from reports.text.few_speakers import few_speakers
from reports.text.formats import Shown, Source, format_of
from reports.text.safe_html import plain

#: Of the utterances that got worse, this many are shown of each model and corpus.
SHOWN_WORSENED = 30
SHOWN_CONFUSIONS = 10
_EXITS = {
    0: "every test passed",
    1: "a test failed",
    2: "interrupted",
    3: "an error inside pytest",
    4: "a usage error",
    5: "no test ran",
}


def view_of(card: Scorecard) -> View:
    """The view of a scorecard."""
    return _Builder(card).view()


class _Builder:
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

    def view(self) -> View:
        card, source = self._card, self._source
        run = {name: source.text("run", name) for name in ("id", "exit_status", "gate")}
        run["started"] = source.show("time", "run", "started")
        run["seconds"] = source.show("duration", "run", "seconds")
        run["complete"] = source.show("yes", "run", "complete")
        exit_status = card.run.exit_status
        return View(
            title=plain(card.run.id),
            run=run,
            passed=exit_status == 0 if card.run.gate != "off" or exit_status else None,
            exit=_EXITS.get(exit_status, "an error of its own"),
            notices=self._notices(),
            failures=self._texts("run", "problems"),
            answers=list(self._answers()),
            models=list(self._models()),
            problems=list(self._problems()),
            capped=list(self._capped()),
            flips=list(self._flips()),
            dominant=list(self._dominant()),
            references=list(self._references()),
            tables=list(self._tables()),
            costs=list(self._costs()),
            prices=[
                (source.text("costs", i, "hardware"), source.text("costs", i, "source"))
                for i in {(c.hardware, c.source): i for i, c in enumerate(card.costs)}.values()
            ],
            licences=[
                (
                    source.text("models", i, "name"),
                    source.text("models", i, "licence"),
                    self._texts("models", i, "restrictions")
                    # Scorecards of before do not say.
                    or [source.show("demands", "models", i, "licence")],
                )
                for i in range(len(card.models))
            ],
            confusions=list(self._confusions()),
            baseline=source.text("baseline") if card.baseline else None,
            regressions=list(self._regressions()),
            unmeasured=list(self._unmeasured()),
            provenance=list(self._provenance()),
            command=self._texts("provenance", "command_line"),
            corpora=[
                {
                    "name": source.text("provenance", "corpora", i, "name"),
                    "utterances": source.show("whole", "provenance", "corpora", i, "utterances"),
                    "seconds": source.show("duration", "provenance", "corpora", i, "audio_seconds"),
                    "language": source.text("provenance", "corpora", i, "language"),
                    "hash": source.show("short", "provenance", "corpora", i, "content_hash"),
                }
                for i in range(len(card.provenance.corpora))
            ],
            packages=[
                (plain(name), source.text("provenance", "packages", name))
                for name in sorted(card.provenance.packages)
            ],
        )

    def _texts(self, *at: str | int) -> list[Shown]:
        """The texts of a list."""
        return [self._source.text(*at, i) for i in range(len(self._source.value(*at)))]

    def _maybe(self, form: str, *at: str | int) -> Shown | None:
        """The value at a path, unless it is null."""
        return None if self._source.value(*at) is None else self._source.show(form, *at)

    def _notices(self) -> list[str]:
        """What keeps the run from being taken as it stands."""
        card = self._card
        notices = []
        if not card.run.complete:
            notices.append("The run is not complete: it was stopped before its end.")
        if CONTENDED in card.run.conditions:
            notices.append("Models shared the machine: times are shown, and gate nothing.")
        if RESUMED in card.run.conditions:
            notices.append("The run was resumed: times and memory are shown, and gate nothing.")
        if MIXED in card.run.conditions:
            notices.append("Its shards ran on different machines: times gate nothing.")
        if any(BUSY in m.conditions for m in card.measurements):
            notices.append(
                "The machine was busy with other work: figures marked ~ may be better than shown."
            )
        notices += few_speakers(card)
        if card.rescored is not None:
            notices.append("Rescored: the figures are not the session's own, see Provenance.")
        if not card.measurements:
            notices.append("Nothing was measured.")
        return notices

    def _answers(self) -> Iterator[Answer]:
        card = self._card
        several: list[tuple[str | int, ...]] = [
            ("recommendations", i) for i in range(len(card.recommendations))
        ]
        for at in several or [("recommendation",)]:
            best = card.recommendations[int(at[1])] if len(at) > 1 else card.recommendation
            source = self._source
            yield Answer(
                use=source.show("words", *at, "use_case"),
                description=source.text(*at, "description") if best.description else None,
                model=source.text(*at, "model") if best.model else None,
                reason=source.text(*at, "reason"),
                runner_up=source.text(*at, "runner_up") if best.runner_up else None,
                decided_by=self._texts(*at, "decided_by"),
                would_change=self._texts(*at, "would_change"),
                to_run=self._texts(*at, "to_run"),
                contenders=[
                    Contender(
                        source.text(*at, "candidates", i, "model"),
                        source.show("two", *at, "candidates", i, "score")
                        if c.score is not None
                        else None,
                        [
                            source.text(*at, "candidates", i, "rejected", j)
                            for j in range(len(c.rejected))
                        ],
                    )
                    for i, c in enumerate(best.candidates)
                ],
            )

    def _models(self) -> Iterator[ModelLine]:
        source = self._source
        for i, record in enumerate(self._card.models):
            grade = self._gates.get(record.name)
            facts = [
                (name, source.text("models", i, key))
                for name, key in (
                    ("Tier", "tier"),
                    ("Engine", "engine"),
                    ("Checkpoint", "checkpoint"),
                    ("Revision", "revision"),
                    ("Device", "device"),
                    ("Accelerator", "device_name"),
                    ("Licence", "licence"),
                    ("Python", "python"),
                )
                if source.value("models", i, key) not in (None, "") or key in ("device", "licence")
            ]
            if record.parameters is not None:
                facts.append(("Parameters", source.show("whole", "models", i, "parameters")))
            if record.checkpoint_sha256:
                facts.append(
                    ("Checkpoint SHA-256", source.show("short", "models", i, "checkpoint_sha256"))
                )
            facts += [
                (f"{plain(part)[:1].upper()}{plain(part)[1:]}", source.text(*at))
                for part in record.parts
                for at in [("models", i, "parts", part, "checkpoint")]
            ]
            if record.options:
                facts.append(("Options", source.show("options", "models", i, "options")))
            if record.packages:
                facts.append(("Packages", source.show("options", "models", i, "packages")))
            has_letter = grade is not None and self._card.grades[grade].grade is not None
            yield ModelLine(
                name=source.text("models", i, "name"),
                gate=source.text("grades", grade, "gate") if grade is not None else None,
                grade=source.text("grades", grade, "grade")
                if grade is not None and has_letter
                else None,
                facts=facts,
                note=source.text("models", i, "device_note") if record.device_note else None,
            )

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

    def _case(self, task: str, model: str, corpus: str) -> tuple[Shown, Shown]:
        index = next(
            i
            for i, m in enumerate(self._card.measurements)
            if (m.task, m.model, m.corpus) == (task, model, corpus)
        )
        at = ("measurements", index)
        return self._source.text(*at, "model"), self._source.text(*at, "corpus")

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

    def _costs(self) -> Iterator[CostLine]:
        for i, cost in enumerate(self._card.costs):
            at = ("costs", i)
            source = self._source

            yield CostLine(
                model=source.text(*at, "model"),
                task=plain(title_of(cost.task)),
                corpus=source.text(*at, "corpus"),
                hardware=source.text(*at, "hardware"),
                per_audio_hour=self._maybe("money", *at, "per_audio_hour"),
                of_run=self._maybe("money", *at, "of_run"),
                price=self._maybe("money", *at, "price_per_hour"),
                utilisation=self._maybe("percent0", *at, "utilisation"),
                energy=self._maybe("two", *at, "watt_hours_per_audio_hour"),
                method=self._maybe("text", *at, "energy_method"),
                currency=source.text(*at, "currency"),
                source=source.text(*at, "source"),
                reason=self._maybe("text", *at, "reason"),
                sort=cost.per_audio_hour,
                unfair=bool(cost.conditions),
            )

    def _confusions(self) -> Iterator[ConfusionList]:
        text, show = self._source.text, self._source.show
        for i, errors in enumerate(self._card.word_errors):
            if not errors.rows:
                continue
            yield ConfusionList(
                text("word_errors", i, "model"),
                text("word_errors", i, "corpus"),
                [
                    (
                        text("word_errors", i, "rows", j, "reference") if row.reference else None,
                        text("word_errors", i, "rows", j, "hypothesis") if row.hypothesis else None,
                        show("whole", "word_errors", i, "rows", j, "count"),
                    )
                    for j, row in enumerate(errors.rows[:SHOWN_CONFUSIONS])
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

    def _provenance(self) -> Iterator[tuple[str, Shown]]:
        text, show = self._source.text, self._source.show
        yield "Git commit", show("short", "provenance", "git_sha")
        yield "Uncommitted changes", show("yes", "provenance", "git_dirty")
        yield "Python", text("provenance", "python")
        yield "Platform", text("provenance", "platform")
        yield "Processor", text("provenance", "processor")
        yield "Cores", show("whole", "provenance", "cores")
        yield "Memory", show("gigabytes", "provenance", "memory_bytes")
        yield "Device asked for", text("provenance", "device_requested")
        yield "Threads", show("whole", "provenance", "threads")
        yield "Seed", text("provenance", "seed")
        yield "Thresholds SHA-256", show("short", "provenance", "thresholds_sha256")
        yield "Schema version", text("schema_version")
        if self._card.rescored is not None:
            yield "Rescored", show("time", "rescored", "at")
            yield "Rescored with commit", show("short", "rescored", "git_sha")
            yield "Its thresholds", show("short", "rescored", "thresholds_sha256")
