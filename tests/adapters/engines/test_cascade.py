"""The cascade with real parts: the micro Whisper, the assistant by rule, espeak-ng."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.catalog.catalog import BUILTIN, Catalog
from adapters.catalog.engine import EngineRef
from adapters.catalog.model import Model
from adapters.engines.cascade.adapter import Cascade
from adapters.engines.faster_whisper import adapter as faster_whisper
from adapters.interface import Audio, LoadSpec, ModelError, Reply, ReplyPiece, Turn
from adapters.worker.client import ModelProcess
from adapters.worker.results import Timed, WorkerError
from evals.measures.text.normalizers import normalizer
from evals.models.corpus_synthesizer import synthesizer
from evals.models.loaded import Settings, interpreter, load_spec, running
from evals.tasks.chat.expectations import check_all, succeeded
from fixtures.audio.read import SAMPLE_RATE, to_mono_16k
from fixtures.builtin import embedded
from fixtures.dialogues.dialogues import Dialogue
from fixtures.dialogues.files import builtin_dialogues
from tests.support.sessions import SELECT, TEXTS, run_toys, write_toys
from tests.support.toy_engine import toy_corpus

pytestmark = pytest.mark.engine

MICRO = {"engine": "faster_whisper", "checkpoint": "embedded:micro-whisper/ctranslate2"}
HEARD_WELL = ("timer-asked", "timers-by-number", "front-door-declined")
MISHEARD = "timers-the-second-one"


def _entry(**parts: Any) -> Model:
    options = {**Cascade.options, **parts}
    made = Model(
        "made-of", EngineRef("cascade"), "builtin", ("chat",), "candidate", options=options
    )
    return Catalog().resolved(made)


def _spec(**parts: Any) -> LoadSpec:
    return load_spec(_entry(**parts), "cpu", Settings())


@pytest.fixture(scope="module")
def processes() -> Iterator[Mapping[str, ModelProcess]]:
    """The same cascade with the micro Whisper, and with the text of the turns in its place."""
    heard = ModelProcess(
        EngineRef("cascade"), _spec(asr="faster-whisper-micro", tts="espeak"), time_limit=60
    )
    perfect = ModelProcess(EngineRef("cascade"), _spec(tts="espeak"), time_limit=60)
    try:
        heard.load()
        perfect.load()
        yield {"heard": heard, "perfect": perfect}
    finally:
        heard.close()
        perfect.close()


@cache
def _dialogue(name: str) -> tuple[Dialogue, tuple[Audio, ...]]:
    """A dialogue of the built-in corpus, its user's turns spoken by espeak-ng."""
    (found,) = [d for d in builtin_dialogues("assistant") if d.id == name]
    with synthesizer() as speak:
        spoken = [to_mono_16k(*speak(x.user.text, found.voice)) for x in found.exchanges]
    # In quiet, as recordings are: the first sound of a word is lost at the very start.
    quiet = np.zeros(SAMPLE_RATE // 5, np.float32)
    return found, tuple(Audio(np.concatenate([quiet, s, quiet]), SAMPLE_RATE) for s in spoken)


def _held(process: ModelProcess, name: str, *, text: bool) -> list[Timed[Reply]]:
    """The answers of a whole dialogue, each turn given the turns and answers before it."""
    dialogue, spoken = _dialogue(name)
    turns = [Turn("system", dialogue.system)]
    answers = []
    for exchange, audio in zip(dialogue.exchanges, spoken, strict=True):
        turns.append(Turn("user", exchange.user.text if text else None, audio))
        answers.append(process.reply(turns))
        turns.append(Turn("assistant", answers[-1].result.text))
    return answers


@pytest.mark.parametrize("name", HEARD_WELL)
def test_what_is_heard_right_is_answered_like_text(
    processes: Mapping[str, ModelProcess], name: str
) -> None:
    dialogue, _ = _dialogue(name)
    heard = _held(processes["heard"], name, text=False)
    perfect = _held(processes["perfect"], name, text=True)
    assert [x.result.text for x in heard] == [x.result.text for x in perfect]
    for answer, exchange in zip(heard, dialogue.exchanges, strict=True):
        assert succeeded(check_all(exchange.assistant.expect, answer.result.text))
        assert answer.first_token_seconds is not None
        assert answer.first_audio_seconds is not None
        assert 0 < answer.first_token_seconds < answer.first_audio_seconds <= answer.seconds


def test_mistakes_of_the_recogniser_go_on(processes: Mapping[str, ModelProcess]) -> None:
    """ "The second one" are words that the micro Whisper does not know."""
    dialogue, _ = _dialogue(MISHEARD)
    outcomes = {
        name: [
            succeeded(check_all(x.assistant.expect, answer.result.text))
            for x, answer in zip(
                dialogue.exchanges,
                _held(process, MISHEARD, text=name == "perfect"),
                strict=True,
            )
        ]
        for name, process in processes.items()
    }
    assert outcomes == {"perfect": [True] * 4, "heard": [True, True, False, False]}


def test_speech_says_the_text(processes: Mapping[str, ModelProcess]) -> None:
    """Read back by the micro Whisper, which knows the words of this answer."""
    whisper = ModelProcess(
        EngineRef("faster_whisper"),
        LoadSpec(
            embedded.resolve("embedded:micro-whisper/ctranslate2"),
            options={"language": "en", "max_new_tokens": 60, "without_timestamps": True},
        ),
    )
    whisper.load()
    try:
        reply = processes["perfect"].reply([Turn("user", "set a timer for ten minutes")]).result
        assert reply.audio is not None
        samples = to_mono_16k(reply.audio.samples, reply.audio.sample_rate)
        quiet = np.zeros(SAMPLE_RATE // 5, np.float32)
        sound = Audio(np.concatenate([quiet, samples, quiet]), SAMPLE_RATE)
        back = whisper.transcribe(sound).result.text
    finally:
        whisper.close()
    same = normalizer("whisper-english")
    assert same(reply.text) == same("The timer is at ten minutes.")
    assert same(back) == same(reply.text)


class _Ear:
    """A recogniser that counts what it hears."""

    longest_audio = 2.0

    def __init__(self) -> None:
        self.heard = 0

    def transcribe(self, audio: Audio) -> Iterator[str]:
        self.heard += 1
        yield from ("set a timer ", "for ten minutes" if audio.samples[0] else "for two hours")


def _tone(value: float, rate: int = SAMPLE_RATE, seconds: float = 0.1) -> Audio:
    return Audio(np.full(round(rate * seconds), value, np.float32), rate)


@pytest.fixture
def cascade() -> Any:
    adapter: Any = Cascade()
    adapter.load(LoadSpec("builtin"))
    return adapter


def _text(pieces: Iterator[ReplyPiece]) -> str:
    return "".join(piece.text or "" for piece in pieces)


def test_a_turn_is_heard_once_and_the_last_one_always(cascade: Any) -> None:
    ear = cascade._asr = _Ear()
    first, second = Turn("user", audio=_tone(0.0)), Turn("user", audio=_tone(0.5))
    assert _text(cascade.reply([first])) == "The timer is at two hours."
    conversation = [first, Turn("assistant", "Yes."), second]
    pieces = list(cascade.reply(conversation))
    assert _text(iter(pieces)) == "Timer two is at ten minutes."
    assert ear.heard == 2
    assert pieces[0] == ReplyPiece(heard="set a timer for ten minutes")
    assert not any(piece.heard for piece in pieces[1:])
    list(cascade.reply(conversation))
    assert ear.heard == 3


@pytest.mark.parametrize(
    ("audio", "says"), [(_tone(0.1, 8000), "8000 Hz"), (_tone(0.1, seconds=3), "takes 2 s")]
)
def test_audio_that_the_recogniser_cannot_take(cascade: Any, audio: Audio, says: str) -> None:
    cascade._asr = _Ear()
    with pytest.raises(ModelError, match=says):
        list(cascade.reply([Turn("user", audio=audio)]))


@pytest.mark.parametrize(
    ("turns", "says"),
    [
        ([], "must be the user's"),
        ([Turn("user", audio=_tone(0.1))], "asr is none"),
        ([Turn("user", "a"), Turn("assistant"), Turn("user", "b")], "turn 2, of the assistant"),
        ([Turn("tool", "a"), Turn("user", "b")], "turn 1, of the tool"),
    ],
)
def test_conversations_that_are_none(cascade: Any, turns: list[Turn], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        list(cascade.reply(turns))


class _Slow:
    """A responder that gives its answer in pieces, and a voice that notes what it is given."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.turns: list[Turn] = []

    def reply(self, turns: list[Turn]) -> Iterator[ReplyPiece]:
        self.turns = turns
        for piece in ("The light", " is on. The ", "door is", " open."):
            self.log.append(f"text {piece!r}")
            yield ReplyPiece(text=piece)

    def synthesize(self, text: str) -> Iterator[Audio]:
        self.log.append(f"speech {text!r}")
        yield _tone(0.1)
        yield _tone(0.0, seconds=0)


def test_speaks_each_sentence_as_soon_as_it_is_there(cascade: Any) -> None:
    both = cascade._responder = cascade._tts = _Slow()
    turns = [Turn("system", "Be brief."), Turn("user", "hello", _tone(0.1))]
    pieces = list(cascade.reply(turns))
    assert both.log == [
        "text 'The light'",
        "text ' is on. The '",
        "speech 'The light is on.'",
        "text 'door is'",
        "text ' open.'",
        "speech 'The door is open.'",
    ]
    assert [bool(piece.audio) for piece in pieces] == [False] * 3 + [True] + [False] * 2 + [True]
    assert both.turns == [Turn("system", "Be brief."), Turn("user", "hello")]


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"asr": "faster-whisper-mirco"}, "asr: no model is called.*'faster-whisper-micro'"),
        ({"asr": "espeak"}, "asr: espeak does not do 'asr'"),
        ({"tts": "espaek:builtin"}, "tts: no engine is called 'espaek'"),
        ({"tts": "espeak:"}, "tts: a checkpoint is expected"),
        ({"responder": "none"}, "responder: something must answer"),
        ({"responder": "cascade:builtin"}, "responder: a cascade is no part"),
        ({"asr": None}, "asr: a model's name"),
        ({"asr": {"engine": "espeak", "model": "x"}}, "asr: unknown key 'model'"),
        ({"asr": {"checkpoint": "x"}}, "asr: a part needs an engine"),
        ({"responder": "text_responder:x", "tts": "cascade:x"}, "tts: a cascade is no part"),
        ({"asr": {"engine": "faster_whisper", "options": {"beam_size": 0}}}, "asr: .*beam_size"),
    ],
)
def test_wrong_parts(parts: dict[str, Any], says: str) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        Cascade.prepare(_entry(**parts).resolved_options)
    assert "\n" not in str(caught.value)


def test_wrong_parts_in_the_worker_are_one_clear_error() -> None:
    process = ModelProcess(EngineRef("cascade"), LoadSpec("builtin", options={"asr": MICRO}))
    with pytest.raises(WorkerError, match=r"asr: checkpoint .*has not been unpacked") as caught:
        process.load()
    process.close()
    assert caught.value.kind == "refused"


def test_parts_are_closed_when_a_later_one_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []
    engine = EngineRef("espeak").adapter()
    monkeypatch.setattr(engine, "close", lambda self: closed.append(True))
    options = {
        "responder": {"engine": "openai_api", "checkpoint": "builtin"},
        "tts": {"engine": "espeak", "options": {"voice": "nobody's"}},
    }
    with pytest.raises(ModelError):
        Cascade().load(LoadSpec("builtin", options={**Cascade.options, **options}))
    assert closed == []
    adapter = Cascade()
    adapter.load(LoadSpec("builtin", options={**Cascade.options, "tts": "espeak:builtin"}))
    adapter.close()
    assert closed == [True]


def test_device_of_each_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session's where a part can use it, else the CPU."""
    loaded = {}
    for name in ("espeak", "faster_whisper"):
        engine = EngineRef(name).adapter()
        monkeypatch.setattr(
            engine, "load", lambda self, spec: loaded.update({type(self).__name__: spec})
        )
        monkeypatch.setattr(engine, "modules", ())
    parts = {"asr": "faster_whisper:/some/where", "tts": "espeak:builtin"}
    spec = LoadSpec("builtin", device="cuda:1", threads=3, seed=7, options=parts)
    Cascade().load(spec)
    assert {name: s.device for name, s in loaded.items()} == {
        "Espeak": "cpu",
        "FasterWhisper": "cuda:1",
    }
    assert loaded["FasterWhisper"].checkpoint == "/some/where"
    assert {(s.threads, s.seed) for s in loaded.values()} == {(3, 7)}


def test_a_part_from_a_file(tmp_path: Path) -> None:
    """An engine beside somebody's catalogue, as prepare() hands it over."""
    file = tmp_path / "parrot.py"
    file.write_text(
        "from adapters.interface import Adapter, Reply\n"
        "class Parrot(Adapter):\n"
        "    def load(self, spec): pass\n"
        "    def reply(self, turns): return Reply(turns[-1].text)\n"
        "ADAPTER = Parrot\n"
    )
    adapter: Any = Cascade()
    part = {"engine": "parrot", "file": str(file)}
    adapter.load(LoadSpec("builtin", options={**Cascade.options, "responder": part}))
    assert _text(adapter.reply([Turn("user", "hello")])) == "hello"


CATALOG = """
schema_version: 1
models:
  my-ears:
    engine: faster_whisper
    tasks: [asr]
    checkpoint: embedded:micro-whisper/ctranslate2
    options: {language: en, max_new_tokens: 60, without_timestamps: true}
  heard:
    engine: cascade
    tasks: [chat]
    options: {asr: my-ears, responder: assistant, tts: espeak}
  perfect:
    engine: cascade
    tasks: [chat]
    options: {asr: none, responder: assistant, tts: espeak}
  misnamed:
    engine: cascade
    tasks: [chat]
    options: {asr: my-eers}
"""


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    file = tmp_path / "catalog.yaml"
    file.write_text(CATALOG)
    return Catalog([BUILTIN, file])


@pytest.mark.parametrize("name", ["heard", "perfect"])
def test_from_a_catalogue_to_a_spoken_answer(catalog: Catalog, tmp_path: Path, name: str) -> None:
    """Parts of the user's own catalogue too, and all that is recorded of the run."""
    dialogue, spoken = _dialogue("timer-asked")
    said = dialogue.exchanges[0].user.text
    with running(catalog.models[name], Settings("cpu"), tmp_path / "log") as model:
        reply = model.reply([Turn("user", said if name == "perfect" else None, spoken[0])]).result
        recorded = json.loads(model.as_property()[1])
    assert succeeded(check_all(dialogue.exchanges[0].assistant.expect, reply.text))
    assert reply.audio is not None
    assert reply.heard is not None
    same = normalizer("whisper-english")
    assert same(reply.heard) == same(said)
    packages = set(recorded["environment"]["packages"])
    assert "espeakng-loader" in packages
    assert ("faster-whisper" in packages) == (name == "heard")
    assert model.entry.options["tts"] == "espeak"


def test_a_part_that_no_catalogue_names_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    entry = catalog.models["misnamed"]
    assert entry.engine.missing(entry.resolved_options) is None  # wrong is not missing
    with (
        pytest.raises(WorkerError, match=r"asr: no model is called 'my-eers'") as caught,
        running(entry, Settings("cpu"), tmp_path / "log"),
    ):
        pass
    assert caught.value.kind == "refused"
    with pytest.raises(ModelError, match=r"no model is called 'my-eers'.*mean 'my-ears'"):
        catalog.resolved(entry)
    with pytest.raises(ModelError, match="no model is called 'my-ears'"):
        Catalog().resolved(catalog.models["heard"])  # the built-in one does not know it


def test_a_part_that_is_not_installed_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faster_whisper.ADAPTER, "modules", ("no_such_module",))
    options = _entry(asr="faster-whisper-micro", tts="espeak").resolved_options
    ref = EngineRef("cascade")
    assert ref.missing() is None
    missing = ref.missing(options)
    assert missing == (
        "asr: engine 'faster_whisper' is not installed (no module 'no_such_module'). "
        "Install it with: uv sync --inexact --extra faster-whisper"
    )
    assert ref.missing({**options, "asr": "none"}) is None
    with pytest.raises(WorkerError, match="asr: engine 'faster_whisper'") as caught:
        interpreter(ref, Settings(environments=True), options)
    assert caught.value.kind == "refused"


def test_what_the_repo_ships_is_unpacked_inside_of_parts() -> None:
    grammar = "embedded:voice-commands.jsgf"
    part = {"engine": "pocketsphinx", "options": {"grammar": grammar}}
    heard = _spec(asr=part).options["asr"]
    assert heard["options"]["grammar"] == embedded.resolve(grammar)
    assert Path(_spec(asr="faster-whisper-micro").options["asr"]["checkpoint"]).is_dir()


COMPOSED = """
from adapters.catalog.engine import EngineRef
from adapters.interface import Adapter, Transcript
class Absent(Adapter):
    modules = ("surely_not_there",)
    def load(self, spec): pass
    def transcribe(self, audio): return Transcript("")
class Composed(Absent):
    modules = ()
    options = {"part": "absent"}
    components = {"part": ()}
    @classmethod
    def engines(cls, options):
        return {"ear": EngineRef("absent", options["part"]["file"])}
"""


@pytest.mark.parametrize(
    ("pattern", "status", "outcome"),
    [("compo*", 0, "1 passed, 1 skipped"), ("composed", 1, "1 error")],
)
def test_session_without_a_part(tmp_path: Path, pattern: str, status: int, outcome: str) -> None:
    """Skipped where a glob met the model, in spite of --envs, which cannot help; else failed."""
    write_toys(tmp_path, {"oracle": {}})
    with (tmp_path / "catalog.yaml").open("a") as catalog:
        for name, adapter in (("absent", "Absent"), ("composed", "Composed")):
            (tmp_path / f"{name}.py").write_text(f"{COMPOSED}ADAPTER = {adapter}\n")
            catalog.write(f"  {name}: {{engine: {name}.py, tasks: [asr]}}\n")
    toy_corpus(tmp_path / "toy", TEXTS)
    done = run_toys(tmp_path, *SELECT, "-rsfE", "--envs", "--model=oracle", f"--model={pattern}")
    assert done.returncode == status, done.stdout
    assert "composed: ear: engine 'absent' needs surely_not_there, which is" in done.stdout
    assert outcome in done.stdout


def test_what_it_is_made_of_is_recorded(tmp_path: Path) -> None:
    """Another recognizer in a cascade is another model, whatever the cascade is called."""
    entry = Catalog().models["assistant-micro"]
    with running(entry, Settings(), tmp_path / "log") as model:
        _, text = model.as_property()
    parts = json.loads(text)["parts"]
    assert {name: part["engine"] for name, part in parts.items()} == {
        "asr": "faster_whisper",
        "tts": "espeak",
    }
    assert re.fullmatch("[0-9a-f]{64}", parts["asr"]["checkpoint_sha256"])
    assert parts["tts"]["checkpoint_sha256"] is None
