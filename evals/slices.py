"""Parts of a corpus: how each fares, and how bad the worst of them is.

Looking at many parts finds a bad one by chance. The interval of the worst one allows
for that: its lower end is the highest of all lower ends at the confidence that
Bonferroni leaves each, its upper end the highest of all upper ends, uncorrected, since
the part that is truly the worst is one of them. Which parts break a limit is told by
Holm's procedure (Holm 1979).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from evals.alignment import Aligned
from evals.intervals import CONFIDENCE, Floats, chance_below, ratio_interval
from evals.measurement import Figure
from evals.predictions import Prediction

#: Parts with fewer utterances are shown, but are not called the worst.
FEWEST = 10
#: A key with more values than this tells single utterances apart, not kinds of them.
MOST_VALUES = 50
_BUCKETS = (0.0, 2.0, 5.0, 10.0, 30.0, float("inf"))  # seconds


@dataclass(frozen=True, slots=True)
class Part:
    """The utterances of a corpus that share a value of a key."""

    key: str
    value: str
    members: Sequence[int]

    @property
    def name(self) -> str:
        return f"{self.key}={self.value}"


def parts(predictions: Sequence[Prediction]) -> list[Part]:
    """Every part by every key: speaker, category, length, and whatever else the manifest says.

    A key that all utterances share, or hardly any two, is left out.
    """
    found: dict[tuple[str, str], list[int]] = {}
    for index, prediction in enumerate(predictions):
        for key, value in _labels(prediction):
            found.setdefault((key, value), []).append(index)
    values: dict[str, int] = {}
    for key, _ in found:
        values[key] = values.get(key, 0) + 1
    return [
        Part(key, value, members)
        for (key, value), members in found.items()
        if 1 < values[key] <= min(MOST_VALUES, len(predictions) / 2)
    ]


def _labels(prediction: Prediction) -> Iterator[tuple[str, str]]:
    if prediction.speaker is not None:
        yield "speaker", prediction.speaker
    if prediction.category is not None:
        yield "category", prediction.category
    for low, high in pairwise(_BUCKETS):
        if low <= prediction.audio_seconds < high:
            yield "duration", f"{low:g}-{high:g} s" if high < 1e9 else f"over {low:g} s"
    for key, value in prediction.metadata.items():
        if isinstance(value, str | bool | int):
            yield key, str(value)


@dataclass(frozen=True)
class Slices:
    """The word errors of each part of a corpus."""

    parts: Sequence[Part]
    errors: Floats
    words: Floats
    speakers: Sequence[str] | None

    def rates(self) -> Mapping[str, Figure]:
        """Part name to its WER."""
        return {part.name: self._figure(part) for part in self.parts}

    def worst(self) -> tuple[str, Figure] | None:
        """The part with the highest WER, and an interval for how bad the worst is.

        None where no part has FEWEST utterances and a reference word.
        """
        judged = [(part, self._figure(part)) for part in self._judged()]
        known = [(part, figure) for part, figure in judged if figure.value is not None]
        if not known:
            return None
        part, worst = max(known, key=lambda pair: pair[1].value or 0.0)
        each = 1 - (1 - CONFIDENCE) / len(known)
        lows = [self._interval(p, each) for p, _ in known]
        highs = [figure.ci for _, figure in known]
        ci = None
        if all(lows) and all(highs):
            ci = (max(i[0] for i in lows if i), max(i[1] for i in highs if i))
        return part.name, Figure(worst.value, len(part.members), ci)

    def breaking(self, limit: float) -> list[str]:
        """The parts that are shown to be above a limit, all of them together at 97.5 %."""
        chances = sorted((self._chance(part, limit), part.name) for part in self._judged())
        broken: list[str] = []
        for rank, (chance, name) in enumerate(chances):
            if chance > (1 - CONFIDENCE) / 2 / (len(chances) - rank):
                break
            broken.append(name)
        return broken

    def _judged(self) -> list[Part]:
        return [p for p in self.parts if len(p.members) >= FEWEST and self.words[p.members].sum()]

    def _figure(self, part: Part) -> Figure:
        words = float(self.words[part.members].sum())
        if not words:
            return Figure(None, len(part.members), reason="the references hold no words")
        rate = float(self.errors[part.members].sum()) / words
        return Figure(rate, len(part.members), self._interval(part, CONFIDENCE))

    def _interval(self, part: Part, confidence: float) -> tuple[float, float] | None:
        members = part.members
        return ratio_interval(
            self.errors[members], self.words[members], self._clusters(part), confidence=confidence
        )

    def _chance(self, part: Part, limit: float) -> float:
        members = part.members
        return chance_below(self.errors[members], self.words[members], limit, self._clusters(part))

    def _clusters(self, part: Part) -> list[str] | None:
        return [self.speakers[i] for i in part.members] if self.speakers is not None else None


def slices(aligned: Aligned) -> Slices:
    """The word errors of a model's predictions by part."""
    counts = aligned.words
    return Slices(
        parts(aligned.predictions),
        counts[:, 1:].sum(axis=1).astype(float),
        counts[:, :3].sum(axis=1).astype(float),
        aligned.speakers,
    )
