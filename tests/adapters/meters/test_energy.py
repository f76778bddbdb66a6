"""Energy counters, on folders and modules that stand in for machines that are not here.

They show that each counter is read in its unit, goes round, and is given up where it cannot
be told; not that real counters behave like the stand-ins.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from adapters.interface import ModelError
from adapters.meters import accelerator
from adapters.meters.energy import EnergyMeter, device_name

RANGE = 262_143_328_850  # uJ, as many processors have it


def zone(root: Path, name: str, value: int | str, top: int | None = RANGE) -> Path:
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "energy_uj").write_text(f"{value}\n")
    if top is not None:
        (folder / "max_energy_range_uj").write_text(f"{top}\n")
    return folder


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def meter(root: Path, clock: Clock | None = None) -> EnergyMeter:
    return EnergyMeter("cpu", root, clock or Clock())


def test_packages_are_added_and_their_parts_are_not(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", 1_000_000)
    zone(tmp_path, "intel-rapl:1", 5_000_000)
    zone(tmp_path, "intel-rapl:0:0", 700_000)
    zone(tmp_path, "intel-rapl-mmio:0", 3)
    counter = meter(tmp_path)
    counter.start()
    zone(tmp_path, "intel-rapl:0", 3_500_000)
    zone(tmp_path, "intel-rapl:1", 5_250_000)
    zone(tmp_path, "intel-rapl:0:0", 900_000)
    spent = counter.spent()
    assert spent is not None
    assert (spent.joules, spent.method) == (2.75, "rapl")
    zone(tmp_path, "intel-rapl:1", 6_250_000)
    again = counter.spent()
    assert again is not None
    assert again.joules == 3.75  # since the start, not since it was last asked
    counter.start()
    fresh = counter.spent()
    assert fresh is not None
    assert fresh.joules == 0.0


def test_a_counter_that_went_round(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", RANGE - 2_000_000)
    counter = meter(tmp_path)
    counter.start()
    zone(tmp_path, "intel-rapl:0", 1_000_000)
    spent = counter.spent()
    assert spent is not None
    assert spent.joules == 3.0


def test_one_that_may_have_gone_round_twice_says_nothing(tmp_path: Path) -> None:
    """At 1,000 W the range is used up in 262 s; asked in between, it is known all along."""
    clock = Clock()
    zone(tmp_path, "intel-rapl:0", 0)
    asked, silent = meter(tmp_path, clock), meter(tmp_path, clock)
    asked.start()
    silent.start()
    for step in range(1, 4):
        clock.now += 200.0
        zone(tmp_path, "intel-rapl:0", step * 1_000_000)
        spent = asked.spent()
        assert spent is not None
        assert spent.joules == step
    assert silent.spent() is None
    clock.now += 1.0
    assert silent.spent() is None  # what was missed does not come back
    silent.start()
    assert silent.spent() is not None


@pytest.mark.parametrize("broken", ["nothing", "no range", "one zone", "text", "gone"])
def test_what_cannot_be_read_is_none(tmp_path: Path, broken: str) -> None:
    counter = meter(tmp_path)
    if broken != "nothing":
        zone(tmp_path, "intel-rapl:0", 9_000_000, None if broken == "no range" else RANGE)
    if broken == "one zone":  # as where one is not ours to read
        zone(tmp_path, "intel-rapl:1", 1)
        (tmp_path / "intel-rapl:1" / "energy_uj").unlink()
    if broken == "text":
        zone(tmp_path, "intel-rapl:0", "many")
    counter.start()
    if broken == "no range":
        zone(tmp_path, "intel-rapl:0", 1, None)
    if broken == "gone":
        (tmp_path / "intel-rapl:0" / "energy_uj").unlink()
    assert counter.spent() is None


@pytest.mark.parametrize("device", ["mps", "xla", "remote"])
def test_devices_without_a_counter(device: str, tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", 1)
    counter = EnergyMeter(device, tmp_path)
    counter.start()
    assert counter.spent() is None
    assert device_name(device) is None


def test_not_started_is_none(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", 1)
    assert meter(tmp_path).spent() is None


class FakeNvml(ModuleType):
    """NVML of a machine whose boards are known by their PCI bus id."""

    class NVMLError(Exception):
        pass

    def __init__(self) -> None:
        super().__init__("pynvml")
        self.millijoules = 5_000_000
        self.supported = True

    def nvmlInit(self) -> None:
        return

    def nvmlDeviceGetHandleByPciBusId(self, bus: str) -> str:
        if not bus.startswith("bus"):
            raise self.NVMLError("not found")
        return bus

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: str) -> int:
        assert handle == "bus 1"
        if not self.supported:
            raise self.NVMLError("not supported")
        return self.millijoules

    def nvmlDeviceGetName(self, handle: str) -> bytes:
        return b"NVIDIA L4"


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    fake = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.setattr(accelerator, "pci_bus_id", lambda index: f"bus {index}")
    return fake


def test_a_board_counts_millijoules(nvml: FakeNvml) -> None:
    counter = EnergyMeter("cuda:1")
    counter.start()
    nvml.millijoules += 1_250
    spent = counter.spent()
    assert spent is not None
    assert (spent.joules, spent.method) == (1.25, "nvml")
    assert device_name("cuda:1") == "NVIDIA L4"
    nvml.millijoules = 3  # the driver was reloaded
    assert counter.spent() is None


def test_boards_that_tell_nothing(nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch) -> None:
    nvml.supported = False
    counter = EnergyMeter("cuda:1")
    counter.start()
    assert counter.spent() is None

    def unknown(index: int) -> str:
        raise ModelError("the CUDA driver does not know the device")

    monkeypatch.setattr(accelerator, "pci_bus_id", unknown)
    nvml.supported = True
    counter = EnergyMeter("cuda:1")
    counter.start()
    assert counter.spent() is None
    assert device_name("cuda") is None


def test_without_nvml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)  # importing it is an ImportError
    counter = EnergyMeter("cuda:0")
    counter.start()
    assert counter.spent() is None
    assert device_name("cuda:0") is None
