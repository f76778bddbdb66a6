"""What all of the harness's own tests share."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

import evals.tasks  # noqa: F401 - it registers the tasks
from tests.support.sessions import SESSIONS, Finished, run_session

#: Marks of what is left out where nobody asks for it: tests of single engines, most of which need
#: an extra each, and what takes longest of the rest. They run in .ci/run, which has every extra, and
#: where their file or mark is named, so that the README's test command stays under two minutes.
LEFT_OUT = ("slow", "engine")
#: What a test process that starts pytest must not hand on.
_NOT_INHERITED = (
    "GITHUB_STEP_SUMMARY",
    "PYTHONDONTWRITEBYTECODE",
    "PYTEST_ADDOPTS",
    "PYTEST_XDIST_WORKER",
    "PYTEST_XDIST_WORKER_COUNT",
    "PYTEST_XDIST_TESTRUNUID",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what has a mark of LEFT_OUT unless its file or the mark is named."""
    if os.environ.get("MODEL_LAB_ALL_EXTRAS"):
        return
    named = {Path(argument.partition("::")[0]).name for argument in config.args}
    marks = set(LEFT_OUT) - set(re.findall(r"\w+", config.option.markexpr or ""))
    left_out = [
        item
        for item in items
        if item.path.name not in named and any(map(item.get_closest_marker, marks))
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


class Runs:
    """Sessions of SESSIONS, each run once, two at a time."""

    def __init__(self, pool: ThreadPoolExecutor, folder: Callable[[str], Path]) -> None:
        self._pool = pool
        self._folder = folder
        self._begun: dict[str, Future[Finished]] = {}

    def __getitem__(self, name: str) -> Future[Finished]:
        if name not in self._begun:
            folder = self._folder("session")
            self._begun[name] = self._pool.submit(run_session, folder, SESSIONS[name])
        return self._begun[name]


@pytest.fixture(autouse=True, scope="session")
def sessions(
    bytecode: None, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runs]:
    """The sessions that the selected tests look at, begun at once, beside the other tests."""
    specs = (getattr(item, "callspec", None) for item in request.session.items)
    asked = {spec.params["finished"] for spec in specs if spec and "finished" in spec.params}
    with ThreadPoolExecutor(max_workers=2) as pool:
        runs = Runs(pool, tmp_path_factory.mktemp)
        if not hasattr(
            request.config, "workerinput"
        ):  # an xdist worker gets some of the tests only
            for name in sorted(asked):
                runs[name]
        yield runs


@pytest.fixture(autouse=True, scope="session")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Processes that tests start one after another need not compile every library again."""
    kept_nowhere = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    with pytest.MonkeyPatch.context() as patch:
        for name in _NOT_INHERITED:
            patch.delenv(name, raising=False)
        if kept_nowhere:
            patch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("bytecode")))
        yield
