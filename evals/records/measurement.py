"""One measured figure and what was decided about it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal, TypeAlias

Verdict: TypeAlias = Literal[
    "pass", "fail", "inconclusive", "no_limit", "not_measured", "not_supported", "error"
]
#: Verdicts of a figure that does not exist. Missing is never a pass.
MISSING: frozenset[str] = frozenset({"not_measured", "not_supported", "error"})
Bound: TypeAlias = Literal["max", "min"]

#: The name under which measurements travel in a test report's user_properties.
PROPERTY = "model_lab.measurement"
ALL = "all"
#: Conditions of a figure that is of a few people's utterances, and of one that is of too little.
FEW_SPEAKERS, TOO_FEW = "few_speakers", "too_few"
#: Condition of an error rate whose tokens are characters where a script has no spaces.
MIXED_TOKENS = "mixed_error_rate"
WORST_SLICE = "worst_slice_wer"


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with its 95 % interval, from n observations. None: there is nothing to compute.

    conditions: what keeps it from being what it looks like: "busy" makes it worse than it would
    be, FEW_SPEAKERS is of some people alone, TOO_FEW of so little that it decides nothing,
    MIXED_TOKENS is not of words alone.
    speakers: how many people it is of, 0 where that is not known; None where it is of no people.
    forecast: the interval of a corpus with these utterances that many times.
    identical: of a paired difference, that no observation differs.
    by: which of several measured it: the speaker encoder, the judge. None: there is one alone.
    own: value and interval of the part of it that is shown to be the model's own, where a judge's
    errors are in it; None: all of it is.
    """

    value: float | None
    n: int
    ci: tuple[float, float] | None = None
    reason: str | None = None
    conditions: tuple[str, ...] = ()
    identical: bool = False
    speakers: int | None = None
    by: str | None = None
    own: tuple[float, float, float] | None = None
    forecast: Callable[[float], tuple[float, float] | None] | None = field(
        default=None, compare=False, repr=False
    )

    def __post_init__(self) -> None:
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"a figure must be finite, not {self.value}")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a figure of people's utterances must rest on before it may keep a limit.

    speakers, utterances: how many at least; None requires nothing.
    """

    speakers: int | None = None
    utterances: int | None = None

    def missing_from(self, figure: Figure) -> str | None:
        """What the figure lacks, in words; None where it has all, or is of no people."""
        if figure.speakers is None:
            return None
        if self.utterances is not None and figure.n < self.utterances:
            count = f"{figure.n:,} {'utterance' if figure.n == 1 else 'utterances'}"
            return f"{count}, and {self.utterances:,} are required"
        if self.speakers is not None and figure.speakers < self.speakers:
            have = f"{figure.speakers:,}" if figure.speakers else "no known"
            people = "speaker" if figure.speakers == 1 else "speakers"
            return f"{have} {people}, and {self.speakers:,} are required"
        return None


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound that a value must keep, and who set it."""

    bound: Bound
    value: float
    source: str

    def keeps(self, value: float) -> bool:
        """Whether a value is on the allowed side; the limit itself is."""
        return value <= self.value if self.bound == "max" else value >= self.value


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row of the scorecard.

    unit: "ratio", "count", "s", "MB" (10^6 bytes) or "1/min".
    slice: the part of the corpus, "all" for the whole.
    further_utterances: about as many more, like these, would decide an inconclusive verdict.
    further_speakers: the same, where speakers are what is missing.
    speakers: how many people it is of, 0 where that is not known; None where it is of no people.
    limit, bound, limit_source: the limit that decided; None where there is none,
    and then the verdict of a value is "no_limit".
    gated: whether the verdict counts for the exit code.
    conditions: what the figure was taken under: "contended" (gates nothing), "busy" (looks
    slower than it is, so that it can keep a limit and not break one), "few_speakers" (of these
    people alone), "too_few" (decides nothing), "mixed_error_rate" (of characters where a script
    has no spaces), "provided" (came with predictions from elsewhere, gates nothing) or
    "provided_held" (the same, where thresholds.yaml lets it).
    by: as in `Figure`; values that other ones measured are not compared with it.
    own: as in `Figure`; only this part can break a limit.
    """

    model: str
    task: str
    corpus: str
    metric: str
    value: float | None
    unit: str
    n: int
    verdict: Verdict
    ci: tuple[float, float] | None = None
    slice: str = ALL
    normalizer: str | None = None
    limit: float | None = None
    bound: Bound | None = None
    limit_source: str | None = None
    gated: bool = False
    reason: str | None = None
    conditions: Sequence[str] = ()
    further_utterances: int | None = None
    further_speakers: int | None = None
    speakers: int | None = None
    by: str | None = None
    own: tuple[float, float, float] | None = None

    @property
    def is_whole(self) -> bool:
        """Said of the whole corpus; single slices are there to explain it."""
        return self.slice == ALL or self.metric == WORST_SLICE

    @property
    def key(self) -> str:
        """The name by which thresholds.yaml may limit it."""
        return limit_key(self.metric, self.slice)

    def as_property(self) -> tuple[str, str]:
        """For user_properties: text only, since xdist carries nothing richer unharmed."""
        return PROPERTY, json.dumps(asdict(self), allow_nan=False)


def limit_key(metric: str, slice_name: str = ALL) -> str:
    """The name by which thresholds.yaml limits a metric: "wer", of a part "wer/category=timer"."""
    whole = slice_name == ALL or metric == WORST_SLICE
    return metric if whole else f"{metric}/{slice_name}"


def from_property(value: str) -> Measurement:
    """The measurement that `as_property` wrote."""
    row = json.loads(value)
    ci, own = row.pop("ci"), row.pop("own", None)
    conditions = tuple(row.pop("conditions"))
    return Measurement(
        **row,
        ci=tuple(ci) if ci else None,
        own=tuple(own) if own else None,
        conditions=conditions,
    )
