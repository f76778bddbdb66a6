"""What each test of a task is about, and where its figures go."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import pytest
from tqdm import tqdm

import evals.tasks  # noqa: F401 - it registers the tasks
from adapters.catalog.model import Model
from adapters.devices import place
from adapters.plugin import MODELS
from adapters.redaction import redactor
from adapters.worker.results import WorkerError
from evals.cluster.connect import ClusterError
from evals.gate.case import Case, heading, missing_measurements
from evals.gate.evaluation import Evaluation, GateBroken, sample_in_words
from evals.gate.thresholds import PRODUCTION, Gate
from evals.measures.run_conditions import CONTENDED, PROVIDED, conditions_of
from evals.models.loaded import Settings
from evals.records.jsonl_reader import LineError
from evals.records.jsonl_writer import NotWritten
from evals.records.measurement import Measurement, Verdict
from evals.run.case_store import PROPERTY as STORED
from evals.run.case_store import Maker, Stored, kept_identity
from evals.run.engine_modules import NotResumed
from evals.run.identity import Identity, model_identity, plain
from evals.run.shards import WHOLE, Part
from evals.session.collection import CORPUS_FIXTURES
from evals.session.limits import BASELINE, JUDGES, THRESHOLDS
from evals.session.provided import cannot_run
from evals.session.run import SESSION, SHARD, run_dir
from evals.task import TASKS, task_of
from evals.tasks import outside
from fixtures.builtin.synthesize import CLIP
from fixtures.corpora.audio_check import QUICK, Inspected
from fixtures.corpora.corpus import CorpusError
from fixtures.plugin import sources
from fixtures.source import CorpusSource

#: The run that a session makes, what is good enough in it, which tests there are, whether what
#: models hear can be used, what that is, and the models.
pytest_plugins = [
    "evals.session.run",
    "evals.session.limits",
    "evals.session.collection",
    "evals.session.corpora_check",
    "evals.session.corpora",
    "evals.session.user_voice",
    "evals.session.models",
    "evals.session.provided",
]

#: The name of the user property that says why a test did not pass.
FAILURE_PROPERTY = "model_lab.failure"
#: Errors whose message says all that there is to say.
_SAY_IT_ALL = (
    GateBroken,
    ClusterError,
    CorpusError,
    LineError,
    NotResumed,
    NotWritten,
    WorkerError,
)
_TERMINAL: pytest.StashKey[TextIO] = pytest.StashKey()
_CASE: pytest.StashKey[Case] = pytest.StashKey()
_RECORDED: pytest.StashKey[list[Measurement]] = pytest.StashKey()

#: The fixtures that say what texts are scored with.
_SCORINGS = ("scoring", "text_scoring", "dialogue_scoring")
#: Corpus of the tests that have none of their own.
_NO_CORPUS = CLIP


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("model-lab").addoption(
        "--plugin-file",
        action="append",
        metavar="PATH",
        help="a Python file with tasks or metrics of your own (docs/adding-a-task.md); repeatable",
    )


def pytest_configure(config: pytest.Config) -> None:
    try:
        outside.load(config.getoption("plugin_file") or [])
    except outside.OutsideError as error:
        raise pytest.UsageError(str(error)) from None
    for task in TASKS.values():
        config.addinivalue_line("markers", task.marker)
    config.addinivalue_line(
        "markers",
        f"{PRODUCTION}: set by the harness on every task that the production tier limits",
    )
    config.addinivalue_line(
        "markers",
        "real_e2e: set by the harness where the model's checkpoint is not shipped with the repo",
    )
    if not hasattr(config, "workerinput") and sys.stdout.isatty() and sys.stderr.isatty():
        # A copy, made before tests run: pytest then captures the original.
        terminal = os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8")
        config.stash[_TERMINAL] = terminal
        config.add_cleanup(terminal.close)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Tests of tasks from outside are collected wherever all tasks of the suite are."""
    config, own = session.config, Path(__file__).parent
    arguments = [*config.args]
    named = [Path(argument.partition("::")[0]).resolve() for argument in arguments]
    if any(path in (own, *own.parents) for path in named):
        files = {task.test.resolve() for task in TASKS.values() if task.test is not None}
        config.args += [str(file) for file in sorted(files) if file not in named]
    try:
        return (yield)
    finally:
        config.args[:] = arguments  # what a resumed run has to be begun with


def is_evaluation(nodeid: str) -> bool:
    """Whether a test is one of a task, and not of the harness itself."""
    file = nodeid.partition("::")[0]
    others = {task.file_name for task in TASKS.values() if task.test is not None}
    return nodeid.startswith("evals/") or Path(file).name in others


def _case(model: Model, task: str, source: CorpusSource | None) -> Case:
    return Case(model.name, model.tier, task, source.name if source else _NO_CORPUS)


def case_of_nodeid(nodeid: str, config: pytest.Config) -> Case | None:
    """The case of a test of which nothing but its id is left, as after a crash under xdist."""
    module, _, parameters = nodeid.removesuffix("]").partition("[")
    file_name = Path(module.partition("::")[0]).name
    task = next((task for task in TASKS.values() if task.file_name == file_name), None)
    if task is None:
        return None
    for model in config.stash[MODELS]:
        if parameters == model.name:
            return _case(model, task.name, None)
        for source in sources(config, task.protocol):
            # As pytest writes it in an id.
            name = source.name.encode("unicode_escape").decode("ascii")
            whole = re.sub(r"-\d+of\d+$", "", parameters)
            if whole in (f"{model.name}-{name}", f"{name}-{model.name}"):
                return _case(model, task.name, source)
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tell the report what the test is about, before anything of it can fail."""
    params: Mapping[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    model = params.get("model")
    task = task_of(mark.name for mark in item.iter_markers())
    if not isinstance(model, Model) or task is None:
        return
    source = next((params[name] for name in CORPUS_FIXTURES if name in params), None)
    case = _case(model, task.name, source if isinstance(source, CorpusSource) else None)
    item.stash[_CASE] = case
    item.stash[_RECORDED] = []
    item.user_properties.append(case.as_property())
    if why := cannot_run(model, task):
        pytest.skip(why)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that did not get to its figures leaves rows that say so, and why."""
    report = yield
    if call.excinfo is not None and isinstance(call.excinfo.value, _SAY_IT_ALL):
        # The reader needs the limits that were broken, not the way through the harness.
        report.longrepr = str(call.excinfo.value)
    if _CASE in item.stash and call.excinfo is not None and call.when != "teardown":
        verdict: Verdict = "not_measured" if report.skipped else "error"
        message = getattr(call.excinfo.value, "msg", None) or str(call.excinfo.value)
        message = heading(message) or call.excinfo.typename
        failure = {"gate": isinstance(call.excinfo.value, GateBroken), "message": message}
        item.user_properties.append((FAILURE_PROPERTY, json.dumps(failure)))
        config = item.config
        recorded = item.stash[_RECORDED]
        missing = missing_measurements(
            item.stash[_CASE],
            recorded,
            verdict,
            message,
            config.stash[THRESHOLDS],
            config.getoption("gate"),
            provided=_model_of(item).is_provided,
        )
        for measurement in missing:
            recorded.append(measurement)
            item.user_properties.append(measurement.as_property())
    return report


@pytest.fixture
def evaluation(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> Evaluation:
    """Where the test's figures go and how they are judged."""
    item = request.node
    recorded: list[Measurement] = item.stash[_RECORDED]
    gate: Gate = pytestconfig.getoption("gate")

    def emit(measurement: Measurement) -> None:
        recorded.append(measurement)
        item.user_properties.append(measurement.as_property())

    case = item.stash[_CASE]
    thresholds = pytestconfig.stash[THRESHOLDS]
    known = pytestconfig.stash.get(BASELINE, None)
    return Evaluation(
        case=case,
        thresholds=thresholds,
        gate=gate,
        emit=emit,
        note=lambda name, data: item.user_properties.append((name, json.dumps(data))),
        margins=thresholds.margins(case.task) if known and case.model in known.models else {},
        conditions=_conditions(_model_of(item), pytestconfig),
    )


def _model_of(item: pytest.Item) -> Model:
    """The model of a test that has a case."""
    model: Model = item.callspec.params["model"]  # type: ignore[attr-defined]  # it is parametrized
    return model


def _conditions(model: Model, config: pytest.Config) -> list[str]:
    """What keeps the model's times from being its own; what was made elsewhere shares nothing."""
    if model.is_provided:
        return [PROVIDED]
    return [CONTENDED] if _shares_machines(config) else []


def _shares_machines(config: pytest.Config) -> bool:
    """Whether other processes of the session, or nobody knows what on a cluster, run beside it."""
    return hasattr(config, "workerinput") or config.getoption("executor") != "local"


@pytest.fixture(scope="session")
def part(request: pytest.FixtureRequest) -> Part:
    """Of each corpus, what this process of the session does."""
    share: Part = getattr(request, "param", WHOLE)
    return share


@pytest.fixture
def stored(
    evaluation: Evaluation,
    part: Part,
    settings: Settings,
    request: pytest.FixtureRequest,
    pytestconfig: pytest.Config,
) -> Stored:
    """What the run keeps of this model on this task and corpus."""
    run, case = run_dir(pytestconfig), evaluation.case

    def told(facts: Mapping[str, Any]) -> None:
        evaluation.conditions = conditions_of(facts)
        row = {**asdict(case), "facts": facts}
        request.node.user_properties.append((STORED, json.dumps(row, allow_nan=False)))

    kept = Stored(
        run,
        case,
        {
            "unfair": list(evaluation.conditions),
            "ruled": evaluation.thresholds.named_normalizer(case.corpus) is not None,
        },
        baseline=pytestconfig.stash.get(BASELINE, None),
        told=told,
        part=part,
        shard=pytestconfig.stash[SHARD],
        maker=Maker(
            _identity(case, settings, request, kept_identity(run, case)),
            pytestconfig.stash[SESSION],
            redactor(),
        ),
    )
    settled: dict[str, Any] = {"ruled": kept.facts["ruled"]}
    for scoring in _SCORINGS:
        if scoring in request.fixturenames:
            settled["normalizer"] = request.getfixturevalue(scoring)
    for name in CORPUS_FIXTURES:
        if (content := name.removeprefix("checked_")) in request.fixturenames:
            corpus = request.getfixturevalue(content)
            evaluation.sample = sample_in_words(len(corpus), corpus.sampled_from)
    try:
        kept.resume(**settled)
    except ValueError as error:
        pytest.fail(f"--resume {run}: {error}", pytrace=False)
    return kept


def _identity(
    case: Case, settings: Settings, request: pytest.FixtureRequest, kept: Identity
) -> Identity:
    """What the test's lines are made by, and of what. kept: what the run says of them already."""
    config: pytest.Config = request.config
    entry: Model = request.node.callspec.params["model"]
    device = place(settings.device, entry.engine.adapter().devices, entry.engine.name).device
    identity: dict[str, Any] = {
        "model": model_identity(entry, settings, device),
        "shard": str(config.stash[SHARD]),
    }
    for name in CORPUS_FIXTURES:
        content = name.removeprefix("checked_")
        if content in request.fixturenames:
            corpus = request.getfixturevalue(content)
            # Runs of earlier versions have the hash of everything, of a large corpus too.
            earlier = not str(kept.get("corpus", QUICK)).startswith(QUICK)
            quick = isinstance(corpus, Inspected) and not earlier
            identity["corpus"] = corpus.identity if quick else corpus.content_hash
    if "fewer" in request.fixturenames:
        identity["utterances"] = config.getoption("robustness_utterances")
    if "user_voice" in request.fixturenames:
        voice = request.getfixturevalue("user_voice")
        identity |= {"user_voice": voice} if voice is not None else {}
    if "judges" in request.fixturenames:
        judges = config.stash[JUDGES]
        identity["judges"] = {j.name: model_identity(j, settings, device) for j in judges}
    as_json: Identity = json.loads(redactor()(json.dumps(plain(identity))))
    return as_json


@pytest.fixture
def progress(
    evaluation: Evaluation, pytestconfig: pytest.Config
) -> Iterator[Callable[[int], Callable[[], None]]]:
    """Opens a progress bar of that many steps on a terminal; silent when piped.

    Gives the function to call after each step.
    """
    terminal = pytestconfig.stash.get(_TERMINAL, None)
    bars: list[tqdm[Any]] = []

    def start(total: int) -> Callable[[], None]:
        case = evaluation.case
        bar: tqdm[Any] = tqdm(
            total=total,
            desc=f"{case.model} {case.corpus}",
            unit="utt",
            file=terminal,
            disable=terminal is None,
            leave=False,
        )
        bars.append(bar)
        return lambda: None if terminal is None else _step(bar)

    yield start
    for bar in bars:
        bar.close()


def _step(bar: tqdm[Any]) -> None:
    bar.update()
