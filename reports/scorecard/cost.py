"""What a model costs: by the hour on the hardware that it ran on, or by its provider's minute."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from adapters.catalog import yaml_file
from adapters.catalog.yaml_file import KeyedError
from evals.measures.run_conditions import CONTENDED, PROVIDED, WHY, ungated
from evals.records.measurement import ALL, Measurement
from evals.task import TASKS
from reports.scorecard.scorecard import Cost, ModelRecord, Provenance

DEFAULT = Path(__file__).with_name("prices.yaml")
REMOTE = "remote"

Price: TypeAlias = Annotated[float, Field(ge=0)]
#: Model, task and corpus.
Cell: TypeAlias = tuple[str, str, str]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def _date_as_text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


class Hardware(_Strict):
    """A row of the table; see the comments in prices.yaml."""

    match: list[str]
    per: Literal["core", "device"]
    price_per_hour: Price | None = None
    watts: Price | None = None


class Api(_Strict):
    """A model behind an API, by the minute of audio."""

    price_per_minute: Price


class Prices(_Strict):
    """The whole file."""

    schema_version: Literal[1]
    currency: str = Field(min_length=1)
    #: YAML reads a whole date as one.
    as_of: Annotated[str, Field(min_length=1), BeforeValidator(_date_as_text)]
    source: str = Field(min_length=1)
    utilisation: Annotated[float, Field(gt=0, le=1)]
    hardware: dict[str, Hardware] = Field(default_factory=dict)
    api: dict[str, Api] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _lower_case(self) -> Prices:
        for name, row in self.hardware.items():
            for number, pattern in enumerate(row.match):
                if pattern != pattern.lower():
                    raise KeyedError(
                        ["hardware", name, "match", number],
                        f"names are compared in lower case: {pattern.lower()!r}",
                    )
        return self

    def check(self, hardware: str | None) -> None:
        """Raise ValueError for a `--hardware` that is no row."""
        if hardware is not None and hardware not in self.hardware:
            names = ", ".join(self.hardware) or "none"
            raise ValueError(f"--hardware {hardware}: no such row in the prices. Rows: {names}")

    def find(self, name: str) -> str | None:
        """The first row that matches a processor's or accelerator's name."""
        plain = name.lower().strip()
        return next(
            (
                row
                for row, spec in self.hardware.items()
                if any(fnmatch.fnmatchcase(plain, pattern) for pattern in spec.match)
            ),
            None,
        )


@dataclass(frozen=True, slots=True)
class Spent:
    """What a model's answers took.

    processing_seconds: the sum over all of them. watt_hours_per_audio_hour: the energy for an hour
    of audio, of the answers whose energy was counted, by method ("nvml", "rapl"); None where none
    was.
    """

    processing_seconds: float
    watt_hours_per_audio_hour: float | None = None
    method: str | None = None


def load(path: Path = DEFAULT) -> Prices:
    """The prices in a file. Raises ConfigError."""
    return yaml_file.load(path, Prices)


def costs(
    models: Sequence[ModelRecord],
    measurements: Sequence[Measurement],
    provenance: Provenance,
    prices: Prices,
    *,
    hardware: str | None = None,
    spent: Mapping[Cell, Spent] | None = None,
) -> list[Cost]:
    """A cost for each model, task and corpus that has a real-time factor, also where it is null.

    Per hour of audio: price of an hour * RTF / utilisation. Of the run: price of an hour * the
    seconds that the answers took / 3600, without utilisation, loading and what the
    harness does; where `spent` does not have them, RTF * the corpus's audio, which charges
    failed utterances too. Energy in Wh per hour of audio: what `spent` has where it was counted,
    else watts * RTF; what a machine draws between answers is not in it.
    hardware: a row's name for all that is not behind an API. Raises ValueError for an unknown one.
    """
    prices.check(hardware)
    records = {model.name: model for model in models}
    return [
        _cost(records[m.model], m, provenance, prices, hardware, (spent or {}).get(_cell(m)))
        for m in measurements
        if m.metric == "rtf" and m.slice == ALL and m.model in records
    ]


def per_audio_hour(price_per_hour: float, rtf: float, utilisation: float) -> float:
    """An hour of audio takes RTF hours of work, of which a paid hour has `utilisation`."""
    return price_per_hour * rtf / utilisation


def _cost(
    model: ModelRecord,
    rtf: Measurement,
    provenance: Provenance,
    prices: Prices,
    hardware: str | None,
    spent: Spent | None,
) -> Cost:
    audio = _audio_seconds(rtf, provenance)
    if PROVIDED in rtf.conditions:
        return _blank(rtf, prices, "unknown", rtf.reason or WHY[PROVIDED])
    if model.device == REMOTE:
        return _by_the_minute(model, rtf, prices, audio)
    seen = _seen(model, provenance)
    name = hardware or prices.find(seen or "")
    if name is None:
        rows = ", ".join(prices.hardware) or "none"
        why = f"no row of the prices matches {seen or 'an unnamed ' + (model.device or 'device')!r}"
        advice = f"pass --hardware with one of {rows}, or add a row and pass --prices"
        return _blank(rtf, prices, seen or model.device or "unknown", f"{why}: {advice}")
    row = prices.hardware[name]
    times = min(provenance.threads, provenance.cores) if row.per == "core" else 1
    hour = row.price_per_hour * times if row.price_per_hour is not None else None
    cost = _blank(rtf, prices, name, None).model_copy(
        update={"price_per_hour": hour, "utilisation": prices.utilisation}
    )
    if unfair := sorted(ungated(rtf.conditions)):
        why = (
            "the RTF was taken on a shared machine: run without -n"
            if unfair[0] == CONTENDED
            else f"the RTF is of a run in pieces: {WHY[unfair[0]]}"
        )
        return cost.model_copy(update={"reason": why})
    if rtf.value is None:
        why = rtf.reason or f"the RTF is {rtf.verdict.replace('_', ' ')}"
        return cost.model_copy(update={"reason": why})
    missing = []
    seconds = spent.processing_seconds if spent else rtf.value * audio if audio else None
    if hour is None:
        missing.append(f"the row {name} has no price_per_hour")
    elif seconds is None:
        missing.append("how long the run's answers took is not known")
    energy, method = _energy(row, rtf.value, times, spent)
    if energy is None:
        missing.append(f"no energy was counted and the row {name} has no watts")
    return cost.model_copy(
        update={
            "per_audio_hour": (
                per_audio_hour(hour, rtf.value, prices.utilisation) if hour is not None else None
            ),
            "of_run": hour * seconds / 3600 if hour is not None and seconds is not None else None,
            "watt_hours_per_audio_hour": energy,
            "energy_method": method,
            "reason": "; ".join(missing) or None,
        }
    )


def _by_the_minute(
    model: ModelRecord, rtf: Measurement, prices: Prices, audio: float | None
) -> Cost:
    """What is paid does not depend on how long the answers took."""
    name = next((n for n in (model.name, model.checkpoint) if n in prices.api), None)
    if name is None:
        asked = f"{model.checkpoint!r} has no price per minute: add it to api, and pass --prices"
        return _blank(rtf, prices, model.checkpoint, asked)
    minute = prices.api[name].price_per_minute
    why = ["what an API's machines draw is not known"]
    answered = rtf.value is not None and audio is not None
    if not answered:
        why.insert(0, rtf.reason or "how much audio was sent is not known")
    return _blank(rtf, prices, name, "; ".join(why)).model_copy(
        update={
            "per_audio_hour": minute * 60,
            "of_run": minute * audio / 60 if answered and audio is not None else None,
        }
    )


def _energy(
    row: Hardware, rtf: float, times: int, spent: Spent | None
) -> tuple[float | None, str | None]:
    if spent is not None and spent.watt_hours_per_audio_hour is not None:
        return spent.watt_hours_per_audio_hour, spent.method
    if row.watts is not None:
        return row.watts * times * rtf, "nominal"
    return None, None


def _blank(rtf: Measurement, prices: Prices, hardware: str, reason: str | None) -> Cost:
    return Cost(
        model=rtf.model,
        task=rtf.task,
        corpus=rtf.corpus,
        hardware=hardware,
        price_per_hour=None,
        utilisation=None,
        per_audio_hour=None,
        of_run=None,
        watt_hours_per_audio_hour=None,
        energy_method=None,
        currency=prices.currency,
        source=f"{prices.source}, {prices.as_of}",
        reason=reason,
        conditions=list(rtf.conditions),
    )


def _seen(model: ModelRecord, provenance: Provenance) -> str | None:
    """What the hardware calls itself: an accelerator's name, else the processor's."""
    kind = (model.device or "").partition(":")[0]
    # Apple's GPU is on the processor's chip.
    return provenance.processor if kind in ("cpu", "mps") else model.device_name


def _audio_seconds(rtf: Measurement, provenance: Provenance) -> float | None:
    """The seconds of audio of a speech corpus; None for any other, which has no audio yet."""
    if rtf.task in TASKS and TASKS[rtf.task].corpus != "speech":
        return None
    seconds = [c.audio_seconds for c in provenance.corpora if c.name == rtf.corpus]
    return seconds[0] if seconds and (seconds[0] or 0.0) > 0 else None


def _cell(m: Measurement) -> Cell:
    return m.model, m.task, m.corpus
