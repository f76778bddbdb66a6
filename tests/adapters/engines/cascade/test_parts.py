"""The parts of a cascade: named, unpacked, refused, and run from a catalogue."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from adapters.catalog.catalog import BUILTIN, Catalog
from adapters.catalog.engine import EngineRef
from adapters.engines.cascade.adapter import Cascade
from adapters.engines.faster_whisper import adapter as faster_whisper
from adapters.interface import LoadSpec, ModelError, Turn
from adapters.worker.client import ModelProcess
from adapters.worker.results import WorkerError
from evals.measures.text.normalizers import normalizer
from evals.models.loaded import Settings, interpreter, running
from evals.tasks.chat.expectations import check_all, succeeded
from fixtures.builtin import embedded
from tests.adapters.engines.cascade.shared import dialogue_of, entry_of, spec_of, text_of
from tests.support.sessions import SELECT, TEXTS, run_toys, write_toys
from tests.support.toy_engine import toy_corpus

pytestmark = pytest.mark.engine

MICRO = {"engine": "faster_whisper", "checkpoint": "embedded:micro-whisper/ctranslate2"}


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
        Cascade.prepare(entry_of(**parts).resolved_options)
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
    assert text_of(adapter.reply([Turn("user", "hello")])) == "hello"


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
    dialogue, spoken = dialogue_of("timer-asked")
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
    options = entry_of(asr="faster-whisper-micro", tts="espeak").resolved_options
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
    heard = spec_of(asr=part).options["asr"]
    assert heard["options"]["grammar"] == embedded.resolve(grammar)
    assert Path(spec_of(asr="faster-whisper-micro").options["asr"]["checkpoint"]).is_dir()


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
