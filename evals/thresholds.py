"""thresholds.yaml: what is good enough, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from adapters import located_yaml
from adapters.located_yaml import KeyedError
from evals.measurement import Limit
from evals.metrics import METRICS, TASK_METRICS
from fixtures.augmentation import CONDITIONS

DEFAULT = Path(__file__).parents[1] / "thresholds.yaml"
GRADES = ("A", "B", "C", "D")
ANY_CORPUS = "*"

Gate = Literal["tier", "production", "off"]
Policy = Literal["fail", "pass"]
TierName = Literal["baseline", "candidate", "production"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class LimitSpec(_Strict):
    """`{max: 0.10}` or `{min: 0.95}`."""

    max: float | None = None
    min: float | None = None

    @model_validator(mode="after")
    def _one_side(self) -> LimitSpec:
        if (self.max is None) == (self.min is None):
            raise ValueError("exactly one of max and min is expected")
        return self


class Band(_Strict):
    """The worst value that still earns each grade; past C is a D."""

    A: float
    B: float
    C: float


class Tier(_Strict):
    """The gate of a tier.

    inconclusive: what a verdict of "inconclusive" does to the exit code.
    """

    inconclusive: Policy
    limits: dict[str, dict[str, LimitSpec]] = Field(default_factory=dict)


class UseCase(_Strict):
    """How a recommendation weighs the metrics of one task, for one kind of use."""

    description: str
    task: str
    weights: dict[str, float] = Field(min_length=1)


class CorpusRules(_Strict):
    """How a corpus is scored, where not as its language has it."""

    normalizer: Literal["whisper-english", "whisper-basic", "lower", "none"]


class BaselineRules(_Strict):
    """How much worse than `--baseline` a model may be.

    margins: task, then metric, to the worsening that is allowed, in the metric's unit.
    inconclusive: what a margin inside the interval does to the exit code.
    """

    inconclusive: Policy
    margins: dict[str, dict[str, Annotated[float, Field(ge=0)]]]


class Thresholds(_Strict):
    """The whole file; see the comments in thresholds.yaml."""

    schema_version: Literal[1]
    missing_caps_grade_at: Literal["A", "B", "C", "D"]
    bands: dict[str, dict[str, Band]]
    tiers: dict[TierName, Tier]
    models: dict[str, dict[str, dict[str, dict[str, LimitSpec]]]] = Field(default_factory=dict)
    corpora: dict[str, CorpusRules] = Field(default_factory=dict)
    baseline: BaselineRules = Field(
        default_factory=lambda: BaselineRules(inconclusive="pass", margins={})
    )
    use_cases: dict[str, UseCase] = Field(min_length=1)

    @model_validator(mode="after")
    def _sensible(self) -> Thresholds:
        for tier in get_args(TierName):
            if tier not in self.tiers:
                raise KeyedError(["tiers", tier], "missing")
        for task, bands in self.bands.items():
            for metric, band in bands.items():
                _check_band(band, ["bands", task, metric])
        for tier_name, tier_spec in self.tiers.items():
            _check_limits(tier_spec.limits, ["tiers", tier_name, "limits"])
        for model, corpora in self.models.items():
            for corpus, tasks in corpora.items():
                _check_limits(tasks, ["models", model, corpus])
        for task, margins in self.baseline.margins.items():
            for metric in margins:
                at = ["baseline", "margins", task, metric]
                _known(task, metric, at)
                if f"{metric}_change" not in METRICS:
                    raise KeyedError(at, f"{metric} is not compared with a baseline")
        for name, case in self.use_cases.items():
            for metric, weight in case.weights.items():
                at = ["use_cases", name, "weights", metric]
                _known(case.task, metric, at)
                if weight <= 0:
                    raise KeyedError(at, "a weight must be positive")
                if metric not in self.tiers["production"].limits.get(case.task, {}):
                    raise KeyedError(
                        at,
                        "weighed by its distance to the production limit, so "
                        f"tiers.production.limits.{case.task}.{metric} is needed",
                    )
        return self

    def limits(
        self, *, model: str, tier: str, task: str, corpus: str, gate: Gate
    ) -> Mapping[str, list[Limit]]:
        """Every limit that holds for a model's task on a corpus, by metric.

        The tier's (`--gate production`: the production tier's) and the model's
        own apply together; a verdict is that of the strictest.
        """
        found: dict[str, list[Limit]] = {}
        held_to = "production" if gate == "production" else tier
        own = self.models.get(model, {})
        sources = [(self.tiers[held_to].limits, f"tier {held_to}")]  # type: ignore[index]  # a tier by its name
        sources += [
            (own[name], f"model {model} on {'any corpus' if name == ANY_CORPUS else name}")
            for name in (ANY_CORPUS, corpus)
            if name in own
        ]
        for tasks, source in sources:
            for metric, spec in tasks.get(task, {}).items():
                limit = (
                    Limit("max", spec.max, source)
                    if spec.max is not None
                    else Limit("min", float(spec.min or 0.0), source)
                )
                found.setdefault(metric, []).append(limit)
        return found

    def margins(self, task: str) -> Mapping[str, Limit]:
        """The limit of each change since the baseline, by the name of the change."""
        found: dict[str, Limit] = {}
        for metric, margin in self.baseline.margins.get(task, {}).items():
            # What must not fall may fall by the margin; what must not rise may rise by it.
            if METRICS[metric].bound == "max":
                limit = Limit("max", margin, "margin to the baseline")
            else:
                limit = Limit("min", -margin, "margin to the baseline")
            found[f"{metric}_change"] = limit
        return found

    def inconclusive_fails(self, tier: str, gate: Gate) -> bool:
        """Whether a gated metric that is inconclusive breaks the gate."""
        held_to = "production" if gate == "production" else tier
        return self.tiers[held_to].inconclusive == "fail"  # type: ignore[index]  # a tier by its name

    def grade(self, task: str, metric: str, value: float) -> str | None:
        """The letter that a value earns; None where the metric has no band."""
        band = self.bands.get(task, {}).get(metric)
        if band is None:
            return None
        bound = METRICS[metric].bound
        for letter, edge in (("A", band.A), ("B", band.B), ("C", band.C)):
            if Limit(bound, edge, "").keeps(value):
                return letter
        return "D"

    @cached_property
    def graded(self) -> Mapping[str, frozenset[str]]:
        """Task to the metrics that a grade of it needs."""
        return {task: frozenset(bands) for task, bands in self.bands.items()}


def load(path: Path = DEFAULT) -> Thresholds:
    """The thresholds in a file. Raises located_yaml.ConfigError."""
    return located_yaml.load(path, Thresholds)


def _check_band(band: Band, at: list[str]) -> None:
    _known(at[-2], at[-1], at)
    edges = [band.A, band.B, band.C]
    rising = METRICS[at[-1]].bound == "max"
    if sorted(set(edges), reverse=not rising) != edges:
        way = "rise" if rising else "fall"
        raise KeyedError(at, f"impossible band: its values must {way} from A to C")


def _check_limits(tasks: Mapping[str, Mapping[str, LimitSpec]], at: list[str]) -> None:
    for task, metrics in tasks.items():
        for key, spec in metrics.items():
            here = [*at, task, key]
            metric, slash, part = key.partition("/")
            _known(task, metric, here)
            if slash or task == "robustness":
                _known_part(task, metric, part, here)
            bound = METRICS[metric].bound
            if getattr(spec, bound) is None:
                other = "min" if bound == "max" else "max"
                raise KeyedError(here, f"{metric} is limited by {bound}, not by {other}")


def _known_part(task: str, metric: str, part: str, at: list[str]) -> None:
    """Refuse a limit on a part of a corpus that no session can report."""
    if task == "robustness":
        if part not in CONDITIONS:
            raise KeyedError(
                at,
                f"{metric}/CONDITION is expected, with one of {', '.join(CONDITIONS)}",
            )
    elif (task, metric) != ("asr", "wer"):
        raise KeyedError(at, f"{metric} of {task} is not reported by parts of a corpus")
    elif "=" not in part:
        raise KeyedError(at, f"a part of a corpus is KEY=VALUE of its manifest, not {part!r}")


def _known(task: str, metric: str, at: list[str]) -> None:
    """Refuse a metric that the task does not report."""
    if task not in TASK_METRICS:
        raise KeyedError(at, f"unknown task {task!r}. Tasks: {', '.join(TASK_METRICS)}")
    if metric not in TASK_METRICS[task]:
        known = ", ".join(m for m in METRICS if m in TASK_METRICS[task])
        raise KeyedError(at, f"unknown metric {metric!r} for {task}. Metrics: {known}")
