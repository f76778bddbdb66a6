"""The declarations of options, against what the plugins register; and the commands made of them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import plugin as adapters_plugin
from adapters.catalog.catalog import NAME, Catalog
from adapters.catalog.model import Model
from evals import plugin as evals_plugin
from evals.run import run_file
from evals.run.options import DECLARED, OF_RUN, OPTIONS, SessionOption, not_default
from evals.session import limits as limits_plugin
from evals.session import run as runs_plugin
from evals.session import user_voice as voices_plugin
from fixtures import plugin as fixtures_plugin
from reports import plugin as reports_plugin
from reports.recommendation.suggested_command import SuggestedCommand, plain_command

#: pytest's own options that a run keeps, or that a command needs outside of the project.
OF_PYTEST = {"markexpr", "keyword", "inifilename", "rootdir", "file_or_dir"}


class Recorder:
    """Takes the place of pytest's parser and keeps what is registered: dest to its settings."""

    def __init__(self) -> None:
        self.registered: dict[str, dict[str, Any]] = {}

    def getgroup(self, name: str, description: str = "") -> Recorder:
        return self

    def addoption(self, flag: str, **settings: Any) -> None:
        name = settings.get("dest", flag.removeprefix("--").replace("-", "_"))
        self.registered[name] = {"flag": flag, **settings}

    def get_plugin(self, name: str) -> None:
        """As a plugin manager without a configuration."""


PLUGINS = (
    fixtures_plugin, evals_plugin, limits_plugin, runs_plugin, reports_plugin, voices_plugin,
)  # fmt: skip


def registered() -> dict[str, dict[str, Any]]:
    recorder: Any = Recorder()
    adapters_plugin.pytest_addoption(recorder, recorder)
    for plugin in PLUGINS:
        plugin.pytest_addoption(recorder)
    found: dict[str, dict[str, Any]] = recorder.registered
    return found


def test_every_option_is_declared_once() -> None:
    """One that a plugin registers and nobody declares would be lost on --resume and in commands."""
    assert len(OPTIONS) == len(DECLARED)
    assert {*registered()} == {*OPTIONS} - OF_PYTEST


@pytest.mark.parametrize("name", [o.name for o in DECLARED if o.name not in OF_PYTEST])
def test_declared_as_it_is_registered(name: str) -> None:
    option, settings = OPTIONS[name], registered()[name]
    kinds = {int: "whole", float: "number", None: "text"}
    is_flag = settings.get("action") == "store_true"
    assert option.typed == settings["flag"]
    assert option.several == (settings.get("action") == "append")
    assert option.kind == ("flag" if is_flag else kinds[settings.get("type")])
    assert option.default == settings.get("default", False if is_flag else None)


def test_pytests_own_are_what_pytest_calls_them(pytestconfig: pytest.Config) -> None:
    assert all(hasattr(pytestconfig.option, name) for name in OF_PYTEST)


def test_a_run_keeps_each_of_its_options() -> None:
    assert {*run_file.FIXED}.isdisjoint(run_file.FREE)
    assert [*run_file.FIXED, *run_file.FREE] == sorted(
        (o.name for o in OF_RUN), key=lambda name: OPTIONS[name].on_resume != "fixed"
    )
    # What makes a run another one cannot be free, or resumed runs would mix two of them.
    assert all(o.on_resume == "fixed" for o in DECLARED if o.alike)


VALUES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1)


@given(st.sampled_from([o for o in DECLARED if o.typed]), VALUES, VALUES)
def test_words_say_the_value(option: SessionOption, one: str, other: str) -> None:
    """Read back as a shell does, the words hold each value whole."""
    values = [one, other] if option.several else [one]
    told = option.words(True if option.kind == "flag" else values if option.several else one)
    words = shlex.split(shlex.join(told))
    if option.kind == "flag":
        assert words == [option.typed]
    elif one != option.default:
        start = [option.typed] if len(option.typed) == 2 else []
        expected = [[*start, v] if start else [f"{option.typed}={v}"] for v in values]
        assert words == [word for pair in expected for word in pair]
    assert option.words(option.default) == []


def test_a_command_has_what_the_session_had() -> None:
    """Of every option that matters and was given; what is at its default is left out."""
    given_ = not_default(
        {
            "corpus": ["my speech/m.jsonl"],
            "catalog": ["c.yaml"],
            "audio_root": ["/sound; rm -rf"],
            "judge": ["pocketsphinx"],
            "seed": 3,
            "threads": 1,
            "envs": True,
            "device": "cpu",
            "thresholds": "strict.yaml",
            "markexpr": "asr",
            "keyword": "oracle",
            "model": ["mine"],
            "shard": "1/2",
            "report_audio": True,
        }
    )
    words = shlex.split(SuggestedCommand(given_)("asr", "mine"))
    assert words[:7] == ["uv", "run", "pytest", "-m", "asr", "--model", "mine"]
    assert sorted(words[7:]) == [
        "--audio-root=/sound; rm -rf",
        "--catalog=c.yaml",
        "--corpus=my speech/m.jsonl",
        "--device=cpu",
        "--envs",
        "--judge=pocketsphinx",
        "--seed=3",
        "--thresholds=strict.yaml",
    ]
    assert plain_command("asr", "mine") == "uv run pytest -m asr --model mine"


def test_a_checkpoint_is_named_as_it_was_given() -> None:
    command = SuggestedCommand({}, {"an-engine-a-model": "an_engine:/a model"})
    assert shlex.split(command("asr", "an-engine-a-model", "b"))[5:] == [
        "--model", "an_engine:/a model", "--model", "b",
    ]  # fmt: skip


def test_conversations_are_for_chat_alone() -> None:
    """With a corpus of conversations pytest refuses any other task."""
    options = {"corpus": ["talks.jsonl", "speech.jsonl"]}
    command = SuggestedCommand(options, conversations=frozenset({"talks.jsonl"}))
    assert "talks" not in command("asr", "a")
    assert "--corpus=talks.jsonl --corpus=speech.jsonl" in command("chat", "a")


def test_a_baseline_where_it_was_compared_with() -> None:
    """pytest refuses a baseline that has none of the models."""
    command = SuggestedCommand({"baseline": "main"}, compared=frozenset({("asr", "a")}))
    assert "--baseline=main" in command("asr", "a", "b")
    assert "--baseline" not in command("asr", "b") + command("latency", "a")


@pytest.fixture
def checkpoints(tmp_path: Path) -> Path:
    """Folders whose derived names are the same, but for the last."""
    for place in ("a/b", "a-b", "A/b", "c"):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
    return tmp_path


def names(models: list[Model]) -> dict[str, str]:
    return {model.name: model.checkpoint for model in models}


def test_checkpoints_of_one_derived_name_are_both_evaluated(checkpoints: Path) -> None:
    """Each has a name, and so a folder, of its own, which no order of naming them changes."""
    asked = [f"faster_whisper:{checkpoints / place}" for place in ("a/b", "a-b", "A/b", "c")]
    found = Catalog().select(asked)
    assert [m.checkpoint for m in found] == [one.partition(":")[2] for one in asked]
    assert len({m.name.lower() for m in found}) == len(found)
    assert all(NAME.fullmatch(m.name) for m in found)
    assert names(Catalog().select(asked[::-1])) == names(found)
    assert [m.requested for m in found] == asked
    alone = Catalog().select([asked[-1]])
    assert alone[0].name == found[-1].name  # nothing else has its name


def test_one_checkpoint_named_twice_is_one_model(checkpoints: Path) -> None:
    place = checkpoints / "c"
    assert len(Catalog().select([f"faster_whisper:{place}", f"faster_whisper:{place}/"])) == 1


def test_a_checkpoint_never_takes_the_name_of_an_entry(checkpoints: Path) -> None:
    mine = checkpoints / "mine.yaml"
    entry = "{engine: faster_whisper, checkpoint: tiny, tasks: [asr]}"
    mine.write_text(f"schema_version: 1\nmodels:\n  faster_whisper-tiny: {entry}\n")
    found = Catalog([mine]).select(["faster_whisper:tiny", "faster_whisper-tiny"])
    assert len(found) == 2
    assert found[1].name == "faster_whisper-tiny"
    assert found[0].name.startswith("faster_whisper-tiny-")
