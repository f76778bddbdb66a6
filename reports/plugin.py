"""The reporting plugin: collects measurements, grades them, writes and shows the scorecard."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.plugin import MODELS
from evals import cases
from evals import measurement as measurements
from evals.baseline import WORSENED
from evals.cases import Case, missing_measurements
from evals.evaluation import CONTENDED
from evals.explanation import CONFUSIONS
from evals.measurement import Measurement
from evals.models import MODEL_PROPERTY
from evals.plugin import BASELINE, CORPUS_PROPERTY, RUN_DIR, THRESHOLDS, case_of_nodeid, run_dir
from evals.run_dir import point_latest
from evals.thresholds import Thresholds
from reports import provenance, scorecard
from reports.grading import grade_models
from reports.recommendation import recommend
from reports.scorecard import (
    CorpusRecord,
    ModelRecord,
    Run,
    Scorecard,
    WordErrors,
    WorsenedUtterances,
)
from reports.sensitivity import flips

_EVALS = "evals/"

COLLECTOR: pytest.StashKey[Collector] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return  # xdist's controller sees every report
    collector = Collector(config)
    config.stash[COLLECTOR] = collector
    config.pluginmanager.register(collector, "model-lab-report")


class Collector:
    """Listens to the session's test reports and turns them into a scorecard at its end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._started = datetime.now(UTC)
        self._clock = time.monotonic()
        self._cases: dict[str, Case] = {}
        self._measurements: list[Measurement] = []
        self._models: dict[str, dict[str, Any]] = {}
        self._corpora: dict[str, CorpusRecord] = {}
        self._word_errors: list[WordErrors] = []
        self._worsened: list[WorsenedUtterances] = []
        self._failed: set[str] = set()
        self._evals_seen = False
        self._card: Scorecard | None = None
        self._path: Path | None = None
        self._unrun: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Every phase's report repeats the properties so far, so only the last one is read."""
        if report.nodeid.startswith(_EVALS):
            self._evals_seen = True
        case = self._cases.get(report.nodeid)
        for name, value in report.user_properties:
            if name == cases.PROPERTY:
                case = self._cases[report.nodeid] = cases.from_property(str(value))
        if str(report.when) == "???":
            self._crashed(report)
            return
        if report.failed and case is not None:
            self._failed.add(case.model)
        if report.when != "teardown":
            return
        for name, value in report.user_properties:
            if name == measurements.PROPERTY:
                self._measurements.append(measurements.from_property(str(value)))
            elif name == MODEL_PROPERTY:
                row = json.loads(str(value))
                self._models[row["name"]] = row
            elif name == CORPUS_PROPERTY:
                record = CorpusRecord(**json.loads(str(value)))
                self._corpora[record.name] = record
            elif name == CONFUSIONS:
                self._word_errors.append(WordErrors(**json.loads(str(value))))
            elif name == WORSENED:
                self._worsened.append(WorsenedUtterances(**json.loads(str(value))))

    def _crashed(self, report: pytest.TestReport) -> None:
        """An xdist worker died, so its test says nothing itself."""
        case = case_of_nodeid(report.nodeid, self._config)
        if case is None:
            return
        self._cases[report.nodeid] = case
        self._failed.add(case.model)
        self._measurements += missing_measurements(
            case,
            (),
            "error",
            str(report.longrepr).strip().splitlines()[-1],
            self._config.stash[THRESHOLDS],
            self._config.getoption("gate"),
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        config = self._config
        if not self._cases:
            self._refuse_unrun(session)
            if RUN_DIR in config.stash and not any(config.stash[RUN_DIR].iterdir()):
                config.stash[RUN_DIR].rmdir()
            return
        self._refuse_unrun(session)
        stopped = bool(session.shouldstop or session.shouldfail)
        self._card = self._build(int(session.exitstatus), stopped=stopped)
        folder = run_dir(config)
        self._path = scorecard.write(self._card, folder)
        point_latest(folder)

    def _refuse_unrun(self, session: pytest.Session) -> None:
        """A model that the user named and that nothing ran is a failure, not an omission."""
        config = self._config
        if not self._evals_seen or config.option.collectonly:
            return
        asked = config.getoption("model") or []
        ran = {case.model for case in self._cases.values()}
        measured = {m.model for m in self._measurements if m.value is not None}
        self._unrun = [
            f"{m.name}: no selected test evaluates it (it does: {', '.join(m.tasks)})"
            for m in config.stash[MODELS]
            if asked and m.required and m.name not in ran
        ]
        if asked and ran and not measured:
            self._unrun.append("none of the models asked for could be measured")
        if self._unrun and session.exitstatus in (
            pytest.ExitCode.OK,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._card is None and not self._unrun:
            return
        from reports import terminal  # rich is worth its import only where there is a table

        terminalreporter.section("Model Lab")
        if self._card is not None and self._path is not None:
            text = terminal.render(
                self._card,
                self._config.stash[THRESHOLDS],
                _shortest(self._path),
                width=terminalreporter._tw.fullwidth,
                color=terminalreporter.hasmarkup,
            )
            terminalreporter.write(text)
        for line in self._unrun:
            terminalreporter.write_line(f"ERROR: {line}", red=True)

    def _build(self, exit_status: int, *, stopped: bool) -> Scorecard:
        config = self._config
        thresholds = config.stash[THRESHOLDS]
        gate = config.getoption("gate")
        order = [m.name for m in config.stash[MODELS]]
        ran = sorted({c.model for c in self._cases.values()}, key=order.index)
        corpora = list(dict.fromkeys(c.corpus for c in self._cases.values()))
        rows = sorted(
            self._measurements,
            key=lambda m: (ran.index(m.model), m.task, corpora.index(m.corpus)),
        )
        failed = frozenset(self._failed)
        engines = {m.name: m.engine for m in config.stash[MODELS]}
        conditions = sorted({c for m in rows for c in m.conditions if c == CONTENDED})
        return Scorecard(
            run=Run(
                id=run_dir(config).name,
                started=self._started.isoformat(timespec="seconds"),
                seconds=round(time.monotonic() - self._clock, 3),
                exit_status=exit_status,
                complete=not stopped
                and exit_status in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED),
                gate=gate,
                conditions=conditions,
            ),
            provenance=provenance.gather(
                modules={x for name in ran for x in engines[name].adapter().modules},
                command_line=[str(arg) for arg in config.invocation_params.args],
                threads=config.getoption("threads"),
                seed=config.getoption("seed"),
                device=config.getoption("device"),
                thresholds=Path(config.getoption("thresholds")),
                corpora=[self._corpora[c] for c in corpora if c in self._corpora],
            ),
            models=self._model_records(ran),
            measurements=rows,
            grades=grade_models(rows, ran, thresholds, gate, failed),
            recommendation=recommend(rows, ran, failed, thresholds, _use_case(rows, thresholds)),
            baseline=str(config.stash[BASELINE].path) if BASELINE in config.stash else None,
            word_errors=self._word_errors,
            worsened=self._worsened,
            sensitivity=flips(rows),
        )

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
                    parameters=model.parameters,
                    options=dict(model.options),
                    device=seen.get("device"),
                    device_note=seen.get("device_note"),
                    python=(seen.get("environment") or {}).get("python"),
                    packages=(seen.get("environment") or {}).get("packages", {}),
                )
            )
        return records


def _use_case(rows: Sequence[Measurement], thresholds: Thresholds) -> str:
    """The first use in the file whose task ran; the first of all where none did."""
    ran = {m.task for m in rows}
    cases = thresholds.use_cases
    return next((name for name, case in cases.items() if case.task in ran), next(iter(cases)))


def _shortest(path: Path) -> Path:
    """Relative to where the user stands, if it is below."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path
