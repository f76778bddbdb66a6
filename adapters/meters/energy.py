"""The energy that a device used while a model worked, from the counters of NVML and RAPL.

Both count since the machine or driver started, whoever used it: an NVIDIA board as a whole, a
CPU package with all of its cores. So a figure has what else ran there in it, and what the
device draws when idle; it is the model's own where the device did nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

#: Linux's power capping framework. Since 2020 its counters are root's alone on most systems.
POWERCAP = Path("/sys/class/powercap")
#: The highest plausible draw of one package in W, to know when a counter may have gone round
#: more than once: the largest servers' are at 500 W.
_MOST_WATTS = 1000.0


@dataclass(frozen=True, slots=True)
class Energy:
    """Joules since the meter was started, and who counted: "nvml" or "rapl"."""

    joules: float
    method: str


class _Counter(Protocol):
    method: str

    def start(self) -> bool:
        """Begin; false where the counter cannot be read."""
        ...

    def joules(self) -> float | None:
        """Since `start`; None where that cannot be told."""
        ...


class EnergyMeter:
    """Start it, let the model work, ask it. Never raises: energy is no reason to fail.

    Counters move in steps (RAPL of a millisecond, NVML of some hundredths of a second), too coarse
    for one short call; the error is as often too much as too little, so that sums over many hold.
    A CPU's counter goes round: ask at least every four minutes, or there is no figure.

    device: as in a placement ("cpu", "cuda:0", ...). Of an accelerator the board is counted,
    not the CPU beside it; a kind without a counter (mps, xla, remote) has none.
    """

    def __init__(
        self,
        device: str,
        powercap: Path = POWERCAP,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        kind, _, index = device.partition(":")
        self._counter: _Counter | None = None
        if kind == "cuda":
            self._counter = _Nvml(int(index or 0))
        elif kind == "cpu":
            self._counter = _Rapl(powercap, clock)
        self._running = False

    def start(self) -> None:
        """Count from now on."""
        self._running = self._counter is not None and self._counter.start()

    def spent(self) -> Energy | None:
        """Since the last start, which goes on; None where nothing can be read."""
        if self._counter is None or not self._running:
            return None
        joules = self._counter.joules()
        return None if joules is None else Energy(joules, self._counter.method)


class _Nvml:
    """The board's counter in mJ, which there is from Volta on (2017)."""

    method = "nvml"

    def __init__(self, index: int) -> None:
        self._index = index
        self._handle: Any = None
        self._start = 0

    def start(self) -> bool:
        if self._handle is None:
            self._handle = nvml_handle(self._index)
        begun = self._read()
        self._start = begun or 0
        return begun is not None

    def joules(self) -> float | None:
        now = self._read()
        # Less than before: the driver was reloaded in between.
        return None if now is None or now < self._start else (now - self._start) / 1e3

    def _read(self) -> int | None:
        if self._handle is None:
            return None
        import pynvml

        try:
            return int(pynvml.nvmlDeviceGetTotalEnergyConsumption(self._handle))
        except pynvml.NVMLError:
            return None


class _Rapl:
    """The packages' counters in uJ, each of which starts again from 0 at its own range.

    Subzones (intel-rapl:0:0: cores, memory) are parts of their package and not added.
    AMD's packages are in the same folder under the same names.
    """

    method = "rapl"

    def __init__(self, root: Path, clock: Callable[[], float]) -> None:
        self._zones = _packages(root)  # they do not come and go, and looking takes long
        self._clock = clock
        self._total = 0
        self._last: Mapping[Path, int] = {}
        self._read_at = 0.0
        self._lost = False

    def start(self) -> bool:
        self._total, self._lost = 0, False
        self._read_at, self._last = self._clock(), self._read()
        return bool(self._last)

    def joules(self) -> float | None:
        now, at = self._read(), self._clock()
        if self._lost or set(now) != set(self._last):
            return None
        for zone, before in self._last.items():
            used = now[zone] - before
            top = _number(zone / "max_energy_range_uj")
            # One that may have gone round more than once has counted nobody knows what.
            if (top is None and used < 0) or (
                top is not None and (at - self._read_at) * _MOST_WATTS * 1e6 > top
            ):
                self._lost = True
                return None
            self._total += used + (top or 0 if used < 0 else 0)
        self._last, self._read_at = now, at
        return self._total / 1e6

    def _read(self) -> Mapping[Path, int]:
        found: dict[Path, int] = {}
        for zone in self._zones:
            value = _number(zone / "energy_uj")
            if value is None:
                return {}  # a part of the machine is no figure of the machine
            found[zone] = value
        return found


def _packages(root: Path) -> list[Path]:
    try:
        return [zone for zone in sorted(root.glob("intel-rapl:*")) if zone.name.count(":") == 1]
    except OSError:
        return []


def device_name(device: str) -> str | None:
    """What an NVIDIA device is called ("NVIDIA L4"); None for other kinds, or where unknown."""
    kind, _, index = device.partition(":")
    if kind != "cuda":
        return None
    handle = nvml_handle(int(index or 0))
    if handle is None:
        return None
    import pynvml

    try:
        name = pynvml.nvmlDeviceGetName(handle)
    except pynvml.NVMLError:
        return None
    return name.decode() if isinstance(name, bytes) else str(name)


def nvml_handle(index: int) -> Any:
    """NVML's handle of the device that CUDA calls `index`; None where there is none."""
    from adapters.interface import ModelError
    from adapters.meters.accelerator import pci_bus_id

    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        return pynvml.nvmlDeviceGetHandleByPciBusId(pci_bus_id(index))
    except (pynvml.NVMLError, ModelError):
        return None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
