"""The reporting plugin: collects measurements, grades them, writes and shows the scorecard."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from adapters.catalog.yaml_file import ConfigError
from evals.gate import case as cases
from reports.build.collector import PRICES, Collector
from reports.ci.plugin import Ci, add_options
from reports.scorecard import cost
from reports.text.safe_failure import make_printable

COLLECTOR: pytest.StashKey[Collector] = pytest.StashKey()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What models and corpora say goes to no terminal as it is."""
    report = yield
    if any(name == cases.PROPERTY for name, _ in item.user_properties):
        make_printable(report)
    return report


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("model-lab-report", "Model Lab: the report")
    group.addoption(
        "--prices",
        metavar="PATH",
        default=str(cost.DEFAULT),
        help="what hardware and APIs cost (default: example prices, in "
        "reports/scorecard/prices.yaml)",
    )
    group.addoption(
        "--hardware",
        metavar="NAME",
        help="the row of the prices that this machine is (default: found by its name)",
    )
    group.addoption(
        "--report-audio",
        action="store_true",
        help="put the sound of what went wrong into the run's scorecard.html",
    )
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return  # xdist's controller sees every report
    try:
        config.stash[PRICES] = cost.load(Path(config.getoption("prices")))
        config.stash[PRICES].check(config.getoption("hardware"))
    except ConfigError as error:
        raise pytest.UsageError(f"--prices: {error}") from None
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    ci = Ci(config)
    # Of hooks that are both tried first, that of the later plugin is: the collector's.
    config.pluginmanager.register(ci, "model-lab-ci")
    collector = Collector(config, ci)
    config.stash[COLLECTOR] = collector
    config.pluginmanager.register(collector, "model-lab-report")
