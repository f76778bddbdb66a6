"""What the page's template reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.text.formats import Shown


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure of a table. value None: there is none, and `state` says why.

    state: "pass", "fail", "inconclusive", "no_limit", "not_measured", "not_supported", "error" or
    "not_run". sort: what its column is sorted by; None goes last.
    """

    state: str
    value: Shown | None = None
    low: Shown | None = None
    high: Shown | None = None
    letter: Shown | None = None
    verdict: Shown | None = None
    unfair: bool = False
    sort: float | None = None
    unit: str = ""
    limit: Shown | None = None
    bound: Shown | None = None


@dataclass(frozen=True, slots=True)
class Column:
    heading: str
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Row:
    """A model on a corpus."""

    model: Shown
    corpus: Shown | None
    grade: Shown | None
    gate: Shown | None
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Detail:
    """A metric over all models and corpora of a task."""

    name: str
    part: Shown | None
    unit: str
    meaning: str
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class TaskTable:
    """What a task measured: the columns that decide, and all figures turned round."""

    task: str
    title: str
    graded: bool
    columns: Sequence[Column]
    rows: Sequence[Row]
    heads: Sequence[tuple[Shown, Shown]]
    details: Sequence[Detail]


@dataclass(frozen=True, slots=True)
class Contender:
    model: Shown
    score: Shown | None
    rejected: Sequence[Shown]


@dataclass(frozen=True, slots=True)
class Answer:
    """Which model for one use."""

    use: Shown
    description: Shown | None
    model: Shown | None
    reason: Shown
    runner_up: Shown | None
    decided_by: Sequence[Shown]
    would_change: Sequence[Shown]
    to_run: Sequence[Shown]
    contenders: Sequence[Contender]


@dataclass(frozen=True, slots=True)
class Problem:
    """A limit that is broken or undecided, or a gated figure that is missing."""

    state: str
    model: Shown
    corpus: Shown
    task: str
    metric: str
    slice: Shown | None
    cell: Cell
    source: Shown | None
    further: Shown | None
    reason: Shown | None


@dataclass(frozen=True, slots=True)
class Capped:
    model: Shown
    corpus: Shown
    grade: Shown
    missing: Sequence[Shown]


@dataclass(frozen=True, slots=True)
class FlipLine:
    corpus: Shown
    better: Shown
    worse: Shown
    wers: Sequence[Shown]
    normalizer: Shown


@dataclass(frozen=True, slots=True)
class DominantLine:
    """An utterance with most of a corpus's word errors. part: None for the whole corpus."""

    model: Shown
    corpus: Shown
    task: str
    part: Shown | None
    id: Shown
    errors: Shown
    all_errors: Shown
    share: Shown
    wer: Shown
    without: Shown | None
    answered: bool


@dataclass(frozen=True, slots=True)
class ReferenceLine:
    """A reference to look at. heard: models, what each heard, and its word errors."""

    id: Shown
    reference: Shown
    heard: Sequence[tuple[Shown, Shown, Shown]]


@dataclass(frozen=True, slots=True)
class ReferenceTable:
    """The references of a corpus to look at. total: where not all of them are here."""

    corpus: Shown
    total: Shown
    more: bool
    rows: Sequence[ReferenceLine]


@dataclass(frozen=True, slots=True)
class ModelLine:
    """A model as it was run."""

    name: Shown
    gate: Shown | None
    grade: Shown | None
    facts: Sequence[tuple[str, Shown]]
    note: Shown | None


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """Metrics of a model that have no figure for one reason."""

    model: Shown
    task: str
    corpus: Shown
    verdict: Shown
    state: str
    metrics: Sequence[Shown]
    reason: Shown | None


@dataclass(frozen=True, slots=True)
class WorseLine:
    id: Shown
    reference: Shown
    before: Shown
    after: Shown
    errors_before: Shown
    errors_after: Shown


@dataclass(frozen=True, slots=True)
class Regression:
    """How a model changed on a corpus since the baseline."""

    model: Shown
    corpus: Shown
    changes: Sequence[tuple[str, Cell]]
    rows: Sequence[WorseLine]
    total: Shown | None


@dataclass(frozen=True, slots=True)
class CostLine:
    model: Shown
    task: str
    corpus: Shown
    hardware: Shown
    per_audio_hour: Shown | None
    of_run: Shown | None
    price: Shown | None
    utilisation: Shown | None
    energy: Shown | None
    method: Shown | None
    currency: Shown
    source: Shown
    reason: Shown | None
    sort: float | None
    unfair: bool


@dataclass(frozen=True, slots=True)
class ConfusionList:
    model: Shown
    corpus: Shown
    rows: Sequence[tuple[Shown | None, Shown | None, Shown]]


@dataclass(frozen=True, slots=True)
class View:
    """The page, from top to bottom."""

    title: str
    run: Mapping[str, Shown]
    passed: bool | None
    exit: str
    notices: Sequence[str]
    failures: Sequence[Shown]
    answers: Sequence[Answer]
    models: Sequence[ModelLine]
    problems: Sequence[Problem]
    capped: Sequence[Capped]
    flips: Sequence[FlipLine]
    dominant: Sequence[DominantLine]
    references: Sequence[ReferenceTable]
    tables: Sequence[TaskTable]
    costs: Sequence[CostLine]
    prices: Sequence[tuple[Shown, Shown]]
    licences: Sequence[tuple[Shown, Shown, Sequence[Shown]]]
    confusions: Sequence[ConfusionList]
    baseline: Shown | None
    regressions: Sequence[Regression]
    unmeasured: Sequence[Unmeasured]
    provenance: Sequence[tuple[str, Shown]]
    command: Sequence[Shown]
    corpora: Sequence[Mapping[str, Shown]]
    packages: Sequence[tuple[str, Shown]]
