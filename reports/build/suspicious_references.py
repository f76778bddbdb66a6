"""References that several models contradict in the same way: rows of a corpus to look at.

A model that errs by itself errs in its own way. Where models with different weights, all of which
hear the rest of the corpus well, hear another sentence than the reference and agree on which, the
reference is more likely wrong than they are. It is a hint for a person: no figure is changed.

What is held in memory is a batch of lines of each model, whatever the size of the corpus.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from evals.measures.text.alignment import align
from evals.measures.text.normalizers import scoring_of
from evals.measures.text.scoring import loops
from evals.records.atomic_json import as_folder
from evals.records.jsonl_reader import Lines
from evals.records.measurement import ALL, Measurement
from evals.records.predictions import Prediction
from evals.tasks.hallucination.phrases import phantoms
from reports.scorecard.independence import checkpoints
from reports.scorecard.scorecard import (
    HeardThere,
    ModelRecord,
    SuspiciousReference,
    SuspiciousReferences,
)

#: A model is otherwise good where its WER on the other utterances of the corpus is at most this.
GOOD = 0.25
#: It is far off where its WER on the utterance is at least FAR, with FEWEST word errors or more,
#: and its CER at least FAR_CHARACTERS: names that are spelled otherwise are no other sentence.
FAR, FEWEST, FAR_CHARACTERS = 0.5, 2, 0.4
#: Two models agree where the word errors between what they heard are at most CLOSER times those
#: of either against the reference, and they have COMMON words or more in common.
CLOSER, COMMON = 0.5, 2
#: Rows of a corpus in the scorecard, in the corpus's order, and characters of a text there.
MOST, MOST_CHARACTERS = 50, 800
_BATCH = 1_000
_COUNTS = ("hits", "substitutions", "deletions", "insertions")


@dataclass(frozen=True)
class _Contestant:
    """A model on a corpus. errors, words: of the whole corpus. checkpoint: its number."""

    model: str
    checkpoint: int
    lines: Lines[Prediction]
    errors: int
    words: int

    def is_good_without(self, errors: int, words: int) -> bool:
        """Whether its WER is low enough without an utterance of so many errors and words."""
        rest = self.words - words
        return rest > 0 and self.errors - errors <= GOOD * rest


@dataclass(frozen=True)
class _Heard:
    """What a contestant heard of an utterance that it is far off on.

    makes_sense: false where it is a loop or a phantom phrase, on which nobody agrees.
    """

    by: _Contestant
    prediction: Prediction
    normalizer: str
    makes_sense: bool
    errors: int

    @property
    def raw(self) -> str:
        return self.prediction.hypothesis


def suspicious_references(
    run: Path, models: Sequence[ModelRecord], rows: Sequence[Measurement]
) -> list[SuspiciousReferences]:
    """What there is to look at in each corpus that two checkpoints or more are good on.

    run: the folder with the lines of the task asr. rows: the session's measurements, which say
    how many errors each model made. Models whose lines cannot be read, or are not of the same
    utterances, are left out.

    An utterance is listed where every model that is otherwise good and answered it is far off,
    and a majority of their checkpoints agree with one of them. Two settings of a checkpoint, or
    one checkpoint in several engines, count once.
    """
    numbers = checkpoints(models)
    found = []
    for corpus in dict.fromkeys(m.corpus for m in rows if m.task == "asr"):
        own = [m for m in rows if (m.task, m.corpus, m.slice) == ("asr", corpus, ALL)]
        name = next((m.normalizer for m in own if m.metric == "wer" and m.normalizer), None)
        if name is None:
            continue
        contestants = [
            one
            for model in dict.fromkeys(m.model for m in own)
            if (one := _contestant(run, corpus, model, numbers.get(model), own)) is not None
        ]
        try:
            known = _of_corpus(corpus, contestants, name)
        except (OSError, ValueError):
            continue  # the scores and the page say which line cannot be read
        if known is not None:
            found.append(known)
    return found


def _contestant(
    run: Path, corpus: str, model: str, checkpoint: int | None, own: Sequence[Measurement]
) -> _Contestant | None:
    counts = {m.metric: m for m in own if m.model == model and m.metric in _COUNTS}
    if checkpoint is None or any(
        name not in counts or counts[name].value is None for name in _COUNTS
    ):
        return None
    hits, substitutions, deletions, insertions = (int(counts[n].value or 0) for n in _COUNTS)
    try:
        path = run / as_folder(model) / "asr" / f"{as_folder(corpus)}.jsonl"
        if not path.resolve().is_relative_to(run.resolve()):
            return None
        lines = Lines(path, Prediction)
    except (OSError, ValueError):
        return None
    if len(lines) != counts["hits"].n:
        return None
    return _Contestant(
        model,
        checkpoint,
        lines,
        substitutions + deletions + insertions,
        hits + substitutions + deletions,
    )


def _of_corpus(
    corpus: str, contestants: Sequence[_Contestant], normalizer_name: str
) -> SuspiciousReferences | None:
    """None where fewer than two checkpoints can be compared, or nothing is suspicious."""
    # Those that are good whatever the utterance come first: what they hear right is let go.
    ordered = sorted(contestants, key=lambda c: not c.is_good_without(0, 0))
    if len({c.checkpoint for c in ordered}) < 2:
        return None
    order = [c.model for c in contestants]
    total = 0
    rows: list[SuspiciousReference] = []
    for reference, heard in _candidates(ordered, normalizer_name):
        if _agreed(heard):
            total += 1
            if len(rows) < MOST:
                rows.append(_row(reference, sorted(heard, key=lambda h: order.index(h.by.model))))
    if not total:
        return None
    return SuspiciousReferences(
        corpus=corpus, normalizer=normalizer_name, models=order, total=total, rows=rows
    )


def _candidates(
    contestants: Sequence[_Contestant], normalizer_name: str
) -> Iterator[tuple[Prediction, list[_Heard]]]:
    """Utterances on which each model that is otherwise good, two checkpoints or more, is far off.

    A prediction for its reference, and what each of the models heard.
    """
    files = zip(*(contestant.lines for contestant in contestants), strict=True)
    while some := list(islice(files, _BATCH)):
        for row in some:
            if len({(p.id, p.reference) for p in row}) > 1:
                raise ValueError(f"{row[0].id}: the models have other utterances")
        left: dict[int, list[_Heard]] = {place: [] for place in range(len(some))}
        for number, contestant in enumerate(contestants):
            asked = {place: some[place][number] for place in left}
            heard, right = _looked_at(contestant, asked, normalizer_name)
            left = {
                place: [*known, heard[place]] if place in heard else known
                for place, known in left.items()
                if place not in right
            }
        for place, known in left.items():
            if len({heard.by.checkpoint for heard in known}) > 1:
                yield some[place][0], known


def _looked_at(
    contestant: _Contestant, asked: Mapping[int, Prediction], normalizer_name: str
) -> tuple[Mapping[int, _Heard], set[int]]:
    """What a model that is otherwise good heard where it is far off, by place; where it is not.

    A place at which it does not count is in neither: it is not good, or did not answer.
    """
    answered = [place for place, p in asked.items() if p.error is None]
    aligned = align([asked[place] for place in answered], normalizer_name)
    words = aligned.words
    errors = dict(zip(answered, words[:, 1:].sum(axis=1).tolist(), strict=True))
    length = dict(zip(answered, words[:, :3].sum(axis=1).tolist(), strict=True))
    unlike = [place for place in answered if errors[place]]
    right = set(answered).difference(unlike)
    if not contestant.is_good_without(0, 0):
        right.clear()  # without an utterance that it hears right it is no better
    counted = [p for p in unlike if contestant.is_good_without(errors[p], length[p])]
    wide = [p for p in counted if errors[p] >= max(FEWEST, FAR * length[p]) and length[p]]
    characters = align([asked[place] for place in wide], normalizer_name).characters
    rates = characters[:, 1:].sum(axis=1) / np.maximum(1, characters[:, :3].sum(axis=1))
    far = {p for p, rate in zip(wide, rates.tolist(), strict=True) if rate >= FAR_CHARACTERS}
    heard = {}
    for place in far:
        p = asked[place]
        senseless = loops(p.reference, p.hypothesis, scoring_of(p.lang).code) or phantoms(
            p.reference, p.hypothesis, p.lang
        )
        heard[place] = _Heard(contestant, p, normalizer_name, not senseless, errors[place])
    return heard, right.union(counted) - far


def _agreed(heard: Sequence[_Heard]) -> bool:
    """Whether a majority of the checkpoints agree with one of them."""
    every = {one.by.checkpoint for one in heard}
    most = 0
    for one in heard:
        with_it = {one.by.checkpoint}
        for other in heard:
            if other.by.checkpoint not in with_it and _agree(one, other):
                with_it.add(other.by.checkpoint)
        most = max(most, len(with_it))
    return most > 1 and 2 * most > len(every)


def _agree(one: _Heard, other: _Heard) -> bool:
    if not (one.makes_sense and other.makes_sense):
        return False
    pair = replace(other.prediction, reference=one.raw, alternatives=())
    [counts] = align([pair], one.normalizer).words
    apart, common = int(counts[1:].sum()), int(counts[0])
    return common >= COMMON and apart <= CLOSER * min(one.errors, other.errors)


def _row(reference: Prediction, heard: Sequence[_Heard]) -> SuspiciousReference:
    return SuspiciousReference(
        id=reference.id,
        reference=_clipped(reference.reference),
        heard=[
            HeardThere(model=h.by.model, hypothesis=_clipped(h.raw), errors=h.errors) for h in heard
        ],
    )


def _clipped(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}..."
