"""What all of the harness's own tests share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

import evals.tasks  # noqa: F401 - it registers the tasks
from tests.sessions import SESSIONS, Finished, run_session

#: Everything about single engines, most of which need an extra each, and what takes longest of
#: the rest. They run in .ci/run, which has every extra, and where they are named on the command
#: line, so that the README's test command stays under two minutes.
DEEP = {
    "test_adapters_command.py",
    "test_against_independent.py",
    "test_ahead.py",
    "test_asked_for_tasks.py",
    "test_assistant.py",
    "test_augmentation.py",
    "test_baseline_session.py",
    "test_batch_sessions.py",
    "test_batching.py",
    "test_calibration.py",
    "test_cascade.py",
    "test_charts.py",
    "test_chat_session.py",
    "test_ci_outputs.py",
    "test_ci_sessions.py",
    "test_compare.py",
    "test_contract.py",
    "test_device_table.py",
    "test_dialogues.py",
    "test_docs.py",
    "test_dominant.py",
    "test_environments.py",
    "test_envs_session.py",
    "test_expectations.py",
    "test_faster_whisper.py",
    "test_finite_state.py",
    "test_history.py",
    "test_hostile_corpora.py",
    "test_hostile_files.py",
    "test_join.py",
    "test_judge_failures.py",
    "test_known_models.py",
    "test_kokoro_onnx.py",
    "test_large_corpora.py",
    "test_lfm2_audio.py",
    "test_lfm_tasks.py",
    "test_lines.py",
    "test_llm_judge.py",
    "test_micro_whisper.py",
    "test_mos.py",
    "test_non_speech.py",
    "test_notebook.py",
    "test_openai_api.py",
    "test_openai_whisper.py",
    "test_page.py",
    "test_page_browser.py",
    "test_parts.py",
    "test_patterns.py",
    "test_planted_regressions.py",
    "test_process.py",
    "test_ray.py",
    "test_recommendation.py",
    "test_reference_similarity.py",
    "test_refusals.py",
    "test_remote_corpora.py",
    "test_rescore.py",
    "test_resume.py",
    "test_safe_loading.py",
    "test_secrets_in_runs.py",
    "test_signal_quality.py",
    "test_speaker_similarity.py",
    "test_spoken_numbers.py",
    "test_suspicious_references.py",
    "test_suggested_commands.py",
    "test_table.py",
    "test_text_responder.py",
    "test_transformers_asr.py",
    "test_transformers_tts.py",
    "test_tts_session.py",
    "test_voice_commands.py",
    "test_whisper_parity.py",
    "test_wire.py",
}
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
    """Leave out the modules in DEEP unless they are asked for."""
    named = {Path(argument.partition("::")[0]).name for argument in config.args}
    if os.environ.get("MODEL_LAB_ALL_EXTRAS"):
        return
    left_out = [item for item in items if item.path.name in DEEP - named]
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
