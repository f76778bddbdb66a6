"""The fixtures of the tasks: models, corpora and evaluations; and where a session's run goes."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pytest
from _pytest.mark.expression import Expression
from numpy.typing import NDArray
from tqdm import tqdm

from adapters.catalog import Model
from adapters.devices import place
from adapters.engines import resolve_engine
from adapters.interface import Audio, LoadSpec, Turn
from adapters.located_yaml import ConfigError
from adapters.plugin import CATALOG, MODELS
from adapters.process import ModelProcess, Timed, WorkerError
from adapters.secrets import redactor
from evals import thresholds as thresholds_file
from evals.baseline import Baseline, BaselineError
from evals.baseline import find as find_baseline
from evals.cases import ASKED_FOR, Case, heading, missing_measurements
from evals.conditions import CONTENDED, conditions_of
from evals.evaluation import Evaluation, GateBroken
from evals.identity import Identity, model_identity, plain
from evals.judging import Judge
from evals.lines import LineError, NotWritten
from evals.llm_judge import JudgeError, LlmJudge
from evals.measurement import Measurement, Verdict
from evals.models import LoadedModel, Settings, interpreter, running
from evals.normalizers import normalizer_of
from evals.on_demand import OnDemand, on_demand
from evals.parts import WHOLE, Part
from evals.ray_cluster import ClusterError, connected
from evals.recognizing import Here, OnRay, Recognizer
from evals.robustness import subset
from evals.runs.plugin import SESSION, SHARD, run_dir, worker_count, worker_number
from evals.speaker_similarity import DEFAULT as ENCODER
from evals.stored import PROPERTY as STORED
from evals.stored import Maker, NotResumed, Stored
from evals.thresholds import Gate, Thresholds
from evals.tts_scores import Listeners
from fixtures.audio import SAMPLE_RATE, load_audio
from fixtures.builtin import CLIP, CLIP_TEXT, Speak, Speaker, Voice, builtin_corpus
from fixtures.corpus import Corpus, CorpusError
from fixtures.dialogues import Dialogues
from fixtures.non_speech import non_speech_corpus
from fixtures.plugin import CORPORA, sources
from fixtures.sentences import Sentences
from fixtures.sources import CorpusSource
from fixtures.spoken_turns import spoken_turns

#: The run that a session makes: its folder, resuming it, sharing it out.
pytest_plugins = ["evals.runs.plugin"]

THRESHOLDS: pytest.StashKey[Thresholds] = pytest.StashKey()
BASELINE: pytest.StashKey[Baseline] = pytest.StashKey()
#: The name under which a corpus's provenance travels in user_properties.
CORPUS_PROPERTY = "model_lab.corpus"
JUDGES: pytest.StashKey[list[Model]] = pytest.StashKey()
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
DEFAULT_JUDGE = "faster-whisper-micro"
LLM_JUDGE: pytest.StashKey[LlmJudge] = pytest.StashKey()
LISTENERS: pytest.StashKey[Listeners] = pytest.StashKey()
_TERMINAL: pytest.StashKey[TextIO] = pytest.StashKey()
_CASE: pytest.StashKey[Case] = pytest.StashKey()
_RECORDED: pytest.StashKey[list[Measurement]] = pytest.StashKey()

#: Marker to its meaning; the first that a test carries, in this order, is its task.
TASKS = {
    "smoke": "loads, answers, and answers the same twice",
    "latency": "how long one fixed clip takes",
    "asr": "speech recognition over a corpus",
    "robustness": "the same speech in noise, rooms and codecs (runs only where it is asked for)",
    "tts": "speech synthesis of a list of sentences (runs only where it is asked for)",
    "chat": "spoken conversations with an assistant (runs only where it is asked for)",
    "hallucination": "words heard where nobody spoke (runs only where it is asked for)",
}
#: The fixture by which a test gets its model, and the task that the model must do.
_MODEL_FIXTURES = {
    "transcriber": "asr",
    "recognizer": "asr",
    "tts_model": "tts",
    "chat_model": "chat",
}
#: The fixture by which a test gets its corpus, and the task whose corpora those are.
_CORPUS_FIXTURES = {
    "checked_corpus": "asr",
    "checked_sentences": "tts",
    "checked_dialogues": "chat",
}
#: The fixtures that say what texts are scored with.
_SCORINGS = ("scoring", "text_scoring", "dialogue_scoring")
#: Corpus of the tests that have none of their own.
_NO_CORPUS = CLIP


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("model-lab-gate", "Model Lab: what is good enough")
    group.addoption(
        "--gate",
        choices=("tier", "production", "off"),
        default="tier",
        help="hold each model to its own tier's limits, all to production's, or none "
        "(default: tier)",
    )
    group.addoption(
        "--thresholds",
        metavar="PATH",
        default=str(thresholds_file.DEFAULT),
        help="another thresholds file (default: thresholds.yaml)",
    )
    group.addoption(
        "--baseline",
        metavar="RUN|NAME",
        help="a scorecard, a run's folder or a promoted run's name, to be no worse than",
    )
    group.addoption(
        "--judge",
        action="append",
        metavar="NAME",
        help="a recognizer of the catalogue that listens to what voices say; repeatable, the "
        f"first one's WER is held to the limits (default: {DEFAULT_JUDGE})",
    )
    group.addoption(
        "--llm-judge",
        metavar="MODEL",
        help="a language model that judges the answers of the chat task as well, by its name at "
        "an OpenAI-compatible endpoint; the key is read from OPENAI_API_KEY (default: none)",
    )
    group.addoption(
        "--llm-judge-url",
        metavar="URL",
        help="that endpoint, with its /v1 (default: OPENAI_BASE_URL, else OpenAI's own)",
    )
    group.addoption(
        "--rated-clips",
        type=int,
        default=20,
        metavar="N",
        help="how many clips of a voice get a DNSMOS rating, at half a second each (default: 20)",
    )
    group.addoption(
        "--utmos",
        metavar="PATH",
        help="UTMOS's network as a TorchScript file, to rate as many clips (default: "
        "MODEL_LAB_UTMOS; without it UTMOS is not measured)",
    )
    group.addoption(
        "--speaker-encoder",
        metavar="CHECKPOINT",
        default=ENCODER,
        help="the speaker verification model that compares voices with recordings: a folder, or a "
        f"name on the hub that is in its cache (default: {ENCODER})",
    )
    group.addoption(
        "--robustness-utterances",
        type=int,
        default=40,
        metavar="N",
        help="how many utterances the robustness task puts through each condition (default: 40)",
    )


@pytest.hookimpl(trylast=True)  # after adapters.plugin, whose catalogue it needs
def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in TASKS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    config.addinivalue_line(
        "markers",
        "real_e2e: set by the harness where the model's checkpoint is not shipped with the repo",
    )
    try:
        config.stash[THRESHOLDS] = thresholds_file.load(Path(config.getoption("thresholds")))
    except ConfigError as error:
        raise pytest.UsageError(f"--thresholds: {error}") from None
    if config.getoption("rated_clips") < 0:
        raise pytest.UsageError("--rated-clips: a number of clips, 0 for none")
    config.stash[LISTENERS] = _listeners(config)
    if config.getoption("robustness_utterances") < 2:
        raise pytest.UsageError("--robustness-utterances: at least 2, so that there is an interval")
    if (named := config.getoption("baseline")) is not None:
        config.stash[BASELINE] = _baseline(named, config)
    config.stash[JUDGES] = _judges(config)
    _refuse_unheld(config)
    _refuse_twins(config)
    _configure_llm_judge(config)
    unknown = sorted(set(config.stash[THRESHOLDS].models) - set(config.stash[CATALOG].models))
    if unknown:
        # A limit that a typing mistake keeps from ever being applied would let a model through.
        raise pytest.UsageError(
            f"--thresholds: {config.getoption('thresholds')}: models.{unknown[0]}: no model of "
            "that name in the catalogue (mistyped, or is a --catalog missing?)"
        )
    if not hasattr(config, "workerinput") and sys.stdout.isatty() and sys.stderr.isatty():
        # A copy, made before tests run: pytest then captures the original.
        terminal = os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8")
        config.stash[_TERMINAL] = terminal
        config.add_cleanup(terminal.close)


def _listeners(config: pytest.Config) -> Listeners:
    named = "--utmos" if config.getoption("utmos") else "MODEL_LAB_UTMOS"
    file = config.getoption("utmos") or os.environ.get("MODEL_LAB_UTMOS")
    if file and not Path(file).is_file():
        raise pytest.UsageError(f"{named}: {file} is no file")
    return Listeners(Path(file).resolve() if file else None, config.getoption("speaker_encoder"))


def _judges(config: pytest.Config) -> list[Model]:
    try:
        models = config.stash[CATALOG].select(config.getoption("judge") or [DEFAULT_JUDGE])
    except ConfigError as error:
        raise pytest.UsageError(str(error).replace("--model", "--judge", 1)) from None
    for model in models:
        if "asr" not in model.tasks:
            raise pytest.UsageError(f"--judge {model.name}: it does not recognize speech")
    return models


def _configure_llm_judge(config: pytest.Config) -> None:
    model, url = config.getoption("llm_judge"), config.getoption("llm_judge_url")
    if model is not None:
        try:
            config.stash[LLM_JUDGE] = LlmJudge(model, url)
        except JudgeError as error:
            raise pytest.UsageError(str(error)) from None
    elif url is not None:
        raise pytest.UsageError("--llm-judge-url: it needs --llm-judge, the model to ask there")


def _baseline(named: str, config: pytest.Config) -> Baseline:
    try:
        found = Baseline(find_baseline(named))
    except BaselineError as error:
        raise pytest.UsageError(f"--baseline {named}: {error}") from None
    evaluated = [model.name for model in config.stash[MODELS]]
    if not found.models & set(evaluated):
        raise pytest.UsageError(
            f"--baseline {named}: it has none of the models {', '.join(evaluated)} "
            f"(it has {', '.join(sorted(found.models)) or 'none'})"
        )
    return found


def _refuse_twins(config: pytest.Config) -> None:
    """Model and corpus make the name of a test, which must not be that of two."""
    seen: dict[str, tuple[str, str]] = {}
    for model in config.stash[MODELS]:
        for source in config.stash[CORPORA]:
            pair = model.name, source.name
            twin = seen.setdefault("-".join(pair), pair)
            if twin != pair:
                raise pytest.UsageError(
                    f"--corpus: the model {pair[0]} on {pair[1]} and the model {twin[0]} on "
                    f"{twin[1]} would both be called {'-'.join(pair)}: rename a manifest"
                )


def _refuse_unheld(config: pytest.Config) -> None:
    """Conversations that were named are to be held, and not to be left out without a word."""
    held = next((s.name for s in config.stash[CORPORA] if s.holds_dialogues), None)
    if held is not None and not _asks_for("chat", config):
        raise pytest.UsageError(
            f"--corpus: {held} holds conversations, which only the chat task can use: add -m chat"
        )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`-m asr` selects none of the harness's own tests, so their modules are not even read.

    They carry no marks that anyone selects by, so an expression that is false without
    any marks leaves them all out. A wrong expression is pytest's to refuse.
    """
    own_tests = Path(__file__).parents[1] / "tests"
    if own_tests not in (collection_path, *collection_path.parents):
        return None
    try:
        selects_unmarked = Expression.compile(config.option.markexpr or "True").evaluate(
            lambda name, /, **arguments: name == "True"
        )
    except SyntaxError:
        return None
    return None if selects_unmarked else True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    wanted = [task for name, task in _MODEL_FIXTURES.items() if name in metafunc.fixturenames]
    if not wanted:
        return
    params = [
        pytest.param(model, id=model.name, marks=() if model.shipped else pytest.mark.real_e2e)
        for model in metafunc.config.stash[MODELS]
        if all(task in model.tasks for task in wanted)
    ]
    metafunc.parametrize("model", params, indirect=True, scope="session")
    for name, task in _CORPUS_FIXTURES.items():
        if name in metafunc.fixturenames:
            found = sources(metafunc.config, task)
            ids = [source.name for source in found]
            metafunc.parametrize(name, found, ids=ids, indirect=True, scope="session")
    workers = worker_count(metafunc.config)
    if workers > 1 and _is_shared_out(metafunc.fixturenames):
        shares = [Part(number, workers) for number in range(1, workers + 1)]
        ids = [f"{share.number}of{share.of}" for share in shares]
        metafunc.parametrize("part", shares, ids=ids, indirect=True, scope="session")


def _is_shared_out(fixtures: Sequence[str]) -> bool:
    """Whether processes can share a test's work: what it does is one thing per utterance."""
    return "corpus" in fixtures and bool({"transcriber", "recognizer"} & set(fixtures))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """All tests of one model together, so that it is loaded once, whatever the corpora."""
    _leave_out_unasked(config, items)
    models = config.stash[MODELS]
    order = {model.name: index for index, model in enumerate(models)}

    def place(item: pytest.Item) -> int:
        model = getattr(getattr(item, "callspec", None), "params", {}).get("model")
        return order.get(model.name, -1) if isinstance(model, Model) else -1

    # Evaluations first, as they were collected; a stable sort leaves the rest as it is.
    evaluations = [item for item in items if place(item) >= 0]
    others = [item for item in items if place(item) < 0]
    items[:] = sorted(evaluations, key=place) + others


def _leave_out_unasked(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of ASKED_FOR run where -m or a path names them."""
    unasked = [task for task in ASKED_FOR if not _asks_for(task, config)]

    def left_out(item: pytest.Item) -> bool:
        return any(item.get_closest_marker(task) for task in unasked)

    if gone := [item for item in items if left_out(item)]:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if not left_out(item)]


def _asks_for(task: str, config: pytest.Config) -> bool:
    return f"test_{task}.py" in _named_files(config) or _marks(task, config.option.markexpr or "")


def _marks(task: str, expression: str) -> bool:
    """Whether -m names the task, and not to leave it out. A wrong one is pytest's to refuse."""
    if task not in re.findall(r"\w+", expression):
        return False
    try:
        return Expression.compile(expression).evaluate(lambda name, /, **arguments: name == task)
    except SyntaxError:
        return True


def _named_files(config: pytest.Config) -> set[str]:
    """Of the files that the command line names."""
    return {Path(argument.partition("::")[0]).name for argument in config.args}


def _case(model: Model, task: str, source: CorpusSource | None) -> Case:
    return Case(model.name, model.tier, task, source.name if source else _NO_CORPUS)


def case_of_nodeid(nodeid: str, config: pytest.Config) -> Case | None:
    """The case of a test of which nothing but its id is left, as after a crash under xdist."""
    module, _, parameters = nodeid.removesuffix("]").partition("[")
    task = Path(module.partition("::")[0]).stem.removeprefix("test_")
    if task not in TASKS:
        return None
    for model in config.stash[MODELS]:
        if parameters == model.name:
            return _case(model, task, None)
        for source in sources(config, task):
            # As pytest writes it in an id.
            name = source.name.encode("unicode_escape").decode("ascii")
            whole = re.sub(r"-\d+of\d+$", "", parameters)
            if whole in (f"{model.name}-{name}", f"{name}-{model.name}"):
                return _case(model, task, source)
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tell the report what the test is about, before anything of it can fail."""
    params: Mapping[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    model = params.get("model")
    task = next((task for task in TASKS if item.get_closest_marker(task)), None)
    if not isinstance(model, Model) or task is None:
        return
    source = next((params[name] for name in _CORPUS_FIXTURES if name in params), None)
    case = _case(model, task, source if isinstance(source, CorpusSource) else None)
    item.stash[_CASE] = case
    item.stash[_RECORDED] = []
    item.user_properties.append(case.as_property())


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
        )
        for measurement in missing:
            recorded.append(measurement)
            item.user_properties.append(measurement.as_property())
    return report


@pytest.fixture(scope="session")
def settings(pytestconfig: pytest.Config) -> Settings:
    """How every model of the session is run."""
    return Settings(
        device=pytestconfig.getoption("device"),
        threads=pytestconfig.getoption("threads"),
        time_limit=pytestconfig.getoption("time_limit"),
        isolated=pytestconfig.getoption("isolation") == "process",
        worker=worker_number(pytestconfig),
        load_time_limit=pytestconfig.getoption("load_time_limit"),
        seed=pytestconfig.getoption("seed"),
        environments=pytestconfig.getoption("envs"),
        say=lambda text: _say(pytestconfig, text),
    )


def _say(config: pytest.Config, text: str) -> None:
    """A line on the terminal now, past pytest's capture."""
    capture: Any = config.pluginmanager.getplugin("capturemanager")
    reporter: pytest.TerminalReporter | None = config.pluginmanager.getplugin("terminalreporter")
    if reporter is None:
        return  # an xdist worker
    with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
        reporter.ensure_newline()
        reporter.write_line(f"Model Lab: {text}")


@pytest.fixture(scope="session")
def speaker(settings: Settings) -> Speaker:
    """Opens the synthesizer of the built-in corpora."""
    return partial(synthesizer, settings)


@pytest.fixture(scope="session")
def clip(speaker: Speaker) -> Audio:
    """The fixed clip of 5 s that warms models up and that latency is measured on."""
    (utterance,) = builtin_corpus(CLIP, speaker)
    return Audio(utterance.load(), SAMPLE_RATE)


@pytest.fixture(scope="session")
def model(
    request: pytest.FixtureRequest, settings: Settings, pytestconfig: pytest.Config
) -> Iterator[OnDemand]:
    """One model after another: loaded when a test needs it, and closed before the next."""
    entry: Model = request.param
    models = pytestconfig.stash[CATALOG].models
    missing = entry.engine.missing(entry.options, models)
    # An environment can be built for an engine, but not for the parts of one that is here.
    buildable = settings.environments and entry.engine.missing() is not None
    if missing is not None and not buildable:
        if entry.required:
            pytest.fail(f"{entry.name}: {missing}", pytrace=False)
        pytest.skip(f"{entry.name}: {missing}")
    log = run_dir(pytestconfig) / entry.name / f"worker{_worker_suffix(pytestconfig)}.log"
    with on_demand(entry.name, lambda: running(entry, settings, log, models)) as demand:
        yield demand


@pytest.fixture
def transcriber(
    model: OnDemand, clip: Audio, stored: Stored, request: pytest.FixtureRequest
) -> LoadedModel | None:
    """A model that does speech recognition, warm; None where there is nothing left to do."""
    return _warm(model, "asr", lambda loaded: loaded.transcribe(clip), stored, request)


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Iterator[None]:
    """The Ray cluster, joined or started once for the session."""
    try:
        with connected(pytestconfig.getoption("ray_address")):
            yield
    except ClusterError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def recognizer(
    model: OnDemand, stored: Stored, request: pytest.FixtureRequest, pytestconfig: pytest.Config
) -> Recognizer | None:
    """What recognizes a corpus, here or on a cluster; None where there is nothing left to do."""
    if pytestconfig.getoption("executor") == "local":
        transcriber: LoadedModel | None = request.getfixturevalue("transcriber")
        return Here(transcriber) if transcriber is not None else None
    if stored.was_finished:
        request.node.user_properties.extend(stored.properties)
        return None

    request.getfixturevalue("cluster")

    def told(row: tuple[str, str]) -> None:
        request.node.user_properties.append(row)
        stored.made_by(row)

    source: CorpusSource = request.node.callspec.params["checked_corpus"]
    return OnRay(
        request.node.callspec.params["model"],
        request.getfixturevalue("settings"),
        pytestconfig.stash[CATALOG].models,
        request.getfixturevalue("clip"),
        run_dir(pytestconfig),
        address=pytestconfig.getoption("ray_address"),
        replicas=pytestconfig.getoption("ray_replicas"),
        fetched=(source.elsewhere, source.path.parent)
        if source.elsewhere and source.path
        else None,
        told=told,
    )


@pytest.fixture
def tts_model(
    model: OnDemand, stored: Stored, request: pytest.FixtureRequest
) -> LoadedModel | None:
    """A model that speaks, warm; None where there is nothing left to do."""
    return _warm(model, "tts", lambda loaded: loaded.synthesize(CLIP_TEXT), stored, request)


@pytest.fixture
def chat_model(
    model: OnDemand, clip: Audio, stored: Stored, request: pytest.FixtureRequest
) -> LoadedModel | None:
    """A model that answers speech, warm; None where there is nothing left to do."""
    turns = [Turn("user", None, clip)]
    return _warm(model, "chat", lambda loaded: loaded.reply(turns), stored, request)


@pytest.fixture
def judges(stored: Stored, request: pytest.FixtureRequest) -> Sequence[Judge]:
    """The recognizers that listen; none where there is nothing left to listen to."""
    loaded: Sequence[Judge] = ()
    if not stored.was_finished:
        loaded = request.getfixturevalue("loaded_judges")
    return loaded


@pytest.fixture(scope="session")
def loaded_judges(
    settings: Settings, clip: Audio, pytestconfig: pytest.Config
) -> Iterator[Sequence[Judge]]:
    """The recognizers that listen, loaded once for all voices."""
    with ExitStack() as stack:
        yield [
            _judge(entry, settings, clip, pytestconfig, stack)
            for entry in pytestconfig.stash[JUDGES]
        ]


@pytest.fixture(scope="session")
def llm_judge(pytestconfig: pytest.Config) -> Iterator[LlmJudge | None]:
    """What `--llm-judge` names."""
    judge = pytestconfig.stash.get(LLM_JUDGE, None)
    yield judge
    if judge is not None:
        judge.close()


def _judge(
    entry: Model, settings: Settings, clip: Audio, config: pytest.Config, stack: ExitStack
) -> Judge:
    language = entry.options.get("language")
    judge = Judge(entry.name, None, entry.vocabulary, language)
    folder = run_dir(config) / "judges"
    log = folder / f"{entry.name}{_worker_suffix(config)}.log"
    try:
        loaded = stack.enter_context(running(entry, settings, log, config.stash[CATALOG].models))
        loaded.warm_up("asr", lambda: loaded.transcribe(clip))
    except WorkerError as error:
        if entry.required and config.getoption("judge"):
            pytest.fail(f"--judge {entry.name}: {error}", pytrace=False)
        return replace(judge, missing=str(error))
    return replace(judge, model=loaded)


def _warm(
    model: OnDemand,
    task: str,
    call: Callable[[LoadedModel], Timed[Any]],
    stored: Stored,
    request: pytest.FixtureRequest,
) -> LoadedModel | None:
    if stored.was_finished:
        request.node.user_properties.extend(stored.properties)
        return None
    if request.config.getoption("executor") != "local":
        pytest.skip(f"{model.name}: not measured: a cluster runs the asr task alone")
    try:
        loaded = model()
    except WorkerError as error:
        pytest.fail(f"{model.name} cannot be loaded: {error}", pytrace=False)
    row = loaded.as_property()
    request.node.user_properties.append(row)
    try:
        stored.made_by(row)
        loaded.warm_up(task, lambda: call(loaded))
    except NotResumed as error:
        pytest.fail(f"--resume: {error}", pytrace=False)
    except WorkerError as error:
        pytest.fail(f"{loaded.name} fails on its first clip: {error}", pytrace=False)
    return loaded


@pytest.fixture(scope="session")
def checked_corpus(request: pytest.FixtureRequest, speaker: Speaker) -> Corpus:
    """One corpus after another, every file of it checked."""
    source: CorpusSource = request.param
    try:
        return source.open(speaker)
    except CorpusError as error:
        pytest.fail(f"corpus {source.name}:\n{error}", pytrace=False)


@pytest.fixture
def corpus(checked_corpus: Corpus, request: pytest.FixtureRequest) -> Corpus:
    """The corpus that the test runs on."""
    _tell_corpus(checked_corpus, checked_corpus.audio_seconds, request)
    return checked_corpus


@pytest.fixture(scope="session")
def checked_sentences(request: pytest.FixtureRequest, speaker: Speaker) -> Sentences:
    """One list of sentences after another, every recording of it checked."""
    source: CorpusSource = request.param
    try:
        return source.open_sentences(speaker)
    except CorpusError as error:
        pytest.fail(f"corpus {source.name}:\n{error}", pytrace=False)


@pytest.fixture
def sentences(checked_sentences: Sentences, request: pytest.FixtureRequest) -> Sentences:
    """The sentences that the test has spoken."""
    _tell_corpus(checked_sentences, checked_sentences.audio_seconds, request)
    return checked_sentences


@pytest.fixture(scope="session")
def checked_dialogues(request: pytest.FixtureRequest) -> Dialogues:
    """One set of conversations after another, every recording of it checked."""
    source: CorpusSource = request.param
    try:
        return source.open_dialogues()
    except CorpusError as error:
        pytest.fail(f"corpus {source.name}:\n{error}", pytrace=False)


@pytest.fixture
def dialogues(
    checked_dialogues: Dialogues, user_sounds: Mapping[str, Path], request: pytest.FixtureRequest
) -> Dialogues:
    """The conversations that the test holds."""
    seconds = sum(len(load_audio(path)) for path in user_sounds.values()) / SAMPLE_RATE
    _tell_corpus(checked_dialogues, seconds, request)
    return checked_dialogues


@pytest.fixture(scope="session")
def user_sounds(checked_dialogues: Dialogues, speaker: Speaker) -> Mapping[str, Path]:
    """The sound of each of the user's turns, by its id."""
    try:
        return spoken_turns(checked_dialogues, speaker)
    except CorpusError as error:
        pytest.fail(f"corpus {checked_dialogues.name}:\n{error}", pytrace=False)


@pytest.fixture
def dialogue_scoring(dialogues: Dialogues, pytestconfig: pytest.Config) -> str:
    """The name of the conversations' normalizer."""
    rules = pytestconfig.stash[THRESHOLDS].corpora.get(dialogues.name)
    if rules is not None:
        return rules.normalizer
    return "whisper-english" if dialogues.language == "en" else "whisper-basic"


def _tell_corpus(
    corpus: Corpus | Sentences | Dialogues, audio_seconds: float, request: pytest.FixtureRequest
) -> None:
    row = {
        "name": corpus.name,
        "content_hash": corpus.content_hash,
        "utterances": len(corpus),
        "audio_seconds": round(audio_seconds, 3),
        "language": corpus.language,
    }
    request.node.user_properties.append((CORPUS_PROPERTY, json.dumps(row)))


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
        conditions=[CONTENDED] if _shares_machines(pytestconfig) else [],
    )


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
            "ruled": case.corpus in evaluation.thresholds.corpora,
        },
        baseline=pytestconfig.stash.get(BASELINE, None),
        told=told,
        part=part,
        shard=pytestconfig.stash[SHARD],
        maker=Maker(_identity(case, settings, request), pytestconfig.stash[SESSION], redactor()),
    )
    settled: dict[str, Any] = {"ruled": kept.facts["ruled"]}
    for scoring in _SCORINGS:
        if scoring in request.fixturenames:
            settled["normalizer"] = request.getfixturevalue(scoring)
    try:
        kept.resume(**settled)
    except ValueError as error:
        pytest.fail(f"--resume {run}: {error}", pytrace=False)
    return kept


def _identity(case: Case, settings: Settings, request: pytest.FixtureRequest) -> Identity:
    """What the test's lines are made by, and of what."""
    config: pytest.Config = request.config
    entry: Model = request.node.callspec.params["model"]
    device = place(settings.device, entry.engine.adapter().devices, entry.engine.name).device
    identity: dict[str, Any] = {
        "model": model_identity(entry, settings, device),
        "shard": str(config.stash[SHARD]),
    }
    for name in _CORPUS_FIXTURES:
        content = name.removeprefix("checked_")
        if content in request.fixturenames:
            identity["corpus"] = request.getfixturevalue(content).content_hash
    if "fewer" in request.fixturenames:
        identity["utterances"] = config.getoption("robustness_utterances")
    if "judges" in request.fixturenames:
        judges = config.stash[JUDGES]
        identity["judges"] = {j.name: model_identity(j, settings, device) for j in judges}
    as_json: Identity = json.loads(redactor()(json.dumps(plain(identity))))
    return as_json


@pytest.fixture
def scoring(corpus: Corpus, pytestconfig: pytest.Config) -> str:
    """The name of the corpus's normalizer."""
    return _normalizer_name(corpus, pytestconfig)


@pytest.fixture
def text_scoring(sentences: Sentences, pytestconfig: pytest.Config) -> str:
    """The name of the sentences' normalizer."""
    return _normalizer_name(sentences, pytestconfig)


def _normalizer_name(corpus: Corpus | Sentences, config: pytest.Config) -> str:
    rules = config.stash[THRESHOLDS].corpora.get(corpus.name)
    try:
        return rules.normalizer if rules is not None else normalizer_of(corpus)
    except ValueError as error:
        pytest.fail(f"corpus {corpus.name}: {error}", pytrace=False)


@pytest.fixture
def rated_clips(pytestconfig: pytest.Config) -> int:
    """How many clips of a voice are rated."""
    return int(pytestconfig.getoption("rated_clips"))


@pytest.fixture
def listeners(pytestconfig: pytest.Config) -> Listeners:
    """The networks that rate voices, as named on the command line."""
    return pytestconfig.stash[LISTENERS]


@pytest.fixture
def fewer(corpus: Corpus, pytestconfig: pytest.Config) -> Corpus:
    """As much of the corpus as the robustness task puts through each condition."""
    return subset(corpus, pytestconfig.getoption("robustness_utterances"))


@pytest.fixture
def non_speech(corpus: Corpus) -> Corpus:
    """Sounds without a word, and utterances of the corpus between such sounds."""
    try:
        return non_speech_corpus(corpus)
    except CorpusError as error:
        pytest.fail(f"corpus {corpus.name}:\n{error}", pytrace=False)


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


@contextmanager
def synthesizer(settings: Settings | None = None) -> Iterator[Speak]:
    """espeak in a process of its own, for the corpora that are synthesized on first use."""
    engine = resolve_engine("espeak", Path())
    process: ModelProcess | None = None
    try:
        python = interpreter(engine, settings or Settings())
        process = ModelProcess(engine, LoadSpec("builtin"), python=python)
        process.load()
        loaded = process

        def speak(text: str, voice: Voice) -> tuple[NDArray[np.float32], int]:
            audio = loaded.synthesize(text, voice).result.audio
            return audio.samples, audio.sample_rate

        yield speak
    except WorkerError as error:
        raise CorpusError(f"the built-in corpora are synthesized, and: {error}") from None
    finally:
        if process is not None:
            process.close()


def _step(bar: tqdm[Any]) -> None:
    bar.update()


def _worker_suffix(config: pytest.Config) -> str:
    # Two xdist workers may load one model for two tests.
    worker_input: Mapping[str, Any] = getattr(config, "workerinput", {})
    return f"-{worker_input['workerid']}" if worker_input else ""
