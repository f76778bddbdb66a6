"""thresholds.yaml: what is good enough, read and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from adapters.catalog.yaml_file import KeyedError
from adapters.catalog.yaml_layers import Layers
from evals.gate.limit_values import Quantity, why_no_limit, why_no_margin
from evals.metrics import METRICS
from evals.records.measurement import Evidence, Limit
from evals.task import TASKS
from fixtures.builtin.synthesize import CLIP

DEFAULT = Path(__file__).parents[2] / "thresholds.yaml"
GRADES = ("A", "B", "C", "D")
ANY_CORPUS = "*"
#: The source of the limits that every use has.
PRODUCTION: Final = "production"

Gate = Literal["tier", "production", "off"]
Policy = Literal["fail", "pass"]
TierName = Literal["baseline", "candidate", "production"]
#: What licences demand; reports/scorecard/licences.py says which licence demands what.
Restriction = Literal[
    "non-commercial",
    "research-only",
    "revenue-limit",
    "use-limits",
    "provider-terms",
    "copyleft",
    "weak-copyleft",
    "no-derivatives",
    "attribution",
    "unknown",
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class LimitSpec(_Strict):
    """`{max: 0.10}` or `{min: 0.95}`; of a share also `{max: 10%}`."""

    max: Quantity | None = None
    min: Quantity | None = None

    @model_validator(mode="after")
    def _one_side(self) -> LimitSpec:
        if (self.max is None) == (self.min is None):
            raise ValueError("exactly one of max and min is expected")
        return self


class Band(_Strict):
    """The worst value that still earns each grade; past C is a D."""

    A: Quantity
    B: Quantity
    C: Quantity


class EvidenceSpec(_Strict):
    """`{speakers: 12, utterances: 200}`: at least so many, each if it is there."""

    speakers: Annotated[int, Field(ge=1)] | None = None
    utterances: Annotated[int, Field(ge=1)] | None = None


class Tier(_Strict):
    """The gate of a tier.

    inconclusive: what a verdict of "inconclusive" does to the exit code. evidence: what a figure
    of people's utterances must rest on before it may keep a limit.
    """

    inconclusive: Policy
    evidence: EvidenceSpec = Field(default_factory=lambda: EvidenceSpec())
    limits: dict[str, dict[str, LimitSpec]] = Field(default_factory=dict)


class UseCase(_Strict):
    """How a recommendation weighs the metrics of one task, for one kind of use.

    Keys of weights and reject are a metric of the task, or TASK/METRIC for another task's.
    reject: limits of its own beside production's. reject_licences: what a model's licence
    must not demand; one that nobody knows is rejected too.
    """

    description: str
    task: str
    weights: dict[str, float] = Field(min_length=1)
    reject: dict[str, LimitSpec] = Field(default_factory=dict)
    reject_licences: list[Restriction] = Field(default_factory=list)

    def place(self, key: str) -> tuple[str, str]:
        """The task and the limit's key that a key of weights or reject means."""
        task, slash, rest = key.partition("/")
        return (task, rest) if slash and task in TASKS else (self.task, key)


class CorpusRules(_Strict):
    """How a corpus is scored, where not by the default.

    alternatives: keys of its rows whose texts are as right as `text`, such as NeMo's text_itn.
    """

    normalizer: Literal["spoken", "whisper-english", "whisper-basic", "lower", "none"] | None = None
    alternatives: list[str] = Field(default_factory=list)


class BaselineRules(_Strict):
    """How much worse than `--baseline` a model may be.

    margins: task, then metric, to the worsening that is allowed, in the metric's unit or in %.
    inconclusive: what a margin inside the interval does to the exit code.
    """

    inconclusive: Policy
    margins: dict[str, dict[str, Quantity]]


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
    #: Times that came with predictions from elsewhere: shown alone, or held to limits and graded.
    provided_times: Literal["shown", "held"] = "shown"
    use_cases: dict[str, UseCase] = Field(min_length=1)

    @model_validator(mode="after")
    def _sensible(self) -> Thresholds:
        for tier in get_args(TierName):
            if tier not in self.tiers:
                raise KeyedError(["tiers", tier], "missing")
        for task, bands in self.bands.items():
            for metric, band in bands.items():
                _check_band(band, ["bands", task, metric])
                beside = METRICS[metric].only_beside
                if beside is not None and beside not in bands:
                    why = f"never the only grade: a band of {beside} is needed too"
                    raise KeyedError(["bands", task, metric], why)
        for tier_name, tier_spec in self.tiers.items():
            _check_limits(tier_spec.limits, ["tiers", tier_name, "limits"])
        for model, corpora in self.models.items():
            for corpus, tasks in corpora.items():
                _check_limits(tasks, ["models", model, corpus])
                for task in tasks:
                    if TASKS[task].corpus == "clip" and corpus not in (ANY_CORPUS, CLIP):
                        why = f"measured on {CLIP} whatever the corpus, so expected under that name"
                        raise KeyedError(["models", model, corpus, task], why)
        for task, margins in self.baseline.margins.items():
            for metric, margin in margins.items():
                _check_margin(task, metric, margin, ["baseline", "margins", task, metric])
        for name, case in self.use_cases.items():
            self._check_use(case, ["use_cases", name])
        return self

    def _check_use(self, case: UseCase, at: list[str]) -> None:
        for key, spec in case.reject.items():
            _check_limit(*case.place(key), spec, [*at, "reject", key])
        own = {case.place(key) for key in case.reject}
        for key, weight in case.weights.items():
            here = [*at, "weights", key]
            task, metric = case.place(key)
            _known(task, metric.partition("/")[0], here)
            if weight <= 0:
                raise KeyedError(here, "a weight must be positive")
            limited = metric in self.tiers["production"].limits.get(task, {})
            if not limited and (task, metric) not in own:
                raise KeyedError(
                    here,
                    "weighed by its distance to the production limit, so "
                    f"tiers.production.limits.{task}.{metric} is needed, or the use's own in "
                    f"{at[-1]}.reject",
                )

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
                found.setdefault(metric, []).append(_limit(spec, source))
        return found

    def use_limits(self, use_case: str) -> Mapping[tuple[str, str], list[Limit]]:
        """Every limit that a use holds a model to, by task and key: production's and its own.

        Production's of any task; which of these count where the task did not run is the
        recommendation's to say.
        """
        case = self.use_cases[use_case]
        found: dict[tuple[str, str], list[Limit]] = {}
        for task, metrics in self.tiers["production"].limits.items():
            for key, spec in metrics.items():
                found.setdefault((task, key), []).append(_limit(spec, PRODUCTION))
        for key, spec in case.reject.items():
            found.setdefault(case.place(key), []).append(_limit(spec, use_case))
        return found

    def named_normalizer(self, corpus: str) -> str | None:
        """The normalizer that the file names for a corpus, None where it names none."""
        rules = self.corpora.get(corpus)
        return rules.normalizer if rules is not None else None

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

    def evidence(self, tier: str, gate: Gate) -> Evidence:
        """What a figure must rest on before it may keep a limit of the tier."""
        held_to = "production" if gate == "production" else tier
        spec = self.tiers[held_to].evidence  # type: ignore[index]  # a tier by its name
        return Evidence(spec.speakers, spec.utterances)

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
    """The thresholds in a file. Raises yaml_file.ConfigError."""
    return layers([path]).load(Thresholds)


def layers(paths: Sequence[Path]) -> Layers:
    """Files of thresholds, the last on top; `extends: default` is the project's own file."""
    return Layers(paths, {"default": DEFAULT})


def _limit(spec: LimitSpec, source: str) -> Limit:
    if spec.max is not None:
        return Limit("max", float(spec.max), source)
    return Limit("min", float(spec.min or 0.0), source)


def _check_band(band: Band, at: list[str]) -> None:
    _known(at[-2], at[-1], at)
    for letter in GRADES[:-1]:
        if why := why_no_limit(METRICS[at[-1]], getattr(band, letter)):
            raise KeyedError([*at, letter], why)
    edges = [band.A, band.B, band.C]
    rising = METRICS[at[-1]].bound == "max"
    if sorted(set(edges), reverse=not rising) != edges:
        way = "rise" if rising else "fall"
        raise KeyedError(at, f"impossible band: its values must {way} from A to C")


def _check_limits(tasks: Mapping[str, Mapping[str, LimitSpec]], at: list[str]) -> None:
    for task, metrics in tasks.items():
        for key, spec in metrics.items():
            _check_limit(task, key, spec, [*at, task, key])
            _check_opinion(key, metrics, [*at, task, key])


def _check_limit(task: str, key: str, spec: LimitSpec, at: list[str]) -> None:
    metric, slash, part = key.partition("/")
    _known(task, metric, at)
    if slash or TASKS[task].parts:
        _known_part(task, metric, part, at)
    bound = METRICS[metric].bound
    if getattr(spec, bound) is None:
        other = "min" if bound == "max" else "max"
        raise KeyedError(at, f"{metric} is limited by {bound}, not by {other}")
    if why := why_no_limit(METRICS[metric], getattr(spec, bound)):
        raise KeyedError([*at, bound], why)


def _check_margin(task: str, metric: str, margin: float, at: list[str]) -> None:
    _known(task, metric, at)
    change = f"{metric}_change"
    if change not in TASKS[task].metrics:
        compared = [t.name for t in TASKS.values() if change in t.metrics]
        of = f" in {task}, only in {', '.join(compared)}" if compared else ""
        raise KeyedError(at, f"{metric} is not compared with a baseline{of}")
    if why := why_no_margin(METRICS[metric], margin):
        raise KeyedError(at, why)


def _check_opinion(key: str, metrics: Mapping[str, LimitSpec], at: list[str]) -> None:
    """Refuse to let a language model's opinion be all that an assistant's answers are held to."""
    beside = METRICS[key.partition("/")[0]].only_beside
    rules = metrics.get(beside) if beside is not None else None
    if beside is not None and (rules is None or not (rules.min or 0.0) > 0):
        why = f"never the only gate: a limit above 0 on {beside} is needed beside it"
        raise KeyedError(at, why)


def _known_part(task: str, metric: str, part: str, at: list[str]) -> None:
    """Refuse a limit on a part of a corpus that no session can report."""
    parts = TASKS[task].parts
    if parts:
        if part not in parts:
            raise KeyedError(at, f"{metric}/CONDITION is expected, with one of {', '.join(parts)}")
    elif metric not in TASKS[task].sliced:
        raise KeyedError(at, f"{metric} of {task} is not reported by parts of a corpus")
    elif "=" not in part:
        raise KeyedError(at, f"a part of a corpus is KEY=VALUE of its manifest, not {part!r}")


def _known(task: str, metric: str, at: list[str]) -> None:
    """Refuse a metric that the task does not report."""
    if task not in TASKS:
        raise KeyedError(at, f"unknown task {task!r}. Tasks: {', '.join(TASKS)}")
    own = TASKS[task].metrics
    possible = [name for name, m in METRICS.items() if name in own and m.may_be_limited]
    if metric not in possible:
        known = ", ".join(possible)
        raise KeyedError(at, f"unknown metric {metric!r} for {task}. Metrics: {known}")
