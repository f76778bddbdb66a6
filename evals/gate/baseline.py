"""A finished run that later ones must not be worse than."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from evals.gate.case import Case
from evals.gate.evaluation import Evaluation
from evals.gate.paired_change import NotComparable, Worsened, changes, worsened
from evals.measures.text.error_counts import Counted, Scored
from evals.records.atomic_json import why_not
from evals.records.jsonl_reader import Lines
from evals.records.measurement import Figure
from evals.records.predictions import Prediction
from fixtures.safe_text import one_line

#: Where `python -m reports promote` keeps the runs that have a name.
FOLDER = "baselines"


class BaselineError(ValueError):
    """A baseline cannot be read; the message names the file and says what to do."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class _Run(_Part):
    id: str
    complete: bool
    exit_status: int
    shard: str | None = None


class _Corpus(_Part):
    name: str
    content_hash: str
    has_sound: bool = True


class _Provenance(_Part):
    corpora: list[_Corpus]


class _Row(_Part):
    model: str
    task: str
    corpus: str
    metric: str
    normalizer: str | None


class _Card(_Part):
    """As much of scorecard.json as a comparison needs."""

    run: _Run
    provenance: _Provenance
    measurements: list[_Row]


#: The name under which utterances that got worse travel in user_properties.
WORSENED = "model_lab.worsened"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What became of one model on one corpus since the baseline."""

    figures: Mapping[str, Figure]
    worsened: list[Worsened]


class Baseline:
    """A scorecard with its predictions beside it.

    renamed: a model to the one of the scorecard that it is held to, where that has another name.
    """

    def __init__(self, scorecard: Path, renamed: Mapping[str, str] | None = None) -> None:
        self.path = scorecard
        self.renamed = renamed or {}
        try:
            self._card = _Card.model_validate_json(scorecard.read_bytes())
        except OSError as error:
            raise BaselineError(why_not(scorecard, error)) from None
        except ValidationError as error:
            why = f"{why_not(scorecard, error)}: not a scorecard of Model Lab"
            raise BaselineError(why) from None
        if not self._card.run.complete:
            raise BaselineError(f"{scorecard}: its run was interrupted, so it is no baseline")
        if self._card.run.shard is not None:
            raise BaselineError(
                f"{scorecard}: of shard {self._card.run.shard} alone: python -m reports merge "
                "makes a whole of all"
            )
        for new, old in self.renamed.items():
            if old not in self._own_models:
                known = ", ".join(sorted(self._own_models)) or "none"
                raise BaselineError(f"--map {old}={new}: no model {old} in it. Models: {known}")

    @property
    def models(self) -> frozenset[str]:
        """The models that it has figures to hold them to."""
        return self._own_models | frozenset(self.renamed)

    @property
    def _own_models(self) -> frozenset[str]:
        return frozenset(row.model for row in self._card.measurements)

    def compare(
        self, case: Case, content_hash: str, after: Scored, *, has_sound: bool = True
    ) -> Comparison:
        """What became of the case since. has_sound: whether its corpus's sound was there.

        Raises NotComparable where the baseline is of another corpus, normalizer or task. Without
        sound in one of them, a corpus is the same by its ids and references.
        """
        case = replace(case, model=self.renamed.get(case.model, case.model))
        normalizer = self._normalizer(case)
        if normalizer is None:
            raise NotComparable(f"it has no {case.task} of {case.model} on {case.corpus}")
        corpora = {corpus.name: corpus for corpus in self._card.provenance.corpora}
        known = corpora.get(case.corpus)
        if known is None or (known.content_hash != content_hash and has_sound and known.has_sound):
            was = one_line(known.content_hash[:12]) if known is not None else "unknown"
            raise NotComparable(
                f"its corpus {case.corpus} is another one (content hash {was}, now "
                f"{content_hash[:12]}): make a baseline on the present one"
            )
        if normalizer != after.normalizer:
            raise NotComparable(
                f"it was scored with {one_line(normalizer)}, now with {after.normalizer}"
            )
        try:
            before = Counted(Lines(self._file(case), Prediction), normalizer)
        except (OSError, ValueError) as error:
            raise NotComparable(f"its predictions cannot be read: {error}") from None
        return Comparison(changes(before, after), worsened(before, after))

    def check_lines(self, case: Case) -> None:
        """Raise BaselineError where it has the case, and its predictions cannot be read."""
        case = replace(case, model=self.renamed.get(case.model, case.model))
        if self._normalizer(case) is None:
            return
        try:
            for _ in Lines(self._file(case), Prediction):
                pass
        except OSError as error:
            raise BaselineError(why_not(self._file(case), error)) from None
        except ValueError as error:
            raise BaselineError(str(error)) from None

    def _file(self, case: Case) -> Path:
        return self.path.parent / case.model / case.task / f"{case.corpus}.jsonl"

    def _normalizer(self, case: Case) -> str | None:
        key = (case.model, case.task, case.corpus, "wer")
        rows = [r for r in self._card.measurements if (r.model, r.task, r.corpus, r.metric) == key]
        return next((row.normalizer for row in rows if row.normalizer is not None), None)


def held_to_baseline(
    evaluation: Evaluation,
    baseline: Baseline,
    content_hash: str,
    after: Scored,
    *,
    has_sound: bool = True,
) -> None:
    """Record each change since the baseline against its margin, and attach what got worse.

    A model that the baseline does not have is new: there is nothing to hold it to. Another
    corpus or normalizer under the same name is refused, which fails the gate.
    """
    if not evaluation.margins:
        return
    try:
        comparison = baseline.compare(evaluation.case, content_hash, after, has_sound=has_sound)
    except NotComparable as error:
        reason = f"not compared with {baseline.path}: {error}"
        evaluation.record_missing(list(evaluation.margins), "error", reason, gated=True)
        return
    evaluation.record(comparison.figures, normalizer=after.normalizer)
    evaluation.attach(WORSENED, [asdict(w) for w in comparison.worsened])


def renamed_pair(text: str) -> tuple[str, str]:
    """The models of a value of `--map`: the old one, and the new one. Raises ValueError."""
    old, equals, new = text.partition("=")
    if not (old and equals and new) or old == new:
        raise ValueError(f"{text}: two different models, as OLD=NEW, are expected")
    return old, new


def renamed_models(
    given: Sequence[str], requested: Mapping[str, str] | None = None
) -> Mapping[str, str]:
    """New model to old one, of the values of `--map`.

    requested: models as `--model` names them to their names; either may be given. Raises
    BaselineError for what is no pair, and for a new model that is there twice.
    """
    found: dict[str, str] = {}
    for text in given:
        try:
            old, new = renamed_pair(text)
        except ValueError as error:
            raise BaselineError(f"--map {error}") from None
        new = (requested or {}).get(new, new)
        if found.setdefault(new, old) != old:
            raise BaselineError(f"--map {text}: {new} is held to {found[new]} already")
    return found


def find(named: str) -> Path:
    """The scorecard that `--baseline` means: a file, a run's folder, or a promoted name.

    Raises BaselineError where there is none.
    """
    given = Path(named)
    for path in (given, given / "scorecard.json", Path(FOLDER) / named / "scorecard.json"):
        if path.is_file():
            # runs/latest is another run by the time that it is asked for again.
            folder = path.parent
            return (
                folder.parent / folder.readlink() if folder.is_symlink() else folder
            ) / path.name
    raise BaselineError(
        f"no scorecard at {given}, and no baseline of that name in {FOLDER}/ "
        "(python -m reports promote RUN makes one)"
    )
