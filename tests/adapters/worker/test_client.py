"""Every way in which a model can misbehave, each told apart, none taking the harness along."""

from __future__ import annotations

import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest

from adapters.catalog.engine import EngineRef
from adapters.interface import Audio, LoadSpec
from adapters.worker.client import ModelProcess
from adapters.worker.out_of_memory import is_out_of_memory
from adapters.worker.parent_watch import deaf_children
from adapters.worker.process import WorkerProcess
from adapters.worker.results import WorkerError
from tests.support import toy_engine
from tests.support.toy_engine import RATE, samples_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
ENGINE = EngineRef("toy_engine", toy_engine.__file__)


def _audio(text: str) -> Audio:
    return Audio((samples_of(text) / 32768).astype(np.float32), RATE)


def _audios(*texts: str) -> list[Audio]:
    return [_audio(text) for text in texts]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "worker.log"


def _process(
    log: Path | None = None, *, limit: float = 20.0, isolated: bool = True, **options: Any
) -> ModelProcess:
    spec = LoadSpec("builtin", options={**toy_engine.Toy.options, **options})
    return ModelProcess(ENGINE, spec, time_limit=limit, log=log, isolated=isolated)


def _worker(process: ModelProcess) -> psutil.Process:
    """The process that the model runs in; sessions of other tests run beside it."""
    assert isinstance(process._transport, WorkerProcess)
    return psutil.Process(process._transport.pid)


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
    with pytest.raises(WorkerError, match="not running: no answer to 'transcribe' within 1 s"):
        process.transcribe(_audio("good"))


def test_what_the_harness_asks_for_itself_is_not_held_to_the_models_limit(tmp_path: Path) -> None:
    """To list the packages of a large environment takes seconds, and is not the model's doing."""
    engine = tmp_path / "crowded.py"
    engine.write_text(
        "import importlib.metadata, time\n"
        "from adapters.interface import Adapter, Transcript\n"
        "class Crowded(Adapter):\n"
        "    def load(self, spec):\n"
        "        importlib.metadata.distributions = lambda: time.sleep(2.5) or []\n"
        "    def transcribe(self, audio):\n"
        "        return Transcript('heard')\n"
        "ADAPTER = Crowded\n"
    )
    spec = LoadSpec("builtin")
    process = ModelProcess(
        EngineRef("crowded", str(engine)), spec, time_limit=2.0, load_time_limit=20.0
    )
    process.load()
    assert process.packages(["numpy"]).versions == {}
    assert process.transcribe(_audio("a")).result.text == "heard"
    process.close()


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


def test_loading_has_a_limit_of_its_own() -> None:
    spec = LoadSpec("builtin", options={**toy_engine.Toy.options, "mode": "hangs-loading"})
    process = ModelProcess(ENGINE, spec, time_limit=60.0, load_time_limit=0.5)
    with pytest.raises(WorkerError, match=r"'load' within 0.5 s.*--load-time-limit") as caught:
        process.load()
    assert caught.value.kind == "hung"
    assert not process.alive


def test_a_batch_is_one_call() -> None:
    process = _process(batch_size=3, sleep=0.05)
    assert process.batch_size == 1  # not known before it is loaded
    process.load()
    assert process.batch_size == 3
    timed = process.transcribe_batch(_audios("one", "", "three of them"))
    assert [transcript.text for transcript in timed.result] == ["one", "", "three of them"]
    assert timed.seconds >= 3 * 0.05
    assert process.transcribe(_audio("alone")).result.text == "alone"
    process.close()


def test_long_batches_arrive_whole(oracle: ModelProcess) -> None:
    """Longer together than what travels as a message, and of different lengths."""
    audios = _audios("first", "second", "third")
    audios[1] = Audio(np.pad(audios[1].samples, (0, 3_000_000)), RATE)
    before = set(Path(tempfile.gettempdir()).glob("model-lab-*"))
    heard = oracle.transcribe_batch(audios).result
    assert [transcript.text for transcript in heard] == ["first", "second", "third"]
    assert set(Path(tempfile.gettempdir()).glob("model-lab-*")) == before


@pytest.mark.parametrize(
    ("mode", "kind", "says"),
    [
        ("raises", "raised", "RuntimeError: toy trouble"),
        ("none", "wrong_type", "a Transcript with text is expected"),
        ("loses", "wrong_type", "gave 2 transcripts for 3 utterances"),
    ],
)
def test_a_batch_with_a_fault_is_lost_alone(mode: str, kind: str, says: str) -> None:
    process = _process(mode=mode, on="bad", batch_size=3, isolated=False)
    process.load()
    with pytest.raises(WorkerError, match=says) as caught:
        process.transcribe_batch(_audios("good", "bad", "better"))
    assert caught.value.kind == kind
    assert process.transcribe(_audio("good")).result.text == "good"
    process.close()


def test_engines_without_batches_refuse_them(tmp_path: Path) -> None:
    engine = tmp_path / "single.py"
    engine.write_text(
        "from adapters.interface import Adapter, Transcript\n"
        "class Single(Adapter):\n"
        "    def load(self, spec):\n"
        "        pass\n"
        "    def transcribe(self, audio):\n"
        "        return Transcript('heard')\n"
        "ADAPTER = Single\n"
    )
    process = ModelProcess(EngineRef("single", str(engine)), LoadSpec("builtin"), isolated=False)
    process.load()
    assert process.batch_size == 1
    with pytest.raises(WorkerError, match=r"Single has no transcribe_batch\(\)") as caught:
        process.transcribe_batch(_audios("a", "b"))
    assert caught.value.kind == "refused"
    process.close()


@pytest.mark.parametrize(
    ("memory", "says"),
    [
        ("torch", "CUDA out of memory"),
        ("python", "MemoryError"),
        ("refusal", "the toy cannot hear so much"),
    ],
)
def test_out_of_memory_is_told_apart_and_survived(memory: str, says: str) -> None:
    process = _process(batch_size=4, room=2, memory=memory, isolated=memory == "torch")
    process.load()
    with pytest.raises(WorkerError, match=says) as caught:
        process.transcribe_batch(_audios("a", "b", "c"))
    assert caught.value.kind == "out_of_memory"
    assert process.alive
    heard = process.transcribe_batch(_audios("a", "b")).result
    assert [transcript.text for transcript in heard] == ["a", "b"]
    process.close()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("CUDA failed with error out of memory"), True),
        (RuntimeError("cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED"), True),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
            True,
        ),
        (RuntimeError("Failed to allocate memory for requested buffer of size 123"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 5 GB)"), True),
        (RuntimeError("std::bad_alloc"), True),
        (type("OutOfMemoryError", (RuntimeError,), {})("no words"), True),
        (MemoryError(), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (ValueError("memory of a goldfish"), False),
    ],
)
def test_what_libraries_say_of_memory(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected
    wrapped = RuntimeError("cannot load")
    wrapped.__cause__ = error
    assert is_out_of_memory(wrapped) is expected


def test_what_torch_keeps_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the exception is gone, and of the devices that are there."""
    given_back: list[str] = []

    def device(kind: str, there: bool) -> SimpleNamespace:
        return SimpleNamespace(
            is_available=lambda: there, empty_cache=lambda: given_back.append(kind)
        )

    mps = device("mps", there=False)
    torch = SimpleNamespace(
        cuda=device("cuda", there=True), mps=mps, backends=SimpleNamespace(mps=mps)
    )
    process = _process(batch_size=2, room=1, isolated=False)
    process.load()
    monkeypatch.setitem(sys.modules, "torch", torch)
    with pytest.raises(WorkerError, match="out of memory"):
        process.transcribe_batch(_audios("a", "b"))
    assert given_back == ["cuda"]
    process.close()


def test_ctrl_c_is_the_harness_s(log: Path) -> None:
    """The terminal sends it to the worker too, which goes on all the same."""
    process = _process(log, sleep=0.5)
    process.load()
    worker = _worker(process)
    threading.Timer(0.2, worker.send_signal, [signal.SIGINT]).start()
    assert process.transcribe(_audio("a")).result.text == "a"
    assert process.transcribe(_audio("b")).result.text == "b"
    process.close()
    assert "KeyboardInterrupt" not in log.read_text()


def test_a_worker_never_gets_ctrl_c_from_its_first_moment() -> None:
    with deaf_children():
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    child.send_signal(signal.SIGINT)
    child.communicate(b"\n", timeout=30)
    assert child.returncode == 0


def test_an_interrupted_call_ends_its_worker() -> None:
    """Its answer would be taken for that of the next call, and closing would wait for it."""
    process = _process(mode="hangs", on="bad", limit=600.0)
    process.load()
    worker = _worker(process)
    main = threading.main_thread().ident
    assert main is not None
    threading.Timer(0.3, signal.pthread_kill, [main, signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        process.transcribe(_audio("bad"))
    assert _is_over(worker)
    assert not process.alive
    process.close()


def test_ctrl_c_while_a_worker_starts_leaves_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes meanwhile is delivered when the process is there."""

    @contextmanager
    def interrupted() -> Iterator[None]:
        yield
        raise KeyboardInterrupt

    monkeypatch.setattr("adapters.worker.parent_watch.deaf_children", interrupted)
    before = set(psutil.Process().children())
    with pytest.raises(KeyboardInterrupt):
        _process().load()
    assert set(psutil.Process().children()) <= before


#: A harness whose model hangs in a call with the interpreter's lock held.
_HARNESS = """
import sys, threading
sys.path.insert(0, {root!r})
from pathlib import Path
from tests.adapters.worker.test_client import _audio, _process, _worker
process = _process(Path({log!r}), mode={mode!r}, on="bad", limit=600.0)
if {thread}:
    loading = threading.Thread(target=process.load)
    loading.start()
    loading.join()
else:
    process.load()
assert process.transcribe(_audio("good")).result.text == "good"
print(_worker(process).pid, flush=True)
process.transcribe(_audio("bad"))
"""


@pytest.mark.parametrize(("mode", "thread"), [("seizes", False), ("hangs", True)])
def test_workers_do_not_outlive_a_killed_harness(log: Path, mode: str, thread: bool) -> None:
    """In the middle of a call, whichever thread of the harness started it."""
    program = _HARNESS.format(root=str(ROOT), log=str(log), mode=mode, thread=thread)
    harness = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert harness.stdout is not None
    worker = psutil.Process(int(harness.stdout.readline()))
    if mode == "seizes":
        _wait_for("seized", log)
    assert worker.is_running()
    harness.kill()
    harness.wait()
    harness.stdout.close()
    assert _is_over(worker)


def _wait_for(word: str, file: Path) -> None:
    deadline = time.monotonic() + 30
    while word not in file.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("by_kernel", [True, False])
def test_a_worker_whose_harness_is_gone_already_ends(by_kernel: bool) -> None:
    """Killed in the moment between the start of the worker and its first question."""
    program = (
        f"import sys, time; sys.path.insert(0, {str(ROOT)!r})\n"
        "from adapters.worker.parent_watch import tie_to\n"
        f"tie_to(2**22 + 1, by_kernel={by_kernel})\n"
        "time.sleep(60)"
    )
    done = subprocess.run([sys.executable, "-c", program], timeout=50, check=False)
    assert done.returncode == 1


def test_close_ends_the_process() -> None:
    process = _process()
    process.load()
    worker = _worker(process)
    assert worker.is_running()
    process.close()
    assert _is_over(worker)


def test_peak_memory_sees_what_is_gone_again() -> None:
    """In a process of its own: one that has run other tests has memory to spare."""
    script = """
import os
import numpy as np
from adapters.meters.peak_memory import MemoryMeter

meter = MemoryMeter()
meter.reset()
before = meter.peak().bytes
block = np.ones(40_000_000)  # 320 MB, touched
del block
print(meter.peak().bytes - before)
meter.reset()
print(meter.peak().bytes - before if os.access("/proc/self/clear_refs", os.W_OK) else 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    taken, left = map(int, done.stdout.split())
    assert taken > 300e6
    assert left < 100e6


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
