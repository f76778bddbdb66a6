"""Who speaks the users' turns of conversations: `--user-voice`, and its identity."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from adapters.catalog.catalog import NAME
from adapters.catalog.model import Model
from adapters.catalog.yaml_file import ConfigError
from adapters.devices import place
from adapters.plugin import CATALOG
from adapters.worker.installed import versions_of
from evals.models.corpus_synthesizer import catalogued
from evals.models.loaded import Settings
from evals.run.identity import model_identity
from evals.session.provided import listens
from evals.session.run import run_dir
from fixtures.builtin.synthesize import Speaker
from fixtures.corpora.corpus import CorpusError
from fixtures.dialogues.dialogues import Dialogues
from fixtures.dialogues.user_audio import sound_sha256, spoken_turns

#: The voice of `--user-voice`; None: espeak-ng, in each dialogue's own settings.
USER_VOICE: pytest.StashKey[Model | None] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("model-lab-gate").addoption(
        "--user-voice",
        metavar="NAME",
        help="a voice of the catalogue that speaks the users' turns of conversations; turns with a "
        "recording keep it (default: espeak-ng, in the voice that each dialogue names)",
    )


@pytest.hookimpl(trylast=True)  # after adapters.plugin, whose catalogue it needs
def pytest_configure(config: pytest.Config) -> None:
    named = config.getoption("user_voice")
    config.stash[USER_VOICE] = _named(named, config) if named is not None else None


def _named(named: str, config: pytest.Config) -> Model:
    try:
        found = config.stash[CATALOG].select([named])
    except ConfigError as error:
        raise pytest.UsageError(str(error).replace("--model", "--user-voice", 1)) from None
    if len(found) != 1:
        names = ", ".join(model.name for model in found)
        raise pytest.UsageError(f"--user-voice {named}: one voice is expected, not {names}")
    (voice,) = found
    if "tts" not in voice.tasks or voice.is_provided:
        why = "its speech was made elsewhere" if voice.is_provided else "it does not speak"
        raise pytest.UsageError(f"--user-voice {named}: {why}")
    if (missing := voice.missing()) is not None:
        raise pytest.UsageError(f"--user-voice {named}: {missing}")
    assert NAME.fullmatch(voice.name)
    return voice


@pytest.fixture(scope="session")
def user_sounds(
    checked_dialogues: Dialogues, speaker: Speaker, settings: Settings, pytestconfig: pytest.Config
) -> Mapping[str, Path]:
    """The sound of each of the user's turns, by its id; none where nobody listens to them."""
    if not listens(pytestconfig):
        return {}
    voice = pytestconfig.stash[USER_VOICE]
    try:
        if voice is None:
            return spoken_turns(checked_dialogues, speaker)
        log = run_dir(pytestconfig) / "judges" / f"user-voice-{voice.name}.log"
        speaking = partial(catalogued, voice, settings, log)
        return spoken_turns(checked_dialogues, speaking, _made_by(voice, settings))
    except CorpusError as error:
        pytest.fail(f"corpus {checked_dialogues.name}:\n{error}", pytrace=False)


@pytest.fixture(scope="session")
def users_heard() -> dict[tuple[str, Path], str]:
    """What judges have heard of users' turns so far, by judge and file."""
    return {}


@pytest.fixture
def user_voice(
    user_sounds: Mapping[str, Path], settings: Settings, pytestconfig: pytest.Config
) -> Mapping[str, Any] | None:
    """The identity of what `--user-voice` names, and of the sound that it made; else None."""
    voice = pytestconfig.stash[USER_VOICE]
    if voice is None or not user_sounds:
        return None
    made_by = _made_by(voice, settings)
    return {"name": voice.name, **made_by, "sound_sha256": sound_sha256(user_sounds)}


def _made_by(voice: Model, settings: Settings) -> dict[str, Any]:
    """What decides how the voice sounds. Its device is the session's, as that of judges is."""
    device = place(settings.device, voice.engine.adapter().devices, voice.engine.name).device
    versions = dict(versions_of(voice.engine.adapter().modules))
    return {**model_identity(voice, settings, device), "packages": versions}
