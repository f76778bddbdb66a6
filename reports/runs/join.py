"""Runs of other tasks or corpora of the same models put together to one, for one answer of all."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.run import run_file
from evals.run.folder import reserve
from evals.run.identity import differences, summary
from evals.run.options import DECLARED, not_default
from reports.recommendation.suggested_command import resume_command
from reports.scorecard import scorecard, task_record
from reports.scorecard.scorecard import ModelRecord, Provenance, Run, Scorecard
from reports.scorecard.task_record import TaskRecord


class NotJoined(ValueError):
    """Runs cannot be put together; the message names them and says why."""


@dataclass(frozen=True)
class Joined:
    """A run that is to be joined: its folder, scorecard, records, options and models' identities.

    options: those not at their default. identities: empty where the run keeps none.
    """

    folder: Path
    card: Scorecard
    tasks: Sequence[TaskRecord]
    options: Mapping[str, Any]
    identities: Mapping[str, Any]

    @property
    def limits(self) -> str:
        """SHA-256 of the limits that its figures were held to."""
        return (self.card.rescored or self.card.provenance).thresholds_sha256


def read(runs: Sequence[Path]) -> list[Joined]:
    """The runs, fit to be joined. Raises NotJoined, which names what sets two of them apart."""
    found = [_read(run) for run in runs]
    if len(found) < 2:
        raise NotJoined("two runs or more are needed: one is joined already")
    first = found[0]
    for other in found[1:]:
        _refuse_strangers(first, other)
    _refuse_twins(found)
    return found


def join(found: Sequence[Joined], runs_dir: Path) -> Path:
    """A new run in `runs_dir` with all that the runs keep; it has no figures yet.

    found: what `read` gave.
    """
    folder = reserve(runs_dir.resolve())
    try:
        whole: dict[tuple[str, str], TaskRecord] = {}
        for one in found:
            for record in one.tasks:
                key = record.model.name, record.task
                known = whole.get(key)
                cases = [*(known.cases if known else []), *record.cases]
                update = {"run": folder.name, "cases": cases}
                whole[key] = record.model_copy(update=update)
                _copy(one.folder, folder, *key)
        for record in whole.values():
            task_record.write_record(folder, record)
        scorecard.write(_unscored(folder, found), folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # half a run would look like one
        raise
    return folder


def _read(run: Path) -> Joined:
    try:
        card = scorecard.read(run / scorecard.FILE_NAME)
        tasks = task_record.read(run, [model.name for model in card.models])
        begun = run_file.read(run) if (run / run_file.NAME).exists() else None
    except ValueError as error:
        raise NotJoined(str(error)) from None
    if card.run.shard is not None:
        raise NotJoined(
            f"{run}: shard {card.run.shard} of a corpus: put all of them together first, by "
            "python -m reports merge"
        )
    if not card.run.complete:
        raise NotJoined(f"{run}: the run was interrupted: {resume_command(run)}")
    kept = {(record.model.name, record.task) for record in tasks}
    for m in card.measurements:
        if (m.model, m.task) not in kept:
            raise NotJoined(f"{run / m.model / m.task}.json: no such file, so nothing to join")
    options = card.provenance.options
    if options is None:
        options = not_default(begun["options"]) if begun else {}
    return Joined(run, card, tasks, options, begun["models"] if begun else {})


def _refuse_strangers(first: Joined, other: Joined) -> None:
    """Raise NotJoined where two runs are not of one set of models, held to the same."""
    here, there = ([m.name for m in one.card.models] for one in (first, other))
    for name in [*here, *there]:
        if (name in here) != (name in there):
            has, lacks = (first, other) if name in here else (other, first)
            raise NotJoined(
                f"{has.folder} is of the model {name} too, and {lacks.folder} is not: join runs of "
                "the same models"
            )
    if changed := differences(_terms(first, other), _terms(other, first)):
        raise NotJoined(f"{other.folder} cannot be joined to {first.folder}: {summary(changed)}")


def _terms(one: Joined, other: Joined) -> dict[str, Any]:
    """What two runs must have in common, under names for people."""
    twins = {record.name: record for record in other.card.models}
    theirs = {corpus.name for corpus in other.card.provenance.corpora}
    common = {r.task for r in one.tasks} & {r.task for r in other.tasks}
    terms: dict[str, Any] = {
        f"model {record.name}": {
            **_of_model(record, twins[record.name]),
            **(_engine_file(record.name, one) if one.identities and other.identities else {}),
        }
        for record in one.card.models
    }
    terms |= {
        f"corpus {corpus.name}": corpus.content_hash
        for corpus in one.card.provenance.corpora
        if corpus.name in theirs
    }
    terms |= {
        option.typed: one.options.get(option.name, option.default)
        for option in DECLARED
        if option.alike and (option.tasks is None or option.tasks & common)
    }
    terms |= {
        "--threads": one.card.provenance.threads,
        "--seed": one.card.provenance.seed,
        "--gate": one.card.run.gate,
        "limits": one.limits,
    }
    if one.card.baseline and other.card.baseline:
        terms["--baseline"] = one.card.baseline
    return terms


def _engine_file(model: str, run: Joined) -> dict[str, Any]:
    """The hash of the file of an engine from outside the project."""
    identity = run.identities.get(model)
    return {"engine_sha256": identity.get("engine_sha256") if isinstance(identity, dict) else None}


def _of_model(record: ModelRecord, other: ModelRecord) -> dict[str, Any]:
    """The terms of a model; those that only a loaded model knows, where both runs know them."""
    same_content = (
        record.checkpoint_sha256 is not None and record.checkpoint_sha256 == other.checkpoint_sha256
    )
    terms: dict[str, Any] = {
        "engine": record.engine,
        # The same content may lie elsewhere.
        "checkpoint": "" if same_content else record.checkpoint,
        "options": dict(record.options),
        "tier": record.tier,
        "licence": record.licence,
    }
    known = {
        "revision": (record.revision, other.revision),
        "checkpoint_sha256": (record.checkpoint_sha256, other.checkpoint_sha256),
        "device": (record.device, other.device),
        "device_name": (record.device_name, other.device_name),
        "python": (record.python, other.python),
        "packages": (record.packages, other.packages),
        "parts": (record.parts, other.parts),
    }
    for name, (mine, theirs) in known.items():
        if mine and theirs:
            terms[name] = (
                {part: p.model_dump() for part, p in record.parts.items()}
                if name == "parts"
                else mine
            )
    return terms


def _refuse_twins(found: Sequence[Joined]) -> None:
    """Raise NotJoined where a model's answers for a task on a corpus are there twice."""
    seen: dict[tuple[str, str, str], Joined] = {}
    for one in found:
        for record in one.tasks:
            for case in record.cases:
                twin = seen.setdefault((record.model.name, record.task, case.corpus), one)
                if twin is not one:
                    raise NotJoined(
                        f"{twin.folder} and {one.folder} both have {record.model.name} on "
                        f"{case.corpus} ({record.task}): which of the two counts is not said"
                    )


def _copy(run: Path, folder: Path, model: str, task: str) -> None:
    """The files of a model's task: lines, sounds and what made them."""
    source = run / model / task
    if source.is_dir():
        # Links stay links: what they lead to is no part of the run.
        shutil.copytree(source, folder / model / task, symlinks=True, dirs_exist_ok=True)


def _unscored(folder: Path, found: Sequence[Joined]) -> Scorecard:
    """The scorecard of them all, before there are figures."""
    first = found[0].card
    cards = [one.card for one in found]
    run = Run(
        id=folder.name,
        started=min(card.run.started for card in cards),
        seconds=round(sum(card.run.seconds for card in cards), 3),
        exit_status=0,
        complete=True,
        gate=first.run.gate,
        conditions=sorted({c for card in cards for c in card.run.conditions}),
        hardware=next((c.run.hardware for c in cards if c.run.hardware is not None), None),
        joined=[one.folder.resolve().name for one in found],
        problems=list(dict.fromkeys(p for card in cards for p in card.run.problems)),
    )
    update = {
        "run": run,
        "provenance": _provenance(found),
        "models": [_fullest([card.models for card in cards], m.name) for m in first.models],
        "measurements": [],
        "grades": [],
        "baseline": None,
        "rescored": None,
    }
    return first.model_copy(update=update)


def _fullest(models: Sequence[Sequence[ModelRecord]], name: str) -> ModelRecord:
    """A model's record from a run that loaded it, if any did."""
    known = [record for one in models for record in one if record.name == name]
    return next((record for record in known if record.device is not None), known[0])


def _provenance(found: Sequence[Joined]) -> Provenance:
    """The first run's, with the corpora and packages of all, and the options that name corpora."""
    first = found[0].card.provenance
    corpora = {c.name: c for one in reversed(found) for c in one.card.provenance.corpora}
    packages = {n: v for one in reversed(found) for n, v in one.card.provenance.packages.items()}
    options: dict[str, Any] = {}
    for one in found:
        for name, value in one.options.items():
            known = options.setdefault(name, value)
            if isinstance(known, list) and isinstance(value, list):
                options[name] = list(dict.fromkeys([*known, *value]))
    return first.model_copy(
        update={"corpora": [*corpora.values()], "packages": packages, "options": options}
    )
