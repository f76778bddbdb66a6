"""Secrets of the environment: no model sees them unasked, and no file gets them."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters import redaction
from adapters.catalog.engine import EngineRef
from adapters.engines.cascade.adapter import Cascade
from adapters.engines.openai_api.adapter import OpenAIApi
from adapters.interface import Audio, LoadSpec
from adapters.worker.client import ModelProcess
from adapters.worker.results import WorkerError
from tests.support.toy_engine import RATE, samples_of

VALUE = "sk-live-0123456789"

#: Says what it finds in its environment, as an engine that is debugged might.
_NOSY = """
import os, sys
from adapters.interface import Adapter, ModelError, Transcript

class Nosy(Adapter):
    environment = ("DECLARED_KEY",)
    options = {"die": False}

    def load(self, spec):
        self._die = spec.options["die"]

    def transcribe(self, audio):
        names = ("DECLARED_KEY", "OTHER_TOKEN", "HARMLESS", "TOKENIZERS_PARALLELISM")
        print("environment:", os.environ.get("DECLARED_KEY"), flush=True)
        if self._die:
            os._exit(4)
        raise ModelError(" ".join(f"{n}={os.environ.get(n)}" for n in names))

ADAPTER = Nosy
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in redaction.secret_names():
        monkeypatch.delenv(name)
    monkeypatch.setenv("DECLARED_KEY", VALUE)
    monkeypatch.setenv("OTHER_TOKEN", "t0ken-9876543210")
    monkeypatch.setenv("HARMLESS", "weather")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "worker.log"


@pytest.fixture
def engine(tmp_path: Path) -> EngineRef:
    file = tmp_path / "nosy.py"
    file.write_text(_NOSY)
    return EngineRef("nosy", str(file))


def _audio() -> Audio:
    return Audio((samples_of("a") / 32768).astype("float32"), RATE)


def _loaded(engine: EngineRef, log: Path, *, die: bool) -> ModelProcess:
    process = ModelProcess(engine, LoadSpec("builtin", options={"die": die}), log=log)
    process.load()
    return process


def test_names_that_look_like_secrets() -> None:
    names = ("API_KEY", "hf_token", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD", "GOOGLE_CREDENTIALS")
    others = ("HOME", "HTTPS_PROXY", "OMP_NUM_THREADS", "TOKENIZERS_PARALLELISM")
    assert redaction.secret_names(dict.fromkeys([*names, *others], "")) == names


def test_models_see_the_secrets_that_they_declare_alone(engine: EngineRef, log: Path) -> None:
    process = _loaded(engine, log, die=False)
    with pytest.raises(WorkerError) as caught:
        process.transcribe(_audio())
    process.close()
    assert str(caught.value) == (
        "DECLARED_KEY=[DECLARED_KEY] OTHER_TOKEN=None HARMLESS=weather TOKENIZERS_PARALLELISM=false"
    )


@pytest.mark.parametrize("die", [False, True])
def test_no_secret_stays_in_the_log(engine: EngineRef, log: Path, die: bool) -> None:
    """What was there before this process began is not touched, nor what is no text."""
    log.parent.mkdir()
    log.write_bytes(b"\xff before\n")
    process = _loaded(engine, log, die=die)
    with pytest.raises(WorkerError):
        process.transcribe(_audio())
    if not die:
        assert VALUE in log.read_text(errors="replace")
    process.close()
    written = log.read_bytes()
    assert written.startswith(b"\xff before\n")
    assert b"environment: [DECLARED_KEY]" in written
    assert VALUE.encode() not in written
    assert [file.name for file in log.parent.iterdir()] == [log.name]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Bearer {VALUE}!", "Bearer [DECLARED_KEY]!"),
        (f"{VALUE}{VALUE}", "[DECLARED_KEY][DECLARED_KEY]"),
        ("weather and false", "weather and false"),
        (VALUE[:-1], VALUE[:-1]),
    ],
)
def test_redact(text: str, expected: str) -> None:
    assert redaction.redact(text) == expected


def test_a_redactor_knows_the_environment_of_its_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    redacted = redaction.redactor()
    monkeypatch.delenv("DECLARED_KEY")
    assert redacted(f"{VALUE} of {VALUE}") == "[DECLARED_KEY] of [DECLARED_KEY]"
    assert redaction.redact(VALUE) == VALUE


def test_short_values_are_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORT_KEY", "kitchen")
    assert redaction.redact("turn on the kitchen light") == "turn on the kitchen light"
    monkeypatch.setenv("SHORT_KEY", "kitchen8")
    assert redaction.redact("kitchen8") == "[SHORT_KEY]"


def test_a_value_that_begins_with_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGER_KEY", VALUE + "-and-more")
    assert redaction.redact(f"{VALUE}-and-more {VALUE}") == "[LONGER_KEY] [DECLARED_KEY]"


@pytest.mark.parametrize(
    "written",
    ['pass\\"word\\\\ü', "pass%22word%5C%C3%BC", 'pass"word\\ü', 'pass\\"word\\\\\\u00fc'],
)
def test_other_ways_to_write_a_value(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv("ODD_PASSWORD", 'pass"word\\ü')
    assert redaction.redact(f"x {written} y") == "x [ODD_PASSWORD] y"


def test_what_engines_declare() -> None:
    options = OpenAIApi.options
    assert OpenAIApi.secrets(options) == ["OPENAI_API_KEY"]
    assert OpenAIApi.secrets({**options, "api_key_env": "MINE"}) == ["MINE"]
    assert OpenAIApi.secrets({**options, "api_key_env": None}) == []
    part = {
        "engine": "openai_api",
        "file": None,
        "checkpoint": "some-model",
        "revision": None,
        "options": {**options, "api_key_env": "OF_A_PART"},
    }
    assert Cascade.secrets({**Cascade.options, "responder": part}) == ["OF_A_PART"]
    assert Cascade.secrets(Cascade.options) == []


def test_nothing_to_redact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "some.log"
    assert not redaction.redact_file(file)
    file.write_text("nothing of it")
    before = file.stat().st_mtime_ns, file.stat().st_ino
    assert not redaction.redact_file(file)
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == before
