"""Parts of a corpus: how each fares, and how bad the worst of them is.

Looking at many parts finds a bad one by chance. The interval of the worst one allows
for that: its lower end is the highest of all lower ends at the confidence that
Bonferroni leaves each, its upper end the highest of all upper ends, uncorrected, since
the part that is truly the worst is one of them. Which parts break a limit is told by
Holm's procedure (Holm 1979).
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from evals.measures.statistics.intervals import CONFIDENCE, Floats, RatioSample, ratio_sample
from evals.measures.statistics.rates import of_speakers, rate
from evals.measures.text.error_counts import Scored
from evals.records.measurement import Figure
from evals.records.predictions import Prediction

#: Parts with fewer utterances are shown, but are not called the worst.
FEWEST = 10
#: A key with more values than this tells single utterances apart, not kinds of them.
MOST_VALUES = 50
#: The key of the parts that are each one person's utterances.
SPEAKER = "speaker"
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


class Parts:
    """Which utterances share a value of a key: speaker, category, lang, length, metadata."""

    def __init__(self, predictions: Iterable[Prediction] = ()) -> None:
        self._members: dict[str, dict[str, array[int]]] = {}
        self._order: list[tuple[str, str]] = []
        self._seen = 0
        self.add(predictions)

    def add(self, predictions: Iterable[Prediction]) -> None:
        """The next predictions."""
        for prediction in predictions:
            for key, value in _labels(prediction):
                values = self._members.setdefault(key, {})
                if value not in values:
                    if len(values) > MOST_VALUES:
                        continue  # too many already: who has this one is not wanted
                    values[value] = array("i")
                    self._order.append((key, value))
                values[value].append(self._seen)
            self._seen += 1

    def all(self) -> list[Part]:
        """As they first appeared. A key that all share, or hardly any two, is left out."""
        most = min(MOST_VALUES, self._seen / 2)
        return [
            Part(key, value, self._members[key][value])
            for key, value in self._order
            if 1 < len(self._members[key]) <= most
        ]


def _labels(prediction: Prediction) -> Iterator[tuple[str, str]]:
    if prediction.speaker is not None:
        yield SPEAKER, prediction.speaker
    if prediction.category is not None:
        yield "category", prediction.category
    yield "lang", prediction.lang or "en"  # as a corpus whose rows name none is English
    for low, high in pairwise(_BUCKETS if prediction.audio_seconds is not None else ()):
        if low <= (prediction.audio_seconds or 0.0) < high:
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
    speakers: Sequence[Hashable] | None

    def rates(self) -> Mapping[str, Figure]:
        """Part name to its WER."""
        return {part.name: figure for part, figure, _ in self._known}

    def worst(self) -> tuple[str, Figure] | None:
        """The part with the highest WER, and an interval for how bad the worst is.

        None where no part has FEWEST utterances and a reference word.
        """
        judged = [row for row in self._known if self._is_judged(row[0])]
        if not judged:
            return None
        part, worst, _ = max(judged, key=lambda row: row[1].value or 0.0)
        lows = [low for _, _, low in judged]
        highs = [figure.ci for _, figure, _ in judged]
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
        return [part for part in self.parts if self._is_judged(part)]

    def _is_judged(self, part: Part) -> bool:
        return len(part.members) >= FEWEST and bool(self.words[part.members].sum())

    @cached_property
    def _known(self) -> Sequence[tuple[Part, Figure, tuple[float, float] | None]]:
        """Each part with its figure, and its interval at the confidence that Bonferroni leaves."""
        each = 1 - (1 - CONFIDENCE) / max(1, len(self._judged()))
        return [
            (
                part,
                self._figure(part),
                sample.interval(each) if sample is not None and self._is_judged(part) else None,
            )
            for part in self.parts
            for sample in [self._sample(part)]
        ]

    def _figure(self, part: Part) -> Figure:
        members = part.members
        clusters = self._clusters(part)
        figure = rate(
            self.errors[members],
            self.words[members],
            clusters,
            otherwise="the references hold no words",
        )
        # That a part by speaker is of one person is what it is for.
        return figure if part.key == SPEAKER else of_speakers(figure, clusters)

    def _chance(self, part: Part, limit: float) -> float:
        sample = self._sample(part)
        return 1.0 if sample is None else sample.chance_below(limit)

    def _sample(self, part: Part) -> RatioSample | None:
        members = part.members
        return ratio_sample(self.errors[members], self.words[members], self._clusters(part))

    def _clusters(self, part: Part) -> list[Hashable] | None:
        return [self.speakers[i] for i in part.members] if self.speakers is not None else None


def slices(scored: Scored, parts: Sequence[Part]) -> Slices:
    """The word errors of a model's predictions by part."""
    counts = scored.words
    return Slices(
        parts,
        counts[:, 1:].sum(axis=1).astype(float),
        counts[:, :3].sum(axis=1).astype(float),
        scored.speakers,
    )
