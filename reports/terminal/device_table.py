"""The same models on several devices: load time, a clip of 5 s, and the speed-up over the CPU."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from evals.measures.run_conditions import ungated
from evals.records.measurement import Measurement
from evals.task import TASKS
from reports.scorecard.scorecard import Scorecard

CPU = "cpu"


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One model on one device, as one run found it.

    load_time, clip: in s (`load_time`; the median of the fixed clip's rounds); None where they
    were not measured. speed_up: how many times as fast as the same model's CPU row; None without
    one. marks: what the times were taken under, such as "busy".
    """

    model: str
    device: str
    hardware: str
    threads: int
    load_time: float | None
    clip: float | None
    speed_up: float | None
    marks: tuple[str, ...]
    run: str


def device_rows(cards: Iterable[Scorecard]) -> list[DeviceRow]:
    """A row for each model of each run, models together, the CPU's first.

    The speed-up is over the first run with that model on a CPU. Times of a shared machine are
    no figures of the model, so they are left out and marked.
    """
    found: dict[str, list[DeviceRow]] = {}
    for card in cards:
        for model in card.models:
            own = [m for m in card.measurements if m.model == model.name]
            load = _first(own, "load_time")
            of_clip = [m for m in own if m.task in TASKS and TASKS[m.task].corpus == "clip"]
            clip = _first(of_clip, "latency_p50")
            marks = {mark for m in (load, clip) if m is not None for mark in m.conditions}
            found.setdefault(model.name, []).append(
                DeviceRow(
                    model=model.name,
                    device=model.device or "not loaded",
                    hardware=model.device_name or card.provenance.processor,
                    threads=card.provenance.threads,
                    load_time=_value(load),
                    clip=_value(clip),
                    speed_up=None,
                    marks=tuple(sorted(marks)),
                    run=card.run.id,
                )
            )
    return [row for rows in found.values() for row in _with_speed_up(rows)]


def as_markdown(rows: Sequence[DeviceRow]) -> str:
    """A table for a README or an issue."""
    lines = [
        "| model | device | hardware | threads | load | 5 s clip | speed-up over CPU | run |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for row in rows:
        mark = f" ({', '.join(row.marks)})" if row.marks else ""
        cells = [
            row.model,
            row.device,
            row.hardware,
            str(row.threads),
            _seconds(row.load_time),
            _seconds(row.clip) + mark,
            "-" if row.speed_up is None else f"{row.speed_up:.2f} x",
            row.run,
        ]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _with_speed_up(rows: Sequence[DeviceRow]) -> list[DeviceRow]:
    rows = sorted(rows, key=lambda row: row.device != CPU)  # stable: runs stay in their order
    base = next((r.clip for r in rows if r.device == CPU and r.clip is not None), None)
    return [
        replace(row, speed_up=base / row.clip) if base is not None and row.clip else row
        for row in rows
    ]


def _first(rows: Iterable[Measurement], metric: str) -> Measurement | None:
    return next((m for m in rows if m.metric == metric and m.is_whole), None)


def _value(m: Measurement | None) -> float | None:
    return None if m is None or ungated(m.conditions) else m.value


def _seconds(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3g} s"
