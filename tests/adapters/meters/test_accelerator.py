"""Devices' memory and queues, on stand-ins for libraries of machines that are not here.

They show that each counter is asked, in the right order and units; not that the real
libraries behave like the stand-ins.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from adapters.interface import ModelError
from adapters.meters import accelerator as accelerators
from adapters.meters.accelerator import accelerator
from adapters.worker.server import Worker
from tests.support import streaming_engine

MIB = 2**20


def _module(monkeypatch: pytest.MonkeyPatch, name: str, **content: Any) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(content)
    module.__spec__ = SimpleNamespace(name=name)  # type: ignore[assignment]  # for find_spec
    monkeypatch.setitem(sys.modules, name, module)
    return module


class FakeCuda:
    """torch.cuda of a machine with two devices, which notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.reserved = 0

    def is_available(self) -> bool:
        return True

    def device_count(self) -> int:
        return 2

    def synchronize(self, index: int) -> None:
        self.asked.append(f"synchronize {index}")

    def reset_peak_memory_stats(self, index: int) -> None:
        self.asked.append(f"reset {index}")
        self.reserved = 0

    def max_memory_reserved(self, index: int) -> int:
        return self.reserved


def test_cpu_has_no_memory_of_its_own() -> None:
    device = accelerator("cpu")
    device.check()
    device.synchronize()
    device.reset_peak()
    assert device.peak() is None
    assert accelerator("remote").peak() is None


def test_cuda_under_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = FakeCuda()
    _module(monkeypatch, "torch", cuda=cuda)
    device = accelerator("cuda:1")
    device.check()
    cuda.reserved = 7 * MIB
    peak = device.peak()
    assert peak is not None
    assert (peak.bytes, peak.method) == (7 * MIB, "torch reserved")
    device.synchronize()
    device.reset_peak()
    assert cuda.asked == ["synchronize 1", "reset 1"]
    with pytest.raises(ModelError, match="cuda:2: torch sees 2"):
        accelerator("cuda:2").check()


def test_torch_without_cuda_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _module(monkeypatch, "torch", cuda=SimpleNamespace(is_available=lambda: False))
    with pytest.raises(ModelError, match="this torch cannot use CUDA"):
        accelerator("cuda:0").check()


def test_mps_keeps_the_highest_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([5, 9, 3, 2])
    mps = SimpleNamespace(synchronize=lambda: None, driver_allocated_memory=lambda: next(readings))
    backends = SimpleNamespace(mps=SimpleNamespace(is_available=lambda: True))
    _module(monkeypatch, "torch", mps=mps, backends=backends)
    device = accelerator("mps")
    device.check()
    device.synchronize()
    device.synchronize()
    peak = device.peak()
    assert peak is not None
    assert peak.bytes == 9
    device.reset_peak()


def test_xla_without_its_package_is_refused() -> None:
    with pytest.raises(ModelError, match="needs the package torch_xla"):
        accelerator("xla").check()


def test_xla(monkeypatch: pytest.MonkeyPatch) -> None:
    used = iter([10, 30, 20])
    asked: list[bool] = []
    model = SimpleNamespace(get_memory_info=lambda device: {"bytes_used": next(used)})
    core = _module(monkeypatch, "torch_xla.core", xla_model=model)
    _module(monkeypatch, "torch_xla.core.xla_model", **vars(model))
    _module(
        monkeypatch,
        "torch_xla",
        core=core,
        sync=lambda wait: asked.append(wait),
        device=lambda: "xla:0",
    )
    device = accelerator("xla")
    device.check()
    device.synchronize()
    device.synchronize()
    assert asked == [True, True]
    peak = device.peak()
    assert peak is not None
    assert peak.bytes == 30


class FakeNvml:
    """pynvml of a machine whose device holds 1 GiB of others' memory."""

    NVMLError = RuntimeError

    def __init__(self, *, sees_processes: bool) -> None:
        self.mine = 0
        self._sees = sees_processes

    def nvmlInit(self) -> None:
        return

    def nvmlDeviceGetHandleByPciBusId(self, name: str) -> str:
        return name

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> Any:
        return SimpleNamespace(used=1024 * MIB + self.mine)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: str) -> list[Any]:
        others = [SimpleNamespace(pid=1, usedGpuMemory=1024 * MIB)]
        own = SimpleNamespace(pid=os.getpid(), usedGpuMemory=self.mine)
        return [*others, own] if self._sees else others


@pytest.mark.parametrize(
    ("sees", "method"),
    [(True, "NVML, after each call"), (False, "NVML, whole device, after each call")],
)
def test_cuda_without_torch(monkeypatch: pytest.MonkeyPatch, sees: bool, method: str) -> None:
    """The process's own memory, or in a container what the device holds since it began."""
    nvml = FakeNvml(sees_processes=sees)
    names = [name for name in dir(nvml) if name.startswith("nvml") or name == "NVMLError"]
    _module(monkeypatch, "pynvml", **{name: getattr(nvml, name) for name in names})
    monkeypatch.setattr(accelerators, "pci_bus_id", lambda index: f"0000:0{index}:00.0")
    device = accelerator("cuda:0", "nvml")
    device.check()
    nvml.mine = 300 * MIB
    device.synchronize()
    nvml.mine = 200 * MIB
    peak = device.peak()
    assert peak is not None
    assert (peak.bytes, peak.method) == (300 * MIB, method)
    device.reset_peak()
    peak = device.peak()
    assert peak is not None
    assert peak.bytes == 200 * MIB


def test_without_nvml_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(ModelError, match="nvidia-ml-py, which is not installed"):
        accelerator("cuda:0", "nvml").check()


def test_worker_waits_for_the_device_before_it_reads_the_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Work is queued: unless it is waited for, a call seems to take no time."""
    cuda = FakeCuda()
    _module(monkeypatch, "torch", cuda=cuda)
    worker = Worker()
    file = str(Path(streaming_engine.__file__))
    options = dict(streaming_engine.Streaming.options) | {"pause": 0.0}
    spec = {"checkpoint": "builtin", "device": "cuda:1", "options": options}
    answer = worker.handle({"op": "load", "engine": "x", "file": file, "spec": spec})
    assert "error" not in answer, answer
    assert answer["device"] == (0, "torch reserved")
    cuda.asked.clear()
    answer = worker.handle(
        {"op": "transcribe", "samples": b"\0" * 64, "sounds": [(16, 16000, None)]}
    )
    assert answer["text"] == "16 samples"
    # Before the call, at the first token, at the end.
    assert cuda.asked == ["synchronize 1"] * 3
