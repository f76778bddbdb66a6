"""What all of the harness's own tests share."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

import evals.tasks  # noqa: F401 - it registers the tasks
from tests.support.sessions import SESSIONS, Finished, run_session

with contextlib.suppress(ImportError):  # sessions of an environment without it load this file too
    from hypothesis import settings

    # How long an example takes says nothing of what is right, and much of what else is running.
    settings.register_profile("model-lab", deadline=None)
    settings.load_profile("model-lab")

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


#: A module's own marks, up to the next empty line.
_MODULE_MARKS = re.compile(r"^pytestmark\b.*?(?:\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)


def _left_out(config: pytest.Config) -> frozenset[str]:
    """The marks of LEFT_OUT whose tests this session leaves out."""
    if os.environ.get("MODEL_LAB_ALL_EXTRAS"):
        return frozenset()
    return frozenset(LEFT_OUT) - set(re.findall(r"\w+", config.option.markexpr or ""))


def _is_named(path: Path, config: pytest.Config) -> bool:
    return path.name in {Path(argument.partition("::")[0]).name for argument in config.args}


@cache
def module_marks(path: Path) -> frozenset[str]:
    """The marks that a module gives to all of its tests, read from its text."""
    found = _MODULE_MARKS.search(path.read_text(encoding="utf-8"))
    return frozenset(re.findall(r"mark\.(\w+)", found[0])) if found else frozenset()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Don't import a module all of whose tests would be left out: that is half of the imports."""
    if collection_path.suffix != ".py" or _is_named(collection_path, config):
        return None
    return bool(module_marks(collection_path) & _left_out(config)) or None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what has a mark of LEFT_OUT unless its file or the mark is named."""
    marks = _left_out(config)
    kept = [
        item
        for item in items
        if not any(map(item.get_closest_marker, marks)) or _is_named(item.path, config)
    ]
    if len(kept) < len(items):
        chosen = set(kept)
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = kept


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
        for name in ("COLUMNS", "LINES"):
            # pytest imports readline, which sets them behind Python's back.
            patch.delenv(name, raising=False)
            os.unsetenv(name)
        # Sessions that name no judge have the one that is always there, whatever is installed, which
        # is also the fastest.
        patch.setenv("MODEL_LAB_JUDGE", "faster-whisper-micro")
        if kept_nowhere:
            patch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("bytecode")))
        yield
