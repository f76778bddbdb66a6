"""What the page shows of a scorecard, in its order, typed; every figure with its key."""

from __future__ import annotations

from collections.abc import Iterator

from evals.measures.run_conditions import BUSY, CONTENDED, MIXED, RESUMED
from evals.task import title_of
from reports.page.view.findings import Findings
from reports.page.view.tables import (
    Answer,
    ConfusionList,
    Contender,
    CostLine,
    ModelLine,
    View,
)
from reports.page.view.task_tables import TaskTables
from reports.scorecard.scorecard import Scorecard
from reports.text.few_speakers import few_speakers
from reports.text.formats import Shown
from reports.text.safe_html import plain

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


class _Builder(TaskTables, Findings):
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
