"""Costs by hand: hours, cores, utilisation, minutes, energy, and why a figure is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.catalog.yaml_file import ConfigError
from evals.measures.run_conditions import BUSY, CONTENDED
from evals.measures.speed.energy import energy_use
from evals.records.measurement import Measurement
from reports.scorecard.cost import DEFAULT, Prices, Spent, costs, load
from reports.scorecard.parts import CorpusRecord
from reports.scorecard.scorecard import Cost, ModelRecord, Provenance, Run, Scorecard
from reports.terminal.device_table import device_rows

PRICES = Prices.model_validate(
    {
        "schema_version": 1,
        "currency": "EUR",
        "as_of": "2026-11",
        "source": "our contract",
        "utilisation": 0.4,
        "hardware": {
            "server": {"match": ["*epyc*"], "per": "core", "price_per_hour": 0.05, "watts": 4},
            "small-gpu": {"match": ["nvidia l4"], "per": "device", "price_per_hour": 0.8},
            "board": {"match": [], "per": "device", "watts": 8},
        },
        "api": {"whisper-1": {"price_per_minute": 0.006}},
    }
)


def record(**parts: Any) -> ModelRecord:
    known: dict[str, Any] = {
        "name": "m", "engine": "e", "checkpoint": "x", "checkpoint_sha256": None, "revision": None,
        "tasks": ["asr"], "tier": "candidate", "licence": None, "parameters": None, "options": {},
        "device": "cpu", "device_note": None, "python": None, "packages": {},
    }  # fmt: skip
    return ModelRecord(**{**known, **parts})


def machine(processor: str = "AMD EPYC 7B13", threads: int = 1, cores: int = 8) -> Provenance:
    corpus = CorpusRecord(
        name="c", content_hash="", utterances=9, audio_seconds=1800, language="en"
    )
    return Provenance.model_construct(
        processor=processor, threads=threads, cores=cores, corpora=[corpus]
    )


def rtf(value: float | None = 0.2, **parts: Any) -> Measurement:
    task = parts.pop("task", "asr")
    return Measurement("m", task, "c", "rtf", value, "ratio", 9, "pass", **parts)


def one(
    model: ModelRecord | None = None,
    row: Measurement | None = None,
    where: Provenance | None = None,
    **how: Any,
) -> Cost:
    (cost,) = costs([model or record()], [row or rtf()], where or machine(), PRICES, **how)
    return cost


def test_by_the_core() -> None:
    cost = one(where=machine(threads=2))
    assert (cost.hardware, cost.price_per_hour, cost.utilisation) == ("server", 0.1, 0.4)
    # 0.2 hours of work, in paid hours that are 0.4 work: half an hour at 0.10.
    assert cost.per_audio_hour == pytest.approx(0.05)
    # 1,800 s of audio took 360 s: a tenth of an hour at 0.10.
    assert cost.of_run == pytest.approx(0.01)
    # Two cores of 4 W for 0.2 hours.
    assert cost.watt_hours_per_audio_hour == pytest.approx(1.6)
    assert cost.energy_method == "nominal"
    assert (cost.currency, cost.source, cost.reason) == ("EUR", "our contract, 2026-11", None)


def test_no_more_cores_than_there_are() -> None:
    assert one(where=machine(threads=64, cores=8)).price_per_hour == pytest.approx(0.4)


def test_by_the_device() -> None:
    gpu = record(device="cuda:0", device_name="NVIDIA L4")
    cost = one(gpu, where=machine(threads=4))
    assert (cost.hardware, cost.price_per_hour) == ("small-gpu", 0.8)
    assert cost.per_audio_hour == pytest.approx(0.8 * 0.2 / 0.4)
    assert (cost.watt_hours_per_audio_hour, cost.energy_method) == (None, None)
    assert cost.reason == "no energy was counted and the row small-gpu has no watts"


def test_what_was_counted_goes_before_what_is_nominal() -> None:
    # 5,400 J for half an hour of audio: 10,800 J an hour, 3 Wh.
    spent = {("m", "asr", "c"): Spent(400.0, watt_hours_per_audio_hour=3.0, method="rapl")}
    cost = one(spent=spent)
    assert cost.of_run == pytest.approx(0.05 * 400 / 3600)  # the seconds themselves, not RTF
    assert cost.watt_hours_per_audio_hour == pytest.approx(3.0)
    assert cost.energy_method == "rapl"


def test_energy_of_a_session_is_the_rate_that_it_measured() -> None:
    """Joules over the seconds of audio of those answers alone whose energy is known."""
    answers = [(2.0, 1.0, "rapl"), (4.0, None, None), (1.0, 3.0, "rapl")]
    energy = energy_use(answers)["energy"]
    spent = {("m", "asr", "c"): Spent(9.0, watt_hours_per_audio_hour=energy.value, method="rapl")}
    assert one(spent=spent).watt_hours_per_audio_hour == pytest.approx(4 / 3)
    uncounted = {("m", "asr", "c"): Spent(9.0)}
    assert one(spent=uncounted).energy_method == "nominal"


def test_power_alone() -> None:
    cost = one(hardware="board")
    assert (cost.price_per_hour, cost.per_audio_hour, cost.of_run) == (None, None, None)
    assert cost.watt_hours_per_audio_hour == pytest.approx(8 * 0.2)
    assert cost.reason == "the row board has no price_per_hour"


@pytest.mark.parametrize("task", ["asr", "tts"])
def test_by_the_minute(task: str) -> None:
    cost = one(record(device="remote", checkpoint="whisper-1"), rtf(0.9, task=task))
    assert (cost.hardware, cost.price_per_hour, cost.utilisation) == ("whisper-1", None, None)
    assert cost.per_audio_hour == pytest.approx(0.36)
    # What a voice says is not in the corpus, so that its minutes are not known.
    assert cost.of_run == (pytest.approx(0.18) if task == "asr" else None)
    contended = one(
        record(device="remote", checkpoint="whisper-1"), rtf(0.9, conditions=(CONTENDED,))
    )
    assert contended.per_audio_hour == pytest.approx(0.36)  # no matter how long it took


def test_an_api_without_a_price() -> None:
    cost = one(record(device="remote", checkpoint="their-model"), hardware="server")
    assert cost.per_audio_hour is None
    assert cost.reason is not None
    assert "'their-model' has no price per minute" in cost.reason


@pytest.mark.parametrize(
    ("model", "processor"),
    [
        (record(), "Unheard-of 9000"),
        (record(device="cuda:0"), "AMD EPYC"),  # a GPU that has no name is not a processor
        (record(device="cuda:0", device_name="NVIDIA L40S"), "AMD EPYC"),
        (record(device=None), "AMD EPYC"),
    ],
)
def test_unknown_hardware_says_what_to_pass(model: ModelRecord, processor: str) -> None:
    cost = one(model, where=machine(processor))
    assert (cost.per_audio_hour, cost.of_run, cost.watt_hours_per_audio_hour) == (None, None, None)
    assert cost.reason is not None
    assert "--hardware with one of server, small-gpu, board" in cost.reason
    assert one(model, where=machine(processor), hardware="server").per_audio_hour is not None


def test_unfair_times() -> None:
    contended = one(row=rtf(conditions=(CONTENDED,)))
    assert (contended.per_audio_hour, contended.of_run) == (None, None)
    assert contended.watt_hours_per_audio_hour is None
    assert "without -n" in (contended.reason or "")
    busy = one(row=rtf(conditions=(BUSY,)))
    assert busy.per_audio_hour == pytest.approx(0.025)
    assert busy.conditions == [BUSY]  # at most this


def test_no_time_no_cost() -> None:
    cost = one(row=rtf(None, reason="no utterance was answered"))
    assert (cost.per_audio_hour, cost.reason) == (None, "no utterance was answered")
    assert costs([record()], [], machine(), PRICES) == []


def test_a_voice_costs_by_what_it_took() -> None:
    row = rtf(0.5, task="tts")
    assert one(row=row).of_run is None
    assert "not known" in (one(row=row).reason or "")
    spent = {("m", "tts", "c"): Spent(720.0)}
    assert one(row=row, spent=spent).of_run == pytest.approx(0.01)


def test_hardware_that_is_no_row() -> None:
    with pytest.raises(ValueError, match=r"--hardware l5: .* Rows: server, small-gpu, board"):
        one(hardware="l5")


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("AMD EPYC", "cpu-server"),
        ("Intel(R) Xeon(R) CPU @ 2.20GHz", "cpu-server"),
        ("Tesla T4", "t4"),
        ("NVIDIA L4", "l4"),
        ("NVIDIA L40S", None),
        ("NVIDIA A10G", "a10g"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("Apple M3 Pro", "laptop"),
        ("Intel(R) Core(TM) i7-1185G7", "laptop"),
        ("aarch64", None),
        ("", None),
    ],
)
def test_shipped_rows(name: str, row: str | None) -> None:
    assert load().find(name) == row


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        ("utilisation: 0.5", "utilisation: 0", "utilisation", "greater than 0"),
        ("utilisation: 0.5", "utilisation: 1.5", "utilisation", "less than or equal to 1"),
        ("utilisation: 0.5", "use: 0.5", "use", "unknown key"),
        ("price_per_hour: 0.53", "price_per_hour: -1", "hardware.t4.price_per_hour", "or equal to 0"),
        ("price_per_hour: 0.53", "price_per_hour: .inf", "hardware.t4.price_per_hour", "finite"),
        ("price_per_hour: 0.53", "price: 0.53", "hardware.t4.price", "unknown key"),
        ("per: core", "per: socket", "hardware.cpu-server.per", "'core'"),
        ('["nvidia l4"]', '["NVIDIA L4"]', "hardware.l4.match.0", "lower case"),
        ("whisper-1: {price_per_minute: 0.006}", "whisper-1: {}", "api.whisper-1", "missing"),
    ],
)  # fmt: skip
def test_mistakes_name_key_and_line(
    tmp_path: Path, old: str, new: str, key: str, says: str
) -> None:
    text = DEFAULT.read_text(encoding="utf-8")
    assert old in text, "the shipped file changed; this table must follow"
    file = tmp_path / "prices.yaml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file)
    message = str(caught.value)
    assert f": {key}" in message
    assert says in message
    wrong = next(i for i, line in enumerate(file.read_text().splitlines(), 1) if new in line)
    assert f"{file}:{wrong}: " in message


def test_the_shipped_table_is_whole() -> None:
    prices = load()
    assert {"t4", "l4", "a10g", "a100", "h100", "laptop", "edge-board"} <= set(prices.hardware)
    for name, row in prices.hardware.items():
        assert row.watts, name
        assert row.match == [pattern.lower() for pattern in row.match]
    assert "whisper-1" in prices.api


def test_the_device_table_names_the_accelerator() -> None:
    """Two GPUs in like machines are two devices, and neither is the processor beside it."""
    where = machine().model_copy(update={"threads": 1})
    run = Run.model_construct(id="r")
    models = [record(device="cuda:0", device_name="NVIDIA L4"), record(name="n")]
    card = Scorecard.model_construct(run=run, models=models, measurements=[], provenance=where)
    assert [row.hardware for row in device_rows([card])] == ["NVIDIA L4", "AMD EPYC 7B13"]


@pytest.mark.parametrize(
    ("written", "read"), [("2026-11-01", "2026-11-01"), ("2026-11", "2026-11")]
)
def test_a_date_may_be_whole(tmp_path: Path, written: str, read: str) -> None:
    """YAML takes the one for a date and the other for text."""
    text = DEFAULT.read_text(encoding="utf-8")
    (tmp_path / "prices.yaml").write_text(text.replace("as_of: 2026-06", f"as_of: {written}"))
    assert load(tmp_path / "prices.yaml").as_of == read
