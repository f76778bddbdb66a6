"""What a comparison of runs finds: the rows of its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from evals.gate.verdict import breaks
from evals.metrics import metric_of
from evals.records.measurement import Figure, Verdict
from reports.comparison.utterance_changes import Moved, Of

#: Which way a difference points: "same" where no utterance differs, "unclear" where its interval
#: holds 0.
Direction: TypeAlias = Literal["worse", "better", "same", "unclear", "not measured"]
#: What a session says of a change since its baseline, by the verdict against the margin.
AGAINST_MARGIN: Mapping[str, str] = {
    "pass": "not worse",
    "fail": "worse",
    "inconclusive": "not shown either way",
    "no_limit": "no margin to hold it to",
}


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run, as far as a comparison has to say."""

    path: str
    id: str
    started: str
    git_sha: str | None
    git_dirty: bool | None
    complete: bool
    conditions: Sequence[str]


@dataclass(frozen=True, slots=True)
class Change:
    """A metric before and after on the same n utterances, and the paired difference.

    before, after: over these utterances alone. change: after minus before, with its 95 %
    interval. verdict: against the margin of thresholds.yaml; None where there is no margin.
    further_utterances: about as many more would decide an inconclusive verdict.
    before_ci, after_ci: the runs' own intervals of the metric, over all utterances that each has.
    """

    of: Of
    metric: str
    before: float | None
    after: float | None
    change: float | None
    ci: tuple[float, float] | None
    n: int
    normalizer: str | None
    direction: Direction
    margin: float | None
    verdict: Verdict | None
    reason: str | None
    further_utterances: int | None
    before_ci: tuple[float, float] | None = None
    after_ci: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class SideBySide:
    """A figure of both runs, of which nothing is claimed.

    Values with the runs' own intervals and conditions ("contended", "busy"); None is missing, and
    the state then says how ("not_measured", "not run", ...).
    """

    of: Of
    metric: str
    unit: str
    before: float | None
    before_ci: tuple[float, float] | None
    before_state: str
    before_conditions: Sequence[str]
    after: float | None
    after_ci: tuple[float, float] | None
    after_state: str
    after_conditions: Sequence[str]


@dataclass(frozen=True, slots=True)
class Pairing:
    """How many utterances are in both runs, and which are in one alone."""

    of: Of
    n: int
    only_before: Sequence[str]
    only_after: Sequence[str]


@dataclass(frozen=True, slots=True)
class Refused:
    """What is in both runs and not comparable, and why. broken: a file is missing or unreadable."""

    of: Of
    reason: str
    broken: bool = False


@dataclass
class Comparison:
    """One run against the reference.

    differences: what else is not the same in both, in words. only: what just one of them has.
    worse: the most added errors first, then by id. better: the most removed first.
    """

    run: RunInfo
    differences: Sequence[str] = ()
    paired: list[Change] = field(default_factory=list)
    beside: list[SideBySide] = field(default_factory=list)
    pairings: list[Pairing] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    only: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    worse: list[Moved] = field(default_factory=list)
    better: list[Moved] = field(default_factory=list)

    def regressions(self, inconclusive_fails: bool) -> list[str]:
        """What is past its margin, or cannot be shown to be within it; a line each.

        Missing is never a pass: pairs that were refused, utterances that the later run
        lacks and figures with a margin that do not exist are among them.
        """
        found = []
        for c in self.paired:
            if not breaks(c.verdict, inconclusive_fails=inconclusive_fails):
                continue
            why = {
                "fail": "got worse past its margin",
                "inconclusive": "is not shown to be within its margin",
            }.get(c.verdict or "", f"cannot be compared: {c.reason}")
            found.append(f"{c.of}: {c.metric} {why}")
        found += [f"{r.of}: not compared: {r.reason}" for r in self.refused]
        found += [
            f"{p.of}: {len(p.only_before)} utterances are missing" for p in self.pairings
            if p.only_before
        ]  # fmt: skip
        return found


def direction(metric: str, figure: Figure) -> Direction:
    """Which way a paired difference points, by its interval."""
    if figure.value is None:
        return "not measured"
    if figure.identical:
        return "same"
    if figure.ci is None or figure.ci[0] <= 0 <= figure.ci[1]:
        return "unclear"
    low, _ = figure.ci
    return "worse" if (low > 0) == (metric_of(metric).bound == "max") else "better"


@dataclass(frozen=True, slots=True)
class Report:
    """The reference, and each other run against it."""

    reference: RunInfo
    comparisons: Sequence[Comparison]
    inconclusive_fails: bool
