"""Devices: what is asked for, what is there, and what an engine can use."""

from __future__ import annotations

import pytest

from adapters import devices
from adapters.devices import DeviceError, Placement, check, place


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """A machine with the devices that a test says."""
    there = {"cpu": 1}
    monkeypatch.setattr(devices, "device_count", lambda kind: there.get(kind, 0))
    return there


@pytest.mark.parametrize("requested", ["auto", "cpu"])
def test_always_there(machine: dict[str, int], requested: str) -> None:
    check(requested)


@pytest.mark.parametrize(
    ("requested", "says"),
    [
        ("tpu", "not a device"),
        ("cuda:", "not a device"),
        ("cuda", "no cuda device; it has cpu"),
        ("cuda:1", "no cuda device"),
        ("mps", "no mps device"),
        ("xla", "no xla device"),
    ],
)
def test_what_is_not_there_is_refused(machine: dict[str, int], requested: str, says: str) -> None:
    with pytest.raises(DeviceError, match=says):
        check(requested)


def test_index_past_the_last(machine: dict[str, int]) -> None:
    machine["cuda"] = 2
    check("cuda:1")
    with pytest.raises(DeviceError, match=r"has 2 cuda device\(s\)"):
        check("cuda:2")


@pytest.mark.parametrize(
    ("there", "requested", "supported", "expected"),
    [
        ([], "auto", ("cuda", "cpu"), Placement("cpu")),
        (["cuda"], "auto", ("cuda", "cpu"), Placement("cuda:0")),
        (["cuda", "mps"], "auto", ("cpu", "mps"), Placement("mps")),
        (["cuda"], "auto", ("cpu",), Placement("cpu")),
        (["cuda"], "cuda", ("cuda", "cpu"), Placement("cuda:0")),
        (["cuda"], "cuda:1", ("cuda", "cpu"), Placement("cuda:1")),
        (["cuda"], "cuda", ("remote",), Placement("remote")),
        (["mps"], "mps", ("cuda", "cpu"), Placement("cpu", "toy cannot use mps; it ran on cpu")),
    ],
)
def test_placement(
    machine: dict[str, int],
    there: list[str],
    requested: str,
    supported: tuple[str, ...],
    expected: Placement,
) -> None:
    machine.update(dict.fromkeys(there, 2))
    assert place(requested, supported, "toy") == expected


@pytest.mark.parametrize(
    ("requested", "devices"),
    [
        ("auto", ["cuda:0", "cuda:1", "cuda:0"]),
        ("cuda", ["cuda:0", "cuda:1", "cuda:0"]),
        ("cuda:1", ["cuda:1", "cuda:1", "cuda:1"]),
        ("cpu", ["cpu", "cpu", "cpu"]),
    ],
)
def test_workers_have_devices_of_their_own(
    machine: dict[str, int], requested: str, devices: list[str]
) -> None:
    machine["cuda"] = 2
    placed = [place(requested, ("cuda", "cpu"), "toy", worker) for worker in range(3)]
    assert placed == [Placement(device) for device in devices]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--threads", "0"], "--threads: at least 1"),
        (["--time-limit", "-1"], "--time-limit: a positive number"),
        (["--time-limit", "nan"], "--time-limit: a positive number"),
        (["--load-time-limit", "0"], "--load-time-limit: a positive number"),
    ],
)
def test_impossible_numbers(pytester: pytest.Pytester, arguments: list[str], says: str) -> None:
    config = pytester.parseconfig("-p", "adapters.plugin", *arguments)
    with pytest.raises(pytest.UsageError, match=says):
        config._do_configure()
