"""Run records: one JSON per model and task, with all that scores it again without the model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, ValidationError

from evals.gate.case import Case
from evals.records.atomic_json import as_folder, why_not, write_json
from fixtures.safe_text import one_line
from reports.scorecard.parts import Part
from reports.scorecard.scorecard import ModelRecord

Outcome: TypeAlias = Literal["passed", "failed", "skipped"]


class CaseRecord(Part):
    """One test of a task: a model on a corpus."""

    tier: str
    corpus: Annotated[str, AfterValidator(as_folder)]
    outcome: Outcome
    gate_broken: bool = Field(description="it failed because a limit was broken, and only so")
    message: str | None = Field(description="why it failed or was skipped")
    facts: dict[str, Any] | None = Field(
        description="what the lines do not say; null where the test did not get to its figures"
    )


class TaskRecord(Part):
    """`runs/<run>/<model>/<task>.json`; the lines are in the folder `<task>` beside it."""

    schema_version: Literal[1] = 1
    run: str
    model: ModelRecord
    task: str
    cases: list[CaseRecord]


@dataclass(slots=True)
class Seen:
    """What a session saw of one test."""

    case: Case
    outcome: Outcome = "passed"
    gate_broken: bool = False
    message: str | None = None
    facts: Mapping[str, Any] | None = None


def write(run: Path, models: Sequence[ModelRecord], seen: Iterable[Seen]) -> None:
    """Write the record of each model and task, each whole or not at all."""
    by_name = {model.name: model for model in models}
    known = [s for s in _whole(seen) if s.case.model in by_name]
    known.sort(key=lambda s: (s.case.model, s.case.task))
    for (model, task), group in groupby(known, key=lambda s: (s.case.model, s.case.task)):
        record = TaskRecord(
            run=run.name,
            model=by_name[model],
            task=task,
            cases=[
                CaseRecord(
                    tier=s.case.tier,
                    corpus=s.case.corpus,
                    outcome=s.outcome,
                    gate_broken=s.gate_broken,
                    message=s.message,
                    facts=dict(s.facts) if s.facts is not None else None,
                )
                for s in group
            ],
        )
        write_record(run, record)


def write_record(run: Path, record: TaskRecord) -> None:
    """Write one record, whole or not at all."""
    write_json(run / record.model.name / f"{record.task}.json", record.model_dump(mode="json"))


def _whole(seen: Iterable[Seen]) -> list[Seen]:
    """One record for each case; several processes may each have tested a part of it."""
    found: dict[Case, Seen] = {}
    for one in seen:
        known = found.setdefault(one.case, one)
        if known is not one:
            facts = known.facts if known.facts is not None else one.facts
            found[one.case] = replace(max(known, one, key=_badness), facts=facts)
    return list(found.values())


def _badness(seen: Seen) -> tuple[int, bool]:
    """The rank of an outcome: failures last, and of these one that is no broken limit."""
    order: Sequence[Outcome] = ("passed", "skipped", "failed")
    return order.index(seen.outcome), seen.outcome == "failed" and not seen.gate_broken


def read(run: Path, models: Iterable[str]) -> list[TaskRecord]:
    """The records of these models. Raises ValueError naming the file that is none."""
    found = []
    for model in models:
        try:
            folder = run / as_folder(model)
        except ValueError as error:
            raise ValueError(one_line(f"{run}: models.name: {error}")) from None
        for path in sorted(folder.glob("*.json")):
            try:
                found.append(TaskRecord.model_validate_json(path.read_bytes()))
            except OSError as error:
                raise ValueError(why_not(path, error)) from None
            except ValidationError as error:
                why = f"{why_not(path, error)}: not a run record of Model Lab"
                raise ValueError(why) from None
            if (found[-1].model.name, found[-1].task) != (model, path.stem):
                raise ValueError(one_line(f"{path}: of another model or task than its name says"))
    return found
