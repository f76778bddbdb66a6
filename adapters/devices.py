"""Which devices this machine has, and which of them a model runs on."""

from __future__ import annotations

import ctypes
import importlib.util
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

KINDS = ("cuda", "mps", "xla", "cpu")
_FORM = re.compile(r"auto|cpu|mps|xla|cuda(:\d+)?")


class DeviceError(ValueError):
    """The device asked for is not one, or is not there."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a model runs, and why it is not where the user asked, if so."""

    device: str
    note: str | None = None


def check(requested: str) -> None:
    """Raise DeviceError unless this machine has the device (`auto` and `cpu` always are)."""
    if not _FORM.fullmatch(requested):
        raise DeviceError(
            f"--device {requested}: not a device; use auto, cpu, cuda, cuda:N, mps or xla"
        )
    kind, _, index = requested.partition(":")
    if kind in ("auto", "cpu"):
        return
    count = device_count(kind)
    if count == 0:
        there = ", ".join(k for k in KINDS if device_count(k)) or "cpu"
        raise DeviceError(
            f"--device {requested}: this machine has no {kind} device; it has {there}"
        )
    if index and int(index) >= count:
        raise DeviceError(
            f"--device {requested}: this machine has {count} cuda device(s), numbered from 0"
        )


def place(requested: str, supported: Sequence[str], engine: str, worker: int = 0) -> Placement:
    """The device that an engine supporting `supported` kinds gets for a checked request.

    worker: which of the processes that share this machine asks, from 0: where the request
    leaves it open which CUDA device, each gets the next one, and the first again after the last.
    """
    if "remote" in supported:
        return Placement("remote")  # wherever its server runs, which --device has no say in
    kind = requested.partition(":")[0]
    if kind == "auto":
        for candidate in KINDS:
            if candidate in supported and device_count(candidate):
                return Placement(_own(candidate, worker))
        return Placement("cpu")
    if kind not in supported:
        return Placement("cpu", f"{engine} cannot use {kind}; it ran on cpu")
    return Placement(_own(requested, worker))


def _own(device: str, worker: int) -> str:
    """`cuda` with the number of the worker's own device; anything else is one already."""
    return f"cuda:{worker % device_count('cuda')}" if device == "cuda" else device


@cache
def device_count(kind: str) -> int:
    """How many devices of a kind there are, found without importing an engine."""
    if kind == "cpu":
        return 1
    if kind == "cuda":
        return _cuda_devices()
    if kind == "mps":
        return int(platform.system() == "Darwin" and platform.machine() == "arm64")
    if kind == "xla":
        return int(importlib.util.find_spec("torch_xla") is not None)
    return 0


def _cuda_devices() -> int:
    # The driver itself is asked: it honours CUDA_VISIBLE_DEVICES and costs no torch import.
    for library in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver = ctypes.CDLL(library)
        except OSError:
            continue
        count = ctypes.c_int(0)
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0:
            return count.value
    return 0
