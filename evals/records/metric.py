"""A metric: what its figures mean, which way is better, and how every report writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from evals.records.measurement import Bound

Unit: TypeAlias = Literal[
    "ratio", "count", "s", "MB", "1/min", "1/s", "LUFS", "dB", "cents", "score", "Wh/h"
]
#: Digits after the point, by unit; those of a ratio are of its per cent. Times have as many as
#: their size needs, so that only a table with little room gives them a number.
_DIGITS = {"ratio": 2, "count": 0, "MB": 0, "LUFS": 1, "cents": 1, "Wh/h": 4}
#: Units that stand nowhere: what they would say is in the metric's name.
UNSAID = frozenset({"ratio", "count", "score"})
#: Words of names that are abbreviations.
_ABBREVIATIONS = frozenset({"wer", "cer", "mer", "wil", "rtf", "mcd", "stoi", "pesq", "f0"})
PER_CENT = 100


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, with its looks.

    name: as in thresholds.yaml and the scorecard. bound: the side on which a limit lies, so "max"
    where lower is better. meaning: in words. is_speed: it measures time or energy, which depend on
    what else the machine does.
    heading: over its column on the page (default: its title). short: over its column in the
    terminal, with the unit (default: title and unit). digits: after the point, of per cent where
    it is a share. factor: 100 where values are shown in per cent (default: of ratios), else 1.
    sign: the unit as it is shown (default: by the unit). is_difference: between two rates, shown
    with its sign in percentage points. may_be_limited: whether there is one value of it for each
    task and corpus, which thresholds.yaml can limit. inverse: the metric that is 1 over this one.
    change_of: the metric whose paired change since the baseline it is. only_beside: the metric
    that has to be limited or graded beside it, since it is an opinion.
    """

    name: str
    unit: Unit
    bound: Bound
    meaning: str
    is_speed: bool = False
    heading: str = ""
    short: str = ""
    digits: int | None = None
    factor: int | None = None
    sign: str | None = None
    is_difference: bool = False
    may_be_limited: bool = True
    inverse: str | None = None
    change_of: str | None = None
    only_beside: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for what no report can write."""
        if not self.name.isidentifier():
            raise ValueError(f"metric {self.name!r}: a name is of letters, digits and _")
        most = 2 if self.is_share else 4
        if not 0 <= self.places <= most:
            raise ValueError(f"metric {self.name}: digits is from 0 to {most}, not {self.digits}")

    @property
    def better(self) -> Literal["lower", "higher"]:
        """The direction of improvement."""
        return "lower" if self.bound == "max" else "higher"

    @property
    def is_share(self) -> bool:
        """Whether it is a part of a whole, or a difference of two, and so said in per cent."""
        return self.scale == PER_CENT

    @property
    def is_memory(self) -> bool:
        """Whether it is a size in memory, which a run in several pieces makes another one."""
        return self.unit == "MB"

    @property
    def is_of_machine(self) -> bool:
        """Whether it depends on the machine: times, energy, memory."""
        return self.is_speed or self.is_memory

    @property
    def scale(self) -> int:
        """What a value is multiplied by to be shown."""
        if self.factor is not None:
            return self.factor
        return PER_CENT if self.unit == "ratio" else 1

    @property
    def places(self) -> int:
        """Digits after the point."""
        return _DIGITS.get(self.unit, 2) if self.digits is None else self.digits

    @property
    def shown_unit(self) -> str:
        """The unit behind a value: "%", "s", "MB", "points"; empty where there is none."""
        if self.sign is not None:
            return self.sign
        if self.is_difference:
            return "points"
        if self.is_share:
            return "%"
        return "" if self.unit in UNSAID else self.unit

    @property
    def title(self) -> str:
        """Its name for people, within a sentence: "WER", "peak memory"."""
        if self.name == "rtfx":
            return "RTFx"
        words = self.name.split("_")
        return " ".join(word.upper() if word in _ABBREVIATIONS else word for word in words)

    @property
    def capitalized(self) -> str:
        """Its name for people, alone in a cell: "WER", "Peak memory"."""
        return self.title[:1].upper() + self.title[1:]

    @property
    def page_heading(self) -> str:
        """Over its column on the page."""
        return self.heading or self.capitalized

    @property
    def terminal_heading(self) -> str:
        """Over its column in the terminal, unit included."""
        return self.short or f"{self.title} {self.shown_unit}".strip()

    def number(self, value: float, digits: int | None = None) -> str:
        """A value without its unit, scaled: 0.0625 of a share is "6.25"."""
        sign = "+" if self.is_difference else ""
        places = self.places if digits is None else digits
        return f"{self.scale * value:{sign},.{places}f}"
