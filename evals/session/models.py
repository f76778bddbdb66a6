"""The fixtures of the models: those that are measured, those that listen, and how all are run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from adapters.catalog.model import Model
from adapters.interface import Audio, Turn
from adapters.plugin import CATALOG
from adapters.provided.hypotheses import read_hypotheses
from adapters.provided.rows import ProvidedError
from adapters.provided.speech import read_speech
from adapters.provided.turns import read_transcript
from adapters.worker.results import Timed, WorkerError
from evals.cluster.connect import ClusterError, connected
from evals.judges.asr_judge import Judge
from evals.judges.llm_judge import LlmJudge
from evals.models.lazy import LazyModel, lazy_model
from evals.models.loaded import LoadedModel, Settings, running
from evals.run.case_store import Stored
from evals.run.engine_modules import NotResumed
from evals.session.limits import BUILTIN_VOICE, JUDGES, LLM_JUDGE, SECOND_VOICES
from evals.session.provided import as_property
from evals.session.run import run_dir, worker_number
from evals.tasks.asr.provided import ProvidedRecognizer
from evals.tasks.asr.recognizer import LocalRecognizer, RayRecognizer, Recognizer
from evals.tasks.chat.provided import ProvidedAssistant
from evals.tasks.tts.provided import ProvidedVoice
from evals.tasks.tts.second_voices import Say, SecondVoices
from fixtures.audio.read import SAMPLE_RATE
from fixtures.builtin.synthesize import CLIP, CLIP_TEXT, Speaker, builtin_corpus
from fixtures.corpora.corpus import Corpus
from fixtures.corpora.sentences import Sentences
from fixtures.dialogues.dialogues import Dialogues
from fixtures.source import CorpusSource

P = TypeVar("P")


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
def clip(speaker: Speaker) -> Audio:
    """The fixed clip of 5 s that warms models up and that latency is measured on."""
    (utterance,) = builtin_corpus(CLIP, speaker)
    return Audio(utterance.load(), SAMPLE_RATE)


@pytest.fixture(scope="session")
def model(
    request: pytest.FixtureRequest, settings: Settings, pytestconfig: pytest.Config
) -> Iterator[LazyModel]:
    """One model after another: loaded when a test needs it, and closed before the next."""
    entry: Model = request.param
    missing = entry.missing()
    # An environment can be built for an engine, but not for the parts of one that is here, and
    # not for what holds weights alone.
    absent = entry.engine.missing() is not None
    buildable = settings.environments and absent and entry.missing_weights() is None
    missing = (entry.missing_weights() if absent and settings.environments else None) or missing
    if missing is not None and not buildable:
        if entry.required:
            pytest.fail(f"{entry.name}: {missing}", pytrace=False)
        pytest.skip(f"{entry.name}: {missing}")
    log = run_dir(pytestconfig) / entry.name / f"worker{_worker_suffix(pytestconfig)}.log"
    with lazy_model(entry.name, lambda: running(entry, settings, log)) as demand:
        yield demand


@pytest.fixture
def transcriber(
    model: LazyModel, clip: Audio, stored: Stored, request: pytest.FixtureRequest
) -> Iterator[LoadedModel | None]:
    """A model that does speech recognition, warm; None where there is nothing left to do."""
    yield from _warm(model, "asr", lambda loaded: loaded.transcribe(clip), stored, request)


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
    model: LazyModel, stored: Stored, request: pytest.FixtureRequest, pytestconfig: pytest.Config
) -> Recognizer | None:
    """What recognizes a corpus, here or on a cluster; None where there is nothing left to do."""
    entry: Model = request.node.callspec.params["model"]
    if entry.is_provided:
        corpus: Corpus = request.getfixturevalue("corpus")
        return _provided(
            entry,
            stored,
            request,
            lambda: ProvidedRecognizer(read_hypotheses(Path(entry.checkpoint)), corpus),
        )
    if pytestconfig.getoption("executor") == "local":
        transcriber: LoadedModel | None = request.getfixturevalue("transcriber")
        return LocalRecognizer(transcriber) if transcriber is not None else None
    if stored.was_finished:
        request.node.user_properties.extend(stored.properties)
        return None

    request.getfixturevalue("cluster")

    def told(row: tuple[str, str]) -> None:
        request.node.user_properties.append(row)
        stored.made_by(row)

    source: CorpusSource = request.node.callspec.params["checked_corpus"]
    return RayRecognizer(
        entry,
        request.getfixturevalue("settings"),
        request.getfixturevalue("clip"),
        run_dir(pytestconfig),
        address=pytestconfig.getoption("ray_address"),
        replicas=pytestconfig.getoption("ray_replicas"),
        fetched=(source.elsewhere, source.path.parent)
        if source.elsewhere and source.path
        else None,
        told=told,
    )


def _provided(
    entry: Model, stored: Stored, request: pytest.FixtureRequest, opened: Callable[[], P]
) -> P | None:
    """The answers of a file in the place of a model; None where there is nothing left to do."""
    if stored.was_finished:
        request.node.user_properties.extend(stored.properties)
        return None
    row = as_property(entry)
    request.node.user_properties.append(row)
    try:
        stored.made_by(row)
        return opened()
    except (NotResumed, ProvidedError) as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def tts_model(
    model: LazyModel, stored: Stored, request: pytest.FixtureRequest
) -> Iterator[LoadedModel | ProvidedVoice | None]:
    """A model that speaks, warm; None where there is nothing left to do."""
    entry: Model = request.node.callspec.params["model"]
    if entry.is_provided:
        sentences: Sentences = request.getfixturevalue("sentences")
        yield _provided(
            entry,
            stored,
            request,
            lambda: ProvidedVoice(read_speech(Path(entry.checkpoint)), sentences),
        )
        return
    yield from _warm(model, "tts", lambda loaded: loaded.synthesize(CLIP_TEXT), stored, request)


@pytest.fixture
def chat_model(
    model: LazyModel, stored: Stored, request: pytest.FixtureRequest
) -> Iterator[LoadedModel | ProvidedAssistant | None]:
    """A model that answers speech, warm; None where there is nothing left to do."""
    entry: Model = request.node.callspec.params["model"]
    if entry.is_provided:
        dialogues: Dialogues = request.getfixturevalue("dialogues")
        yield _provided(
            entry,
            stored,
            request,
            lambda: ProvidedAssistant(read_transcript(Path(entry.checkpoint)), dialogues),
        )
        return
    clip: Audio = request.getfixturevalue("clip")
    turns = [Turn("user", None, clip)]
    yield from _warm(model, "chat", lambda loaded: loaded.reply(turns), stored, request)


@pytest.fixture
def judges(stored: Stored, request: pytest.FixtureRequest) -> Sequence[Judge]:
    """The recognizers that listen; none where there is nothing left to listen to."""
    loaded: Sequence[Judge] = ()
    if not stored.was_finished:
        loaded = request.getfixturevalue("loaded_judges")
    return loaded


@pytest.fixture
def judges_again(request: pytest.FixtureRequest) -> Callable[[], Sequence[Judge]]:
    """Loads the recognizers that listen, for what they failed on in an earlier session."""
    return lambda: request.getfixturevalue("loaded_judges")


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
def all_second_voices(settings: Settings, pytestconfig: pytest.Config) -> Iterator[SecondVoices]:
    """The voices that are installed and may say what a judge misheard, loaded when one is asked."""
    known = pytestconfig.stash[CATALOG].models
    with ExitStack() as stack:
        yield SecondVoices(
            {
                name: _second_voice(known[name], settings, pytestconfig, stack)
                for name in SECOND_VOICES
                if name in known and known[name].missing() is None
            }
        )


@pytest.fixture
def second_voices(all_second_voices: SecondVoices, request: pytest.FixtureRequest) -> SecondVoices:
    """Those of them that are others than the voice of the test, or a part of it."""
    entry: Model = request.node.callspec.params["model"]
    known = request.config.stash[CATALOG].models
    parts = [str(value) for value in entry.options.values()]
    engines = {entry.engine.name, *(known[part].engine.name for part in parts if part in known)}
    left_out = [n for n in all_second_voices.names if known[n].engine.name in engines]
    if any(judge.vocabulary is not None for judge in request.config.stash[JUDGES]):
        # Such a recognizer was made from that voice, and hears no other right.
        left_out += [n for n in all_second_voices.names if n != BUILTIN_VOICE]
    return all_second_voices.without(left_out)


def _second_voice(entry: Model, settings: Settings, config: pytest.Config, stack: ExitStack) -> Say:
    loaded: list[LoadedModel] = []
    log = run_dir(config) / "judges" / f"{entry.name}{_worker_suffix(config)}.log"

    def say(text: str) -> Audio:
        if not loaded:
            loaded.append(stack.enter_context(running(entry, settings, log)))
        if not loaded[0].alive:
            loaded[0].restart()
        return loaded[0].synthesize(text).result.audio

    return say


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
        loaded = stack.enter_context(running(entry, settings, log))
        loaded.warm_up("asr", lambda: loaded.transcribe(clip))
    except WorkerError as error:
        if entry.required and config.getoption("judge"):
            pytest.fail(f"--judge {entry.name}: {error}", pytrace=False)
        return replace(judge, missing=str(error))
    return replace(judge, model=loaded)


def _warm(
    model: LazyModel,
    task: str,
    call: Callable[[LoadedModel], Timed[Any]],
    stored: Stored,
    request: pytest.FixtureRequest,
) -> Iterator[LoadedModel | None]:
    """The model for a test; what it has loaded by the test's end is noted too."""
    if stored.was_finished:
        request.node.user_properties.extend(stored.properties)
        yield None
        return
    if request.config.getoption("executor") != "local":
        pytest.skip(f"{model.name}: not measured: a cluster runs the asr task alone")
    loaded = _loaded(model)
    row = loaded.as_property()
    request.node.user_properties.append(row)
    try:
        stored.made_by(row)
        loaded.warm_up(task, lambda: call(loaded))
        stored.made_by(loaded.as_property())  # engines also import on their first call
    except NotResumed as error:
        pytest.fail(f"--resume: {error}", pytrace=False)
    except WorkerError as error:
        pytest.fail(f"{loaded.name} fails on its first clip: {error}", pytrace=False)
    yield loaded
    stored.also_made_by(loaded.as_property())


def _loaded(model: LazyModel) -> LoadedModel:
    try:
        return model()
    except WorkerError as error:
        problem = f"{model.name}: cannot be loaded: {error}"
    # Out here, so that pytest does not print the cause once more.
    pytest.fail(problem, pytrace=False)


def _worker_suffix(config: pytest.Config) -> str:
    # Two xdist workers may load one model for two tests.
    worker_input: Mapping[str, Any] = getattr(config, "workerinput", {})
    return f"-{worker_input['workerid']}" if worker_input else ""
