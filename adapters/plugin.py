"""The options that say which models a session runs, where and how."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from adapters import devices
from adapters.catalog.catalog import BUILTIN, Catalog
from adapters.catalog.model import Model
from adapters.catalog.yaml_file import ConfigError
from adapters.interface import ModelError

ROOT = Path(__file__).parents[1]
CATALOG: pytest.StashKey[Catalog] = pytest.StashKey()
MODELS: pytest.StashKey[list[Model]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    config: pytest.Config | None = pluginmanager.get_plugin("pytestconfig")
    if config is not None:
        _start_in_project(config)
    group = parser.getgroup("model-lab", "Model Lab: what is evaluated")
    group.addoption(
        "--model",
        action="append",
        metavar="NAME|GLOB|set:NAME|ENGINE:CHECKPOINT",
        help="a model of the catalogue, a glob, a set, a checkpoint not in the catalogue, or "
        "predictions:FILE for predictions that exist; with other options as in "
        "'NAME:{beam_size: 5}', under a name of your own as in NAME=ENGINE:CHECKPOINT; repeatable "
        "(default: the entries marked default: true)",
    )
    group.addoption(
        "--catalog",
        action="append",
        metavar="PATH",
        help="more models from a YAML file; repeatable",
    )
    group.addoption(
        "--device",
        default="auto",
        help="auto, cpu, cuda, cuda:N, mps or xla (default: auto, the best that is there)",
    )
    group.addoption(
        "--threads",
        type=int,
        default=1,
        metavar="N",
        help="CPU threads each model may use (default: 1)",
    )
    group.addoption(
        "--time-limit",
        type=float,
        default=120.0,
        metavar="SECONDS",
        help="a model that takes longer over an utterance of a minute or less is hung and killed; "
        "a longer utterance has as many more as it is longer (default: 120)",
    )
    group.addoption(
        "--load-time-limit",
        type=float,
        default=None,
        metavar="SECONDS",
        help="a model that takes longer to load is hung and killed "
        "(default: ten times --time-limit)",
    )
    group.addoption(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="seed of everything that a model draws by chance (default: 0)",
    )
    group.addoption(
        "--envs",
        action="store_true",
        help="give a model whose extra is not installed here a cached environment of its own, "
        "built by uv",
    )
    group.addoption(
        "--isolation",
        choices=("process", "none"),
        default="process",
        help="none runs the models inside pytest, for debugging (default: process)",
    )


def _start_in_project(config: pytest.Config) -> None:
    """Start pytest anew with its configuration file named, where it overlooked the project.

    It looks for the project before it knows our options, and takes the value in
    `--corpus ../elsewhere/manifest.jsonl` for the place of the tests. Where that
    lies outside, it would run without pyproject.toml, rooted in another folder.
    """
    here = config.invocation_params.dir
    if config.inipath is not None or not (here == ROOT or ROOT in here.parents):
        return
    if Path(sys.argv[0]).name not in ("pytest", "pytest.exe", "py.test", "__main__.py"):
        raise pytest.UsageError("pytest does not find pyproject.toml: write --option=PATH, with =")
    arguments = [str(argument) for argument in config.invocation_params.args]
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), *arguments]
    sys.stdout.flush()
    os.execv(sys.executable, command)  # noqa: S606 - no shell is wanted


@pytest.hookimpl(tryfirst=True)  # which corpora need sound depends on the models
def pytest_configure(config: pytest.Config) -> None:
    files = [BUILTIN, *(Path(path) for path in config.getoption("catalog") or ())]
    try:
        if config.getoption("executor", "local") == "local":  # a cluster's hosts have their own
            devices.check(config.getoption("device"))
        catalog = Catalog(files)
        models = catalog.select(config.getoption("model"))
        for model in models:
            _check_parts(model, catalog)
            if model.is_provided and not Path(model.checkpoint).exists():
                raise ConfigError(
                    f"--model {model.name}: its predictions, {model.checkpoint}: no such file or "
                    "folder"
                )
    except (ConfigError, devices.DeviceError) as error:
        raise pytest.UsageError(str(error)) from None
    if config.getoption("threads") < 1:
        raise pytest.UsageError("--threads: at least 1 is needed")
    if not 0 <= config.getoption("seed") < 2**32:
        raise pytest.UsageError("--seed: a number from 0 to 4294967295 is needed")
    if config.getoption("envs") and config.getoption("isolation") == "none":
        raise pytest.UsageError("--envs needs models in processes of their own: drop --isolation")
    if not config.getoption("time_limit") > 0:
        raise pytest.UsageError("--time-limit: a positive number of seconds is needed")
    load_limit = config.getoption("load_time_limit")
    if load_limit is not None and not load_limit > 0:
        raise pytest.UsageError("--load-time-limit: a positive number of seconds is needed")
    config.stash[CATALOG] = catalog
    config.stash[MODELS] = models


def _check_parts(model: Model, catalog: Catalog) -> None:
    """Refuse a model whose options name others that are not there, before anything runs."""
    try:
        model.engine.adapter().prepare(catalog.resolved(model).resolved_options)
    except ModelError as error:
        raise ConfigError(f"--model {model.name}: options: {error}") from None
