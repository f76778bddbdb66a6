"""What all of the harness's own tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

#: Everything about single engines. They take minutes and most of them an extra each, so they
#: run where .ci/run has every extra, and where they are named on the command line.
DEEP = {
    "test_contract.py",
    "test_envs_session.py",
    "test_faster_whisper.py",
    "test_lfm2_audio.py",
    "test_openai_api.py",
    "test_openai_whisper.py",
    "test_transformers_asr.py",
    "test_whisper_parity.py",
}
#: What a test process that starts pytest must not hand on.
_NOT_INHERITED = (
    "PYTHONDONTWRITEBYTECODE",
    "PYTEST_ADDOPTS",
    "PYTEST_XDIST_WORKER",
    "PYTEST_XDIST_WORKER_COUNT",
    "PYTEST_XDIST_TESTRUNUID",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of single engines unless they are asked for."""
    named = {Path(argument.partition("::")[0]).name for argument in config.args}
    if os.environ.get("MODEL_LAB_ALL_EXTRAS"):
        return
    left_out = [item for item in items if item.path.name in DEEP - named]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


@pytest.fixture(autouse=True, scope="session")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Processes that tests start one after another need not compile every library again."""
    with pytest.MonkeyPatch.context() as patch:
        for name in _NOT_INHERITED:
            patch.delenv(name, raising=False)
        patch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("bytecode")))
        yield
