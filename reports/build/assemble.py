"""A scorecard from measurements: the same for a session, a rescored run and merged ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evals.gate.baseline import WORSENED
from evals.gate.evaluation import NOTE
from evals.gate.thresholds import Thresholds
from evals.records.measurement import Measurement
from evals.records.non_speech import NON_SPEECH
from evals.task import TASKS
from evals.tasks.asr.breakdown import CONFUSIONS
from evals.tasks.asr.dominant import DOMINANT
from reports.build.suspicious_references import suspicious_references
from reports.recommendation.recommend import recommend_all
from reports.recommendation.suggested_command import SuggestedCommand
from reports.scorecard.cost import Cell, Prices, Spent, costs
from reports.scorecard.grades import grade_models
from reports.scorecard.normalizer_flips import flips
from reports.scorecard.parts import NonSpeechTexts
from reports.scorecard.scorecard import (
    DominantUtterance,
    ModelRecord,
    Provenance,
    Recommendation,
    Rescored,
    Run,
    Scorecard,
    WordErrors,
    WorsenedUtterances,
)
from reports.text.findings.non_speech import differences_in_non_speech


@dataclass
class Findings:
    """What tests found: figures, and what explains them."""

    measurements: list[Measurement] = field(default_factory=list)
    word_errors: list[WordErrors] = field(default_factory=list)
    worsened: list[WorsenedUtterances] = field(default_factory=list)
    dominant: list[DominantUtterance] = field(default_factory=list)
    non_speech: list[NonSpeechTexts] = field(default_factory=list)
    #: Models of which a test failed.
    failed: set[str] = field(default_factory=set)
    #: What to know of a model beside its figures, a line each.
    notes: list[str] = field(default_factory=list)

    def note(self, name: str, data: Any) -> None:
        """Take what an `Evaluation` attaches."""
        if name == CONFUSIONS:
            self.word_errors.append(WordErrors(**data))
        elif name == WORSENED:
            self.worsened.append(WorsenedUtterances(**data))
        elif name == DOMINANT:
            of = {"model": data["model"], "corpus": data["corpus"]}
            self.dominant += [DominantUtterance(**of, **row) for row in data["rows"]]
        elif name == NON_SPEECH:
            of = {"model": data["model"], "corpus": data["corpus"]}
            self.non_speech.append(NonSpeechTexts(**of, **data["rows"]))
        elif name == NOTE:
            self.notes += [str(line) for line in data["rows"]]


def assemble(
    findings: Findings,
    *,
    run: Run,
    provenance: Provenance,
    models: Sequence[ModelRecord],
    corpora: Sequence[str],
    thresholds: Thresholds,
    prices: Prices,
    hardware: str | None,
    baseline: str | None,
    rescored: Rescored | None = None,
    folder: Path | None = None,
    options: Mapping[str, Any] | None = None,
) -> Scorecard:
    """Grade, compare and recommend. models, corpora: in the order in which they are shown.

    folder: the run's, with the lines of the models; None: there are none to look at.
    options: that suggested commands repeat, where others than the session's.
    """
    order = [model.name for model in models]
    rows = sorted(
        findings.measurements,
        key=lambda m: (order.index(m.model), m.task, corpora.index(m.corpus)),
    )

    def place(
        part: WordErrors | WorsenedUtterances | DominantUtterance | NonSpeechTexts,
    ) -> tuple[int, int]:
        return order.index(part.model), corpora.index(part.corpus)

    failed = frozenset(findings.failed)
    licences = {model.name: model.licence for model in models}
    known = provenance.options or {} if options is None else options
    command = SuggestedCommand.of(known, models, provenance.corpora, rows)
    first, every = recommend_all(rows, order, failed, thresholds, licences, command)
    non_speech = sorted(findings.non_speech, key=place)
    if differing := differences_in_non_speech(non_speech):
        first, every = _also(first, differing), [_also(one, differing) for one in every]
    if run.shard is not None:
        first, every = _withheld(first, run.shard), [_withheld(one, run.shard) for one in every]

    return Scorecard(
        run=run,
        provenance=provenance,
        models=list(models),
        measurements=rows,
        grades=grade_models(rows, order, thresholds, run.gate, failed),
        recommendation=first,
        recommendations=every,
        costs=costs(models, rows, provenance, prices, hardware=hardware, spent=_spent(rows)),
        baseline=baseline,
        word_errors=sorted(findings.word_errors, key=place),
        worsened=sorted(findings.worsened, key=place),
        dominant_utterances=sorted(findings.dominant, key=place),
        non_speech=non_speech,
        suspicious_references=(
            suspicious_references(folder, models, rows) if folder is not None else []
        ),
        sensitivity=flips(rows),
        rescored=rescored,
    )


def _also(one: Recommendation, said: Sequence[str]) -> Recommendation:
    """A recommendation of a recognizer that says too which of them hear words in non-speech."""
    if TASKS[one.task].corpus != "speech":
        return one
    return one.model_copy(update={"reason": "; ".join([one.reason, *said])})


def _withheld(one: Recommendation, shard: str) -> Recommendation:
    """The recommendation of a shard: none, since it is of a part of the corpus alone."""
    update = {
        "model": None,
        "runner_up": None,
        "reason": f"this is shard {shard} of the corpus alone",
        "decided_by": [],
        "would_change": [],
        "not_run": [],
        "to_run": ["uv run python -m reports merge RUN RUN..."],
    }
    return one.model_copy(update=update)


def _spent(rows: Sequence[Measurement]) -> dict[Cell, Spent]:
    """What the answers of each model, task and corpus took."""
    found: dict[Cell, Spent] = {}
    energy = {(m.model, m.task, m.corpus): m for m in rows if m.metric == "energy"}
    for m in rows:
        if m.metric == "processing_time" and m.value is not None:
            counted = energy.get((m.model, m.task, m.corpus))
            rate = counted.value if counted else None
            method = (counted.reason or "").removeprefix("counted by ") if counted else None
            found[m.model, m.task, m.corpus] = Spent(m.value, rate, method)
    return found
