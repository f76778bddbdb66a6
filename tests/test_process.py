"""Every way in which a model can misbehave, each told apart, none taking the harness along."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from adapters.engines import EngineRef
from adapters.interface import Audio, LoadSpec
from adapters.memory import MemoryMeter
from adapters.process import ModelProcess, WorkerError, _Gateway
from tests import toy_engine
from tests.toy_engine import RATE, samples_of

ROOT = Path(__file__).parents[1]
ENGINE = EngineRef("toy_engine", toy_engine.__file__)


def _audio(text: str) -> Audio:
    return Audio((samples_of(text) / 32768).astype(np.float32), RATE)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "worker.log"


def _process(log: Path | None = None, *, limit: float = 20.0, **options: Any) -> ModelProcess:
    spec = LoadSpec("builtin", options={**toy_engine.Toy.options, **options})
    return ModelProcess(ENGINE, spec, time_limit=limit, log=log)


def _worker(process: ModelProcess) -> psutil.Process:
    """The process that the model runs in; sessions of other tests run beside it."""
    assert isinstance(process._transport, _Gateway)
    return process._transport._process


def _is_over(worker: psutil.Process) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def oracle() -> Iterator[ModelProcess]:
    process = _process()
    process.load()
    yield process
    process.close()


def test_hears_in_a_process_of_its_own(oracle: ModelProcess) -> None:
    timed = oracle.transcribe(_audio("turn on the lights, été"))
    assert timed.result.text == "turn on the lights, été"
    assert 0 < timed.seconds < 5
    assert oracle.load_seconds > 0


def test_time_is_the_engines_alone() -> None:
    process = _process(sleep=0.2)
    process.load()
    start = time.perf_counter()
    timed = process.transcribe(_audio("a"))
    around = time.perf_counter() - start
    process.close()
    assert 0.2 <= timed.seconds <= around


def test_same_answers_without_isolation() -> None:
    spec = LoadSpec("builtin", options=toy_engine.Toy.options)
    process = ModelProcess(ENGINE, spec, isolated=False)
    process.load()
    assert process.transcribe(_audio("hello")).result.text == "hello"
    process.close()


@pytest.mark.parametrize(
    ("mode", "kind", "says", "survives"),
    [
        ("raises", "raised", "RuntimeError: toy trouble", True),
        ("none", "wrong_type", "gave None", True),
        ("number", "wrong_type", "a Transcript with text is expected", True),
        ("sys-exit", "exited", "SystemExit", True),
        ("exits", "exited", "exit status 3", False),
        ("segfaults", "crashed", "SIGSEGV", False),
    ],
)
def test_faults(log: Path, mode: str, kind: str, says: str, survives: bool) -> None:
    process = _process(log, mode=mode, on="bad")
    process.load()
    assert process.transcribe(_audio("good")).result.text == "good"
    with pytest.raises(WorkerError) as caught:
        process.transcribe(_audio("bad"))
    assert caught.value.kind == kind
    assert says in str(caught.value)
    assert process.alive is survives
    if survives:
        assert process.transcribe(_audio("good")).result.text == "good"
    else:
        assert str(log) in str(caught.value)
        process.load()
        assert process.transcribe(_audio("good")).result.text == "good"
    process.close()


def test_crash_leaves_the_stack_in_the_log(log: Path) -> None:
    process = _process(log, mode="segfaults", on="bad")
    process.load()
    with pytest.raises(WorkerError):
        process.transcribe(_audio("bad"))
    assert "Segmentation fault" in log.read_text()
    assert "_fault" in log.read_text()


def test_hang_is_killed(log: Path) -> None:
    process = _process(log, limit=1.0, mode="hangs", on="bad")
    process.load()
    worker = _worker(process)
    assert worker.is_running()
    with pytest.raises(WorkerError, match="no answer to 'transcribe' within 1 s") as caught:
        process.transcribe(_audio("bad"))
    assert caught.value.kind == "hung"
    assert _is_over(worker)
    with pytest.raises(WorkerError, match="not running"):
        process.transcribe(_audio("good"))


@pytest.mark.parametrize(
    ("mode", "kind", "says"),
    [("unloadable", "refused", "toy checkpoint is broken"), ("dies-loading", "exited", "status 7")],
)
def test_loading_fails(mode: str, kind: str, says: str) -> None:
    process = _process(mode=mode)
    with pytest.raises(WorkerError, match=says) as caught:
        process.load()
    assert caught.value.kind == kind
    process.close()


def test_close_ends_the_process() -> None:
    process = _process()
    process.load()
    worker = _worker(process)
    assert worker.is_running()
    process.close()
    assert _is_over(worker)


def test_peak_memory_sees_what_is_gone_again() -> None:
    meter = MemoryMeter()
    meter.reset()
    before = meter.peak().bytes
    block = np.ones(40_000_000)  # 320 MB, touched
    del block
    assert meter.peak().bytes - before > 300e6
    meter.reset()
    if os.access("/proc/self/clear_refs", os.W_OK):
        assert meter.peak().bytes - before < 100e6


def test_peak_memory_of_a_model_is_its_own(oracle: ModelProcess) -> None:
    block = np.ones(40_000_000)
    oracle.transcribe(_audio("a"))
    assert oracle.peak_memory().host.bytes < 300e6
    del block


def test_long_audio_arrives_whole(oracle: ModelProcess) -> None:
    """Longer than what travels as a message: it goes through a file, which is gone afterwards."""
    text = "an hour of it"
    samples = np.zeros(3_000_000, np.float32)
    short = _audio(text).samples
    samples[: len(short)] = short
    before = set(Path(tempfile.gettempdir()).glob("model-lab-*"))
    assert oracle.transcribe(Audio(samples, RATE)).result.text == text
    assert set(Path(tempfile.gettempdir()).glob("model-lab-*")) == before


def test_packages_are_the_workers(oracle: ModelProcess) -> None:
    packages = oracle.packages(["numpy", "no_such_module"])
    assert packages.python == platform.python_version()
    assert packages.versions == {"numpy": np.__version__}


def test_worker_gets_the_adapters_alone(tmp_path: Path) -> None:
    """The harness's own packages never come before those of the worker's environment."""
    engine = tmp_path / "nosy.py"
    engine.write_text(
        "import sys\n"
        "from adapters.interface import Adapter, ModelError\n"
        "class Nosy(Adapter):\n"
        "    def load(self, spec):\n"
        f"        raise ModelError('first' if sys.path[0] == {str(ROOT)!r} else 'clean')\n"
        "ADAPTER = Nosy\n"
    )
    process = ModelProcess(EngineRef("nosy", str(engine)), LoadSpec("builtin"))
    with pytest.raises(WorkerError, match=r"^clean$"):
        process.load()
    process.close()
