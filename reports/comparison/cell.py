"""One model on one corpus in two runs, and what is compared of it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evals.gate.paired_change import NotComparable, changes, paired_difference
from evals.gate.thresholds import Thresholds
from evals.gate.verdict import decide
from evals.measures.statistics.further_evidence import further_evidence
from evals.measures.statistics.paired_interval import Floats
from evals.measures.text.alignment import Aligned
from evals.measures.text.normalizers import NORMALIZERS
from evals.metrics import metric_of
from evals.records.atomic_json import as_folder
from evals.records.measurement import Figure, Limit, Measurement, Verdict
from fixtures.dialogues.dialogues import Dialogues
from reports.comparison.pairing import BrokenRun, Line, Paired, read
from reports.comparison.result import Change, Comparison, Pairing, direction
from reports.comparison.utterance_changes import Of, moved, turned
from reports.scorecard.scorecard import Scorecard


@dataclass(frozen=True, slots=True)
class Side:
    """A run on one side of the comparison."""

    name: str
    folder: Path
    card: Scorecard

    def rows(self, model: str, task: str, corpus: str) -> list[Measurement]:
        return [
            m
            for m in self.card.measurements
            if (m.model, m.task, m.corpus) == (model, task, corpus)
        ]

    def own_interval(self, model: str, of: Of, metric: str) -> tuple[float, float] | None:
        """The interval that the run gives a figure, over all its utterances."""
        rows = self.rows(model, of.task, of.corpus)
        return next((m.ci for m in rows if (m.metric, m.slice) == (metric, of.slice)), None)

    def cells(self, model: str) -> list[tuple[str, str]]:
        return list(
            dict.fromkeys((m.task, m.corpus) for m in self.card.measurements if m.model == model)
        )

    def content_hash(self, corpus: str) -> str | None:
        known = {c.name: c.content_hash for c in self.card.provenance.corpora}
        return known.get(corpus)

    def has_sound(self, corpus: str) -> bool:
        """Whether the corpus's sound was there; else its ids and references say what it is."""
        return all(c.has_sound for c in self.card.provenance.corpora if c.name == corpus)

    def path(self, model: str, task: str, corpus: str, part: str | None = None) -> Path:
        """Raises BrokenRun for a name that leads elsewhere."""
        try:
            folder = self.folder / as_folder(model) / as_folder(task)
            as_folder(corpus)
        except ValueError as error:
            raise BrokenRun(f"{self.folder}: {error}") from None
        return folder / corpus / f"{part}.jsonl" if part else folder / f"{corpus}.jsonl"


@dataclass
class Cell:
    """One model, task and corpus that both runs have predictions of."""

    of: Of
    before: Side
    after: Side
    thresholds: Thresholds
    found: Comparison
    content_hash: str | None
    dialogues: Mapping[str, Dialogues]

    def normalizer(self) -> str:
        """The one that both were scored with. Raises NotComparable for two."""
        names = []
        for side, model in ((self.before, self.of.before), (self.after, self.of.after)):
            rows = side.rows(model, self.of.task, self.of.corpus)
            own = [m.normalizer for m in rows if is_compared(m.metric) and m.normalizer]
            if not own:
                raise NotComparable(f"{side.name} has no scored text of {model}")
            names.append(own[0])
        old, new = names
        if old != new:
            raise NotComparable(
                f"it was scored with the normalizer {old} in {self.before.name}, with {new} in "
                f"{self.after.name}"
            )
        if new not in NORMALIZERS:
            raise NotComparable(f"no normalizer is called {new!r}")
        return new

    def lines(self, kind: type[Line], part: str | None = None) -> tuple[list[Line], list[Line]]:
        """The lines of both runs. Raises BrokenRun naming the file, and the line."""
        of = self.of
        return (
            read(self.before.path(of.before, of.task, of.corpus, part), kind),
            read(self.after.path(of.after, of.task, of.corpus, part), kind),
        )

    def add(
        self,
        of: Of,
        metric: str,
        rates: tuple[float | None, float | None],
        figure: Figure,
        *,
        normalizer: str | None,
        held: bool = True,
    ) -> None:
        """Record a change. held: whether a margin counts, if there is one."""
        limit = self.thresholds.margins(of.task).get(f"{metric}_change") if held else None
        verdict = decide(figure, [limit])[0] if limit is not None else None
        self.found.paired.append(
            Change(
                of=of,
                metric=metric,
                before=rates[0],
                after=rates[1],
                change=figure.value,
                ci=figure.ci,
                n=figure.n,
                normalizer=normalizer,
                direction=direction(metric, figure),
                margin=abs(limit.value) if limit is not None else None,
                verdict=verdict,
                reason=figure.reason,
                further_utterances=_further(figure, limit, verdict),
                before_ci=self.before.own_interval(of.before, of, metric),
                after_ci=self.after.own_interval(of.after, of, metric),
            )
        )

    def add_ratio(
        self,
        metric: str,
        tops: Sequence[Floats],
        bottom: Floats,
        normalizer: str | None,
        clusters: Sequence[Hashable] | None = None,
    ) -> None:
        """Record the change of a ratio of sums. tops: before and after; bottom: of both.

        clusters: whose utterance each is, where they hang together.
        """
        none = "there is no audio to compare by"
        figure = paired_difference(tops[1] - tops[0], bottom, clusters, otherwise=none)
        old, new = (float(top.sum()) for top in tops)
        total = float(bottom.sum())
        rates = (old / total, new / total) if total else (None, None)
        self.add(self.of, metric, rates, figure, normalizer=normalizer)

    def add_texts(
        self,
        of: Of,
        before: Aligned,
        after: Aligned,
        metrics: Sequence[str],
        *,
        held: bool = True,
        listed: bool = True,
    ) -> None:
        """Record the changes of texts that were heard, and the utterances that moved."""
        figures = changes(before, after)
        old, new = shares_of(before), shares_of(after)
        for metric in metrics:
            self.add(
                of,
                metric,
                (old[metric], new[metric]),
                figures[f"{metric}_change"],
                normalizer=None if metric == "success_rate" else after.normalizer,
                held=held,
            )
        if listed:
            self.found.worse += moved(of, before, after)
            self.found.better += [turned(m) for m in moved(of, after, before)]

    def note_pairing(self, of: Of, paired: Paired[Line]) -> None:
        """Say how many pairs there are, and what is missing. Raises NotComparable for none."""
        if not paired.before:
            raise NotComparable("no utterance is in both runs")
        self.found.pairings.append(
            Pairing(of, len(paired.before), paired.only_before, paired.only_after)
        )


def _further(figure: Figure, limit: Limit | None, verdict: Verdict | None) -> int | None:
    if limit is None or verdict != "inconclusive":
        return None
    return further_evidence(figure, limit).utterances


def is_compared(metric: str) -> bool:
    """Whether two runs' figures are compared.

    Not those of a corpus by its parts, nor a run's own changes since its baseline.
    """
    return metric_of(metric).may_be_limited and metric_of(metric).change_of is None


def shares_of(aligned: Aligned) -> dict[str, float | None]:
    """The rates over these utterances alone, by metric."""
    n = len(aligned.predictions)

    def of(counts: np.ndarray) -> float | None:
        length = int(counts[:, :3].sum())
        return int(counts[:, 1:].sum()) / length if length else None

    wrong = int((aligned.words[:, 1:].sum(axis=1) > 0).sum())
    answered = sum(p.error is None for p in aligned.predictions)
    return {
        "wer": of(aligned.words),
        "cer": of(aligned.characters),
        "sentence_error_rate": wrong / n if n else None,
        "success_rate": answered / n if n else None,
    }
