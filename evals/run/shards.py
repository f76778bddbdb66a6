"""Parts of a corpus, for processes and machines that share the work."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evals.records.measurement import Figure


@dataclass(frozen=True, slots=True)
class Part:
    """The number-th of so many, counted from 1: every of-th utterance, from the number-th on."""

    number: int = 1
    of: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise ValueError(f"{self}: a part is from 1/N to N/N")

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def is_whole(self) -> bool:
        return self.of == 1

    @property
    def suffix(self) -> str:
        """For file names, where no corpus's name has a tilde; nothing for the whole."""
        return "" if self.is_whole else f".~{self.number}of{self.of}"


WHOLE = Part()
_FORM = re.compile(r"([1-9]\d{0,5})/([1-9]\d{0,5})")


def parse(text: str) -> Part:
    """ "2/8" as a part. Raises ValueError."""
    found = _FORM.fullmatch(text)
    if found is None or int(found[1]) > int(found[2]):
        raise ValueError(f"{text}: a part is written NUMBER/OF, from 1/8 to 8/8")
    return Part(int(found[1]), int(found[2]))


def merged_facts(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What was observed of all parts of a corpus together.

    Of times of loading and of memory, the largest, since every part took its own. Of what a
    part could not do, all. Raises ValueError where they were not made alike.
    """
    whole = dict(parts[0])
    for other in parts[1:]:
        for name, value in other.items():
            if name == "observed":
                whole[name] = _largest(whole.get(name, {}), value)
            elif name == "unfair":
                whole[name] = sorted({*whole.get(name, ()), *value})
            elif name == "unavailable":
                whole[name] = {**value, **whole.get(name, {})}
            elif name not in ("lines", "shard") and value != whole.get(name):
                raise ValueError(
                    f"{name} is {whole.get(name)!r} of one part and {value!r} of another"
                )
    return whole


def figure_of(row: Mapping[str, Any]) -> Figure:
    """A figure as facts hold it."""
    ci = row["ci"]
    return Figure(
        value=row["value"],
        n=row["n"],
        ci=(ci[0], ci[1]) if ci is not None else None,
        reason=row["reason"],
        conditions=tuple(row["conditions"]),
        identical=bool(row.get("identical", False)),
        speakers=row.get("speakers"),
    )


def _largest(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(ours)
    for metric, row in theirs.items():
        have = both.get(metric)
        if have is None or have["value"] is None:
            # A part that has no figure hides none that is worse than any that is there.
            both[metric] = row if have is None else have
        elif row["value"] is None or row["value"] > have["value"]:
            both[metric] = row
    return both
