"""The options that say what is good enough, and who listens to what models say."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import pytest

from adapters.catalog.model import Model
from adapters.catalog.yaml_file import ConfigError
from adapters.plugin import CATALOG, MODELS
from evals.gate.baseline import Baseline, BaselineError, renamed_models
from evals.gate.baseline import find as find_baseline
from evals.gate.limit_files import LimitFiles
from evals.gate.thresholds import Thresholds
from evals.judges.llm_judge import JudgeError, LlmJudge
from evals.measures.sound.speaker_similarity import DEFAULT as ENCODER
from evals.run.options import given
from evals.tasks.tts.scores import Listeners

LIMITS: pytest.StashKey[LimitFiles] = pytest.StashKey()
THRESHOLDS: pytest.StashKey[Thresholds] = pytest.StashKey()
BASELINE: pytest.StashKey[Baseline] = pytest.StashKey()
JUDGES: pytest.StashKey[list[Model]] = pytest.StashKey()
#: The judge that is always there, of which nothing but commands is known, and the one that is taken
#: where its package is installed.
DEFAULT_JUDGE = "faster-whisper-micro"
REAL_JUDGE = "packaged-faster-whisper-tiny.en"
JUDGE_VARIABLE = "MODEL_LAB_JUDGE"
#: Voices that say what a judge misheard, the best first.
BUILTIN_VOICE = "espeak"
SECOND_VOICES = ("piper-joe", BUILTIN_VOICE)
LLM_JUDGE: pytest.StashKey[LlmJudge] = pytest.StashKey()
LISTENERS: pytest.StashKey[Listeners] = pytest.StashKey()


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
        action="append",
        metavar="PATH",
        help="another thresholds file (default: thresholds.yaml); repeatable, each on top of the "
        "one before",
    )
    group.addoption(
        "--baseline",
        metavar="RUN|NAME",
        help="a scorecard, a run's folder or a promoted run's name, to be no worse than",
    )
    group.addoption(
        "--map",
        action="append",
        metavar="OLD=NEW",
        help="hold the model NEW to the model OLD of the baseline; repeatable",
    )
    group.addoption(
        "--judge",
        action="append",
        metavar="NAME",
        help="a recognizer of the catalogue that listens to what voices say; repeatable, the "
        f"first one's WER is held to the limits (default: {JUDGE_VARIABLE}; else {REAL_JUDGE} "
        f"where it is installed, else {DEFAULT_JUDGE})",
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
        f"name on the hub that is in its cache (default: {ENCODER}, else Resemblyzer's)",
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
    thresholds = thresholds_of(config)
    if config.getoption("rated_clips") < 0:
        raise pytest.UsageError("--rated-clips: a number of clips, 0 for none")
    config.stash[LISTENERS] = _listeners(config)
    if config.getoption("robustness_utterances") < 2:
        raise pytest.UsageError("--robustness-utterances: at least 2, so that there is an interval")
    if (named := config.getoption("baseline")) is not None:
        config.stash[BASELINE] = _baseline(named, config)
    elif config.getoption("map"):
        raise pytest.UsageError("--map: it needs --baseline, the run that has the old model")
    config.stash[JUDGES] = _judges(config)
    _configure_llm_judge(config)
    known = {*config.stash[CATALOG].models, *(model.name for model in config.stash[MODELS])}
    unknown = sorted(set(thresholds.models) - known)
    if unknown:
        place = config.stash[LIMITS].place(("models", unknown[0]))
        close = difflib.get_close_matches(unknown[0], config.stash[CATALOG].models, n=1)
        meant = f"did you mean {close[0]}" if close else "mistyped"
        # A limit that a typing mistake keeps from ever being applied would let a model through.
        raise pytest.UsageError(
            f"--thresholds: {place}: models.{unknown[0]}: no model of "
            f"that name in the catalogue ({meant}, or is a --catalog missing?)"
        )


def thresholds_of(config: pytest.Config) -> Thresholds:
    """The session's limits, read the first time that a plugin asks.

    Plugins that are configured before this one may ask, whatever their order. Raises UsageError.
    """
    if THRESHOLDS not in config.stash:
        try:
            config.stash[LIMITS] = LimitFiles(*given(config.getoption("thresholds")))
            config.stash[THRESHOLDS] = config.stash[LIMITS].thresholds
        except ConfigError as error:
            raise pytest.UsageError(f"--thresholds: {error}") from None
    return config.stash[THRESHOLDS]


def _listeners(config: pytest.Config) -> Listeners:
    named = "--utmos" if config.getoption("utmos") else "MODEL_LAB_UTMOS"
    file = config.getoption("utmos") or os.environ.get("MODEL_LAB_UTMOS")
    if file and not Path(file).is_file():
        raise pytest.UsageError(f"{named}: {file} is no file")
    return Listeners(Path(file).resolve() if file else None, config.getoption("speaker_encoder"))


def _judges(config: pytest.Config) -> list[Model]:
    named = config.getoption("judge") or [os.environ.get(JUDGE_VARIABLE) or _default_judge(config)]
    try:
        models = config.stash[CATALOG].select(named)
    except ConfigError as error:
        raise pytest.UsageError(str(error).replace("--model", "--judge", 1)) from None
    for model in models:
        if "asr" not in model.tasks:
            raise pytest.UsageError(f"--judge {model.name}: it does not recognize speech")
        if model.is_provided:
            raise pytest.UsageError(
                f"--judge {model.name}: its predictions were made elsewhere, and a judge listens"
            )
    return models


def _default_judge(config: pytest.Config) -> str:
    real = config.stash[CATALOG].models.get(REAL_JUDGE)
    return REAL_JUDGE if real is not None and real.missing() is None else DEFAULT_JUDGE


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
    models = config.stash[MODELS]
    try:
        renamed = renamed_models(
            config.getoption("map") or [], {m.requested: m.name for m in models if m.requested}
        )
        found = Baseline(find_baseline(named), renamed)
    except BaselineError as error:
        raise pytest.UsageError(f"--baseline {named}: {error}") from None
    evaluated = [model.name for model in models]
    if unknown := sorted(set(renamed) - set(evaluated)):
        raise pytest.UsageError(
            f"--map {renamed[unknown[0]]}={unknown[0]}: {unknown[0]} is none of the models that "
            f"this session runs ({', '.join(evaluated)})"
        )
    if not found.models & set(evaluated):
        raise pytest.UsageError(
            f"--baseline {named}: it has none of the models {', '.join(evaluated)} "
            f"(it has {', '.join(sorted(found.models)) or 'none'})"
        )
    config.option.map = [f"{old}={new}" for new, old in renamed.items()] or None
    config.option.map = [f"{old}={new}" for new, old in renamed.items()] or None
    return found
