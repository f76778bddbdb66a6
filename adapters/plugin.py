"""The options that say which models a session runs, where and how."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters import devices
from adapters.catalog import BUILTIN, Catalog, Model
from adapters.located_yaml import ConfigError

CATALOG: pytest.StashKey[Catalog] = pytest.StashKey()
MODELS: pytest.StashKey[list[Model]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("model-lab", "Model Lab: what is evaluated")
    group.addoption(
        "--model",
        action="append",
        metavar="NAME|GLOB|@SET|ENGINE:CHECKPOINT",
        help="a model of the catalogue, a glob, a set, or a checkpoint not in the catalogue; "
        "repeatable (default: the entries marked default: true)",
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
        help="a model that takes longer over one utterance is hung and killed; "
        "loading may take ten times as long (default: 120)",
    )
    group.addoption(
        "--isolation",
        choices=("process", "none"),
        default="process",
        help="none runs the models inside pytest, for debugging (default: process)",
    )


def pytest_configure(config: pytest.Config) -> None:
    files = [BUILTIN, *(Path(path) for path in config.getoption("catalog") or ())]
    try:
        devices.check(config.getoption("device"))
        catalog = Catalog(files)
        models = catalog.select(config.getoption("model"))
    except (ConfigError, devices.DeviceError) as error:
        raise pytest.UsageError(str(error)) from None
    if config.getoption("threads") < 1:
        raise pytest.UsageError("--threads: at least 1 is needed")
    if not config.getoption("time_limit") > 0:
        raise pytest.UsageError("--time-limit: a positive number of seconds is needed")
    config.stash[CATALOG] = catalog
    config.stash[MODELS] = models
