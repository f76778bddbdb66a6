"""What the worker asks of the device that a model runs on, the same for every kind.

Four functions: is it there, wait until it is done, forget the peak of memory,
tell it. Work on an accelerator is queued, so a clock that is read without waiting
measures the queueing alone.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
from typing import Any, Protocol

from adapters.interface import ModelError
from adapters.meters.peak_memory import PeakMemory


class Accelerator(Protocol):
    """One device of one kind."""

    def check(self) -> None:
        """Raise ModelError where the device cannot be used."""
        ...

    def synchronize(self) -> None:
        """Return when all work given to the device is done."""
        ...

    def reset_peak(self) -> None:
        """Start a new peak at the memory in use now."""
        ...

    def peak(self) -> PeakMemory | None:
        """The most device memory in use since `reset_peak`; None where it has none of its own."""
        ...


def accelerator(device: str, memory: str = "torch") -> Accelerator:
    """The accelerator behind a device name; nothing is imported before it is asked.

    memory: who counts on CUDA: "torch" for engines on torch, "nvml" for others.
    """
    kind, _, index = device.partition(":")
    if kind == "cuda":
        number = int(index or 0)
        return _TorchCuda(number) if memory == "torch" else _OtherCuda(number)
    if kind == "mps":
        return _Mps()
    if kind == "xla":
        return _Xla()
    return _Host()


class _Host:
    """The CPU, or a server elsewhere: nothing is queued here, no memory but the process's."""

    def check(self) -> None:
        return

    def synchronize(self) -> None:
        return

    def reset_peak(self) -> None:
        return

    def peak(self) -> PeakMemory | None:
        return None


class _TorchCuda:
    """CUDA under torch, whose allocator keeps the high-water mark itself."""

    def __init__(self, index: int) -> None:
        self._index = index

    def check(self) -> None:
        import torch

        if not torch.cuda.is_available():
            raise ModelError(
                "this torch cannot use CUDA: it is a CPU build, or older than the driver wants"
            )
        if self._index >= torch.cuda.device_count():
            count = torch.cuda.device_count()
            raise ModelError(f"cuda:{self._index}: torch sees {count} device(s)")

    def synchronize(self) -> None:
        import torch

        torch.cuda.synchronize(self._index)

    def reset_peak(self) -> None:
        import torch

        torch.cuda.reset_peak_memory_stats(self._index)

    def peak(self) -> PeakMemory | None:
        import torch

        # Reserved, not allocated: what the process holds is what nobody else can have.
        return PeakMemory(int(torch.cuda.max_memory_reserved(self._index)), "torch reserved")


class _OtherCuda:
    """CUDA under a library without counters: the driver's own, read after every call.

    Such libraries keep what they once took (CTranslate2 caches blocks), so the
    reading after a call is near the peak within it; the method says what it is.
    """

    def __init__(self, index: int) -> None:
        self._index = index
        self._highest = 0
        self._own = True
        self._before = 0
        self._handle: Any = None

    def check(self) -> None:
        try:
            import pynvml
        except ImportError:
            raise ModelError(
                "the memory of a CUDA device is read with nvidia-ml-py, which is not installed"
            ) from None
        try:
            pynvml.nvmlInit()
            self._handle = pynvml.nvmlDeviceGetHandleByPciBusId(pci_bus_id(self._index))
            self._before = int(pynvml.nvmlDeviceGetMemoryInfo(self._handle).used)
        except pynvml.NVMLError as error:
            raise ModelError(f"cuda:{self._index}: NVML does not know it: {error}") from error

    def synchronize(self) -> None:
        # These engines hand over finished results: there is nothing left to wait for.
        self._highest = max(self._highest, self._used())

    def reset_peak(self) -> None:
        self._highest = self._used()

    def peak(self) -> PeakMemory | None:
        self._highest = max(self._highest, self._used())
        method = "NVML, after each call" if self._own else "NVML, whole device, after each call"
        return PeakMemory(self._highest, method)

    def _used(self) -> int:
        import pynvml

        for process in pynvml.nvmlDeviceGetComputeRunningProcesses(self._handle):
            if process.pid == os.getpid() and process.usedGpuMemory:
                self._own = True
                return int(process.usedGpuMemory)
        # In a container NVML knows the process by another number, if at all.
        self._own = False
        return max(0, int(pynvml.nvmlDeviceGetMemoryInfo(self._handle).used) - self._before)


def pci_bus_id(index: int) -> str:
    """The device that CUDA calls `index`: NVML numbers all, whatever CUDA_VISIBLE_DEVICES says."""
    for library in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver = ctypes.CDLL(library)
        except OSError:
            continue
        name = ctypes.create_string_buffer(32)
        if driver.cuInit(0) == 0 and driver.cuDeviceGetPCIBusId(name, len(name), index) == 0:
            return name.value.decode()
    raise ModelError(f"cuda:{index}: the CUDA driver does not know the device")


class _Mps:
    """Apple's GPU; torch tells what the driver holds now, so it is asked after every call."""

    def __init__(self) -> None:
        self._highest = 0

    def check(self) -> None:
        import torch

        if not torch.backends.mps.is_available():
            raise ModelError("this torch cannot use MPS (macOS 14 and an Apple chip are needed)")

    def synchronize(self) -> None:
        import torch

        torch.mps.synchronize()
        self._highest = max(self._highest, self._used())

    def reset_peak(self) -> None:
        self._highest = self._used()

    def peak(self) -> PeakMemory | None:
        self._highest = max(self._highest, self._used())
        return PeakMemory(self._highest, "MPS driver, after each call")

    @staticmethod
    def _used() -> int:
        import torch

        return int(torch.mps.driver_allocated_memory())


class _Xla:
    """TPUs and others through torch_xla, which is asked for its memory after every call."""

    def __init__(self) -> None:
        self._highest = 0

    def check(self) -> None:
        if importlib.util.find_spec("torch_xla") is None:
            raise ModelError("the device xla needs the package torch_xla, which is not installed")

    def synchronize(self) -> None:
        import torch_xla

        torch_xla.sync(wait=True)
        self._highest = max(self._highest, self._used())

    def reset_peak(self) -> None:
        self._highest = self._used()

    def peak(self) -> PeakMemory | None:
        self._highest = max(self._highest, self._used())
        return PeakMemory(self._highest, "torch_xla, after each call")

    @staticmethod
    def _used() -> int:
        import torch_xla
        import torch_xla.core.xla_model as xla_model

        return int(xla_model.get_memory_info(torch_xla.device())["bytes_used"])
