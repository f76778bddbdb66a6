"""What the tests of a session say, gathered into its scorecard."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.plugin import MODELS
from adapters.redaction import redact
from evals.gate import case as cases
from evals.gate.baseline import WORSENED
from evals.gate.case import Case, missing_measurements
from evals.gate.evaluation import NOTE
from evals.gate.limit_files import KEPT
from evals.measures.run_conditions import OF_RUN
from evals.models.loaded import MODEL_PROPERTY
from evals.plugin import FAILURE_PROPERTY, case_of_nodeid, is_evaluation
from evals.records import measurement as measurements
from evals.records.measurement import Measurement
from evals.records.non_speech import NON_SPEECH
from evals.run import case_store
from evals.run.case_store import case_in
from evals.run.folder import point_latest
from evals.session.corpora import CORPUS_PROPERTY
from evals.session.limits import BASELINE, LIMITS, THRESHOLDS
from evals.session.run import SESSION, discard_run, run_dir, suggested
from evals.tasks.asr.breakdown import CONFUSIONS
from evals.tasks.asr.dominant import DOMINANT
from fixtures.fetch.download import without_secrets
from fixtures.plugin import CORPORA
from fixtures.safe_text import one_line
from reports.build.assemble import Findings, assemble
from reports.build.notes import notes
from reports.build.provided import provided_answers
from reports.ci.plugin import Ci
from reports.recommendation.suggested_command import resume_command
from reports.scorecard import cost, licences, provenance, scorecard, task_record
from reports.scorecard.parts import CorpusRecord
from reports.scorecard.scorecard import ModelRecord, Run, Scorecard
from reports.terminal.grid import terminal_width

PRICES: pytest.StashKey[cost.Prices] = pytest.StashKey()


class Collector:
    """Listens to the session's test reports and turns them into a scorecard at its end."""

    def __init__(self, config: pytest.Config, ci: Ci) -> None:
        self._config = config
        self._ci = ci
        self._started = datetime.now(UTC)
        self._clock = time.monotonic()
        self._cases: dict[str, Case] = {}
        self._findings = Findings()
        self._seen: dict[str, task_record.Seen] = {}
        self._models: dict[str, dict[str, Any]] = {}
        self._corpora: dict[str, CorpusRecord] = {}
        self._evals_seen = False
        self._card: Scorecard | None = None
        self._path: Path | None = None
        self._page: Path | None = None
        self._page_failed: str | None = None
        self._unwritten: str | None = None
        self._unrun: list[str] = []
        self._others_failed: set[str] = set()
        self._over: set[str] = set()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """What was begun and came to no report was interrupted, which is no pass."""
        if is_evaluation(nodeid) and nodeid not in self._cases:
            case = case_of_nodeid(nodeid, self._config)
            if case is not None:
                self._cases[nodeid] = case

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Every phase's report repeats the properties so far, so only the last one is read."""
        if is_evaluation(report.nodeid):
            self._evals_seen = True
        case = self._cases.get(report.nodeid)
        for name, value in report.user_properties:
            if name == cases.PROPERTY:
                case = self._cases[report.nodeid] = cases.from_property(str(value))
        if str(report.when) == "???":
            self._crashed(report)
            return
        if case is not None:
            self._note_outcome(report, case)
        elif report.failed:
            self._others_failed.add(report.nodeid)
        if report.when != "teardown":
            return
        self._over.add(report.nodeid)
        for name, value in report.user_properties:
            if name == measurements.PROPERTY:
                found = measurements.from_property(str(value))
                self._findings.measurements.append(found)
            elif name == MODEL_PROPERTY:
                row = json.loads(str(value))
                self._models[row["name"]] = row
            elif name == CORPUS_PROPERTY:
                record = CorpusRecord(**json.loads(str(value)))
                self._corpora[record.name] = record
            elif name == case_store.PROPERTY:
                self._seen[report.nodeid].facts = json.loads(str(value))["facts"]
            elif name == FAILURE_PROPERTY:
                failure = json.loads(str(value))
                self._seen[report.nodeid].message = failure["message"]
                self._seen[report.nodeid].gate_broken &= failure["gate"]
            elif name in (CONFUSIONS, WORSENED, DOMINANT, NON_SPEECH, NOTE):
                self._findings.note(name, json.loads(str(value)))

    def _note_outcome(self, report: pytest.TestReport, case: Case) -> None:
        seen = self._seen.setdefault(report.nodeid, task_record.Seen(case))
        if report.failed:
            self._findings.failed.add(case.model)
            seen.gate_broken = seen.outcome == "passed" and report.when == "call"
            seen.outcome = "failed"
        elif report.skipped and seen.outcome == "passed":
            seen.outcome = "skipped"

    def _crashed(self, report: pytest.TestReport) -> None:
        """An xdist worker died, so its test says nothing itself."""
        case = self._cases.get(report.nodeid) or case_of_nodeid(report.nodeid, self._config)
        if case is None:
            self._others_failed.add(report.nodeid)
        else:
            self._ended(report.nodeid, case, str(report.longrepr).strip().splitlines()[-1])

    def _ended(self, nodeid: str, case: Case, message: str) -> None:
        """Record an error for a test that did not end by itself: it has no figures."""
        self._over.add(nodeid)
        self._cases[nodeid] = case
        self._findings.failed.add(case.model)
        self._seen[nodeid] = task_record.Seen(case, "failed", message=message)
        self._findings.measurements += missing_measurements(
            case,
            (),
            "error",
            message,
            self._config.stash[THRESHOLDS],
            self._config.getoption("gate"),
        )

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that cannot be read fails the session, also where it goes on."""
        if report.failed:
            self._others_failed.add(report.nodeid or "collection")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        config = self._config
        if not self._cases:
            self._refuse_unrun(session)
            self._ci.publish(None, None, (), self._unrun)
            discard_run(config)
            return
        self._refuse_unrun(session)
        for nodeid, case in [*self._cases.items()]:
            if nodeid not in self._over:
                self._ended(nodeid, case, "the session ended before the test did")
        self._end_what_is_not_whole(session)
        stopped = bool(session.shouldstop or session.shouldfail)
        card = self._build(int(session.exitstatus), stopped=stopped)
        # Everything that is written of the session is made from it.
        text = redact(scorecard.as_text(card))
        self._card = Scorecard.model_validate_json(text)
        folder = run_dir(config)
        try:
            task_record.write(folder, self._card.models, self._seen.values())
            self._path = scorecard.write(self._card, folder, text)
            (folder / KEPT).write_bytes(self._config.stash[LIMITS].content)
        except OSError as error:
            # The predictions are there: resumed, the run has its scorecard without a model's work.
            self._unwritten = f"{error.filename or folder}: {error.strerror or error}"
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
        else:
            self._write_page(folder, self._card)
            point_latest(folder)
        self._ci.publish(self._card, self._path, self._seen.values(), self._unrun)

    def _end_what_is_not_whole(self, session: pytest.Session) -> None:
        """Record an error for each case that lacks a part, or that only earlier sessions ran."""
        whole = {s.case for s in self._seen.values() if s.facts is not None}
        passed = {s.case: n for n, s in self._seen.items() if s.outcome == "passed"}
        failed = {s.case for s in self._seen.values() if s.outcome != "passed"}
        ended = {
            case: (nodeid, "not all parts of the corpus were run")
            for case, nodeid in passed.items()
            if case not in whole | failed
        }
        if self._config.stash.get(SESSION, 1) > 1:
            ran = set(self._cases.values())
            for path in run_dir(self._config).glob("*/*/*.case.json"):
                case = case_in(path)
                if case is not None and case not in ran:
                    ended[case] = (str(path), "the run was resumed without its test")
        for case, (nodeid, why) in ended.items():
            self._ended(nodeid, case, why)
        if ended and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        self._unrun += [
            f"{c.model} on {c.corpus} ({c.task}): {why}" for c, (_, why) in ended.items()
        ]
        # Of a case that failed in each of its parts, what it owes is missing once.
        rows: dict[tuple[Any, ...], Measurement] = {}
        for m in self._findings.measurements:
            key = (m.model, m.task, m.corpus, m.metric, m.slice, m.normalizer)
            rows.setdefault(key if m.value is None else (*key, id(m)), m)
        self._findings.measurements = [*rows.values()]

    def _write_page(self, folder: Path, card: Scorecard) -> None:
        """The page is made from what is written already: failing at it changes no verdict."""
        try:
            from reports.page.scorecard_page import write_page  # brings a template engine

            audio = self._config.getoption("report_audio")
            self._page = write_page(folder, card, audio=audio)
        except Exception as error:
            self._page_failed = f"{type(error).__name__}: {error}"

    def _refuse_unrun(self, session: pytest.Session) -> None:
        """Fail the session for each model that the user named and that no test ran."""
        config = self._config
        if not self._evals_seen or config.option.collectonly:
            return
        asked = config.getoption("model") or []
        ran = {case.model for case in self._cases.values()}
        measured = {m.model for m in self._findings.measurements if m.value is not None}
        self._unrun = [
            f"{m.name}: no selected test evaluates it (it does: {', '.join(m.tasks)})"
            for m in config.stash[MODELS]
            if asked and m.required and m.name not in ran
        ]
        if asked and ran and not measured:
            self._unrun.append("none of the models asked for could be measured")
            self._unrun += self._reasons()
        if self._unrun and session.exitstatus in (
            pytest.ExitCode.OK,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _reasons(self) -> list[str]:
        """Why models have no figure: a line for each reason, with the models that have it."""
        models: dict[str, dict[str, None]] = {}
        for seen in self._seen.values():
            if seen.message is not None:
                why = seen.message.removeprefix(f"{seen.case.model}: ")
                models.setdefault(why, {})[seen.case.model] = None
        return [f"{', '.join(names)}: {why}" for why, names in models.items()]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._card is None and not self._unrun:
            return
        from reports.terminal import summary  # rich is worth its import only where there is a table

        terminalreporter.section("Model Lab")
        # The line of the last test's progress is over; write_line would end it once more.
        terminalreporter.currentfspath = None
        if self._card is not None and self._path is not None:
            text = summary.render(
                self._card,
                self._config.stash[THRESHOLDS],
                _shortest(self._path),
                width=terminal_width(is_terminal=terminalreporter.isatty()),
                color=terminalreporter.hasmarkup,
            )
            terminalreporter.write(text)
        if self._page is not None:
            terminalreporter.write_line(f"Page: {_shortest(self._page)}")
        if self._page_failed is not None:
            terminalreporter.write_line(
                one_line(f"Page: could not be written ({self._page_failed})"), yellow=True
            )
        for line in self._unrun:
            terminalreporter.write_line(one_line(f"ERROR: {line}"), red=True)
        if self._card is not None and self._card.run.shard is not None:
            said = f"Shard {self._card.run.shard}: held to no limit until all are put together by"
            terminalreporter.write_line(f"{said} python -m reports merge RUN RUN...")
        if self._card is not None:
            for line in self._card.run.notes:
                terminalreporter.write_line(one_line(f"Note: {line}"), yellow=True)
        if self._unwritten is not None:
            terminalreporter.write_line(f"ERROR: no scorecard: {self._unwritten}", red=True)
        if self._card is not None and not self._card.run.complete:
            run = _shortest(run_dir(self._config))
            terminalreporter.write_line("The run is partial. To go on with it:")
            terminalreporter.write_line(f"  {resume_command(run, self._card.provenance.options)}")

    def _build(self, exit_status: int, *, stopped: bool) -> Scorecard:
        config = self._config
        order = [m.name for m in config.stash[MODELS]]
        ran = sorted({c.model for c in self._cases.values()}, key=order.index)
        corpora = list(dict.fromkeys(c.corpus for c in self._cases.values()))
        engines = {m.name: m.engine for m in config.stash[MODELS]}
        shared = {c for m in self._findings.measurements for c in m.conditions if c in OF_RUN}
        return assemble(
            self._findings,
            run=Run(
                id=run_dir(config).name,
                started=self._started.isoformat(timespec="seconds"),
                seconds=round(time.monotonic() - self._clock, 3),
                exit_status=exit_status,
                complete=not stopped
                and exit_status in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED),
                gate=config.getoption("gate"),
                conditions=sorted(shared),
                hardware=config.getoption("hardware"),
                shard=config.getoption("shard"),
                problems=[
                    *self._unrun,
                    *(f"{test} failed" for test in sorted(self._others_failed)),
                ],
                notes=[
                    *self._findings.notes,
                    *notes(
                        config.stash[LIMITS],
                        {*corpora, *(source.name for source in config.stash[CORPORA])},
                    ),
                ],
            ),
            provenance=provenance.gather(
                modules={x for name in ran for x in engines[name].adapter().modules},
                command_line=[without_secrets(str(x)) for x in config.invocation_params.args],
                threads=config.getoption("threads"),
                seed=config.getoption("seed"),
                device=config.getoption("device"),
                thresholds_sha256=config.stash[LIMITS].sha256,
                corpora=self._corpus_records(corpora),
                options=suggested(config),
            ),
            models=self._model_records(ran),
            corpora=corpora,
            thresholds=config.stash[THRESHOLDS],
            prices=config.stash[PRICES],
            hardware=config.getoption("hardware"),
            baseline=str(config.stash[BASELINE].path) if BASELINE in config.stash else None,
            folder=run_dir(config),
        )

    def _corpus_records(self, names: Sequence[str]) -> list[CorpusRecord]:
        asked = {
            source.name: without_secrets(source.asked)
            for source in self._config.stash[CORPORA]
            if source.asked is not None
        }
        found = [self._corpora[name] for name in names if name in self._corpora]
        return [c.model_copy(update={"requested": asked.get(c.name)}) for c in found]

    def _model_records(self, names: Sequence[str]) -> list[ModelRecord]:
        records = []
        for model in self._config.stash[MODELS]:
            if model.name not in names:
                continue
            seen = self._models.get(model.name, {})
            records.append(
                ModelRecord(
                    name=model.name,
                    engine=model.engine.name,
                    checkpoint=model.checkpoint,
                    checkpoint_sha256=seen.get("checkpoint_sha256"),
                    revision=seen.get("revision", model.revision),
                    tasks=list(model.tasks),
                    tier=model.tier,
                    licence=model.licence,
                    restrictions=list(licences.flags(model.licence)),
                    requested=model.requested,
                    parameters=model.parameters,
                    options=dict(model.options),
                    device=seen.get("device"),
                    device_name=seen.get("device_name"),
                    device_note=seen.get("device_note"),
                    parts=seen.get("parts", {}),
                    python=(seen.get("environment") or {}).get("python"),
                    packages=(seen.get("environment") or {}).get("packages", {}),
                    provided=provided_answers(model.name, self._seen.values())
                    if model.is_provided
                    else None,
                )
            )
        return records


def _shortest(path: Path) -> Path:
    """The path relative to the current folder, if it is below that."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path
