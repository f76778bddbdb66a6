"""The runs of all shards of a corpus put together to one, as if one session had made it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evals.measures.run_conditions import MIXED
from evals.records.jsonl_reader import LineError, Lines
from evals.records.predictions import Prediction
from evals.run import run_file
from evals.run import shards as parts
from evals.run.folder import reserve
from evals.run.identity import differences, summary
from evals.run.options import OF_RUN
from evals.run.shards import merged_facts
from fixtures.safe_text import one_line
from reports.recommendation.suggested_command import resume_command
from reports.scorecard import scorecard, task_record
from reports.scorecard.scorecard import Run, Scorecard
from reports.scorecard.task_record import CaseRecord, Outcome, TaskRecord

#: Of outcomes, the worst last.
_ORDER: Sequence[Outcome] = ("passed", "skipped", "failed")


class NotMerged(ValueError):
    """Runs cannot be put together; the message names the run and says why."""


@dataclass(frozen=True)
class Shard:
    """The run of one part: its folder, scorecard, records and what it was begun as."""

    folder: Path
    part: parts.Part
    card: Scorecard
    tasks: Mapping[tuple[str, str], TaskRecord]
    begun: Mapping[str, Any]


def merge(runs: Sequence[Path], runs_dir: Path) -> Path:
    """A new run in `runs_dir` with the predictions of all shards; it has no figures yet.

    Raises NotMerged, before anything is written, where the shards are not of one run, are not
    complete, or do not hold every utterance once.
    """
    shards = sorted((_read(run) for run in runs), key=lambda shard: shard.part.number)
    _refuse_gaps(shards)
    first = shards[0]
    for other in shards[1:]:
        _refuse_strangers(first, other)
        _refuse_more(first, other)
    folder = reserve(runs_dir.resolve())
    try:
        for key, record in first.tasks.items():
            cases = [_together(folder, shards, key, case) for case in record.cases]
            update = {"run": folder.name, "cases": cases}
            task_record.write_record(folder, record.model_copy(update=update))
        scorecard.write(_unscored(folder, shards), folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # half a run would look like one
        raise
    return folder


def _unscored(folder: Path, shards: Sequence[Shard]) -> Scorecard:
    """The scorecard of them all, before there are figures."""
    first = shards[0]
    run = Run(
        id=folder.name,
        started=min(shard.card.run.started for shard in shards),
        seconds=round(sum(shard.card.run.seconds for shard in shards), 3),
        exit_status=0,
        complete=True,
        gate="tier",
        conditions=_conditions(shards),
        hardware=first.card.run.hardware,
        shards=[shard.folder.name for shard in shards],
        problems=[p for shard in shards for p in shard.card.run.problems],
    )
    options = first.card.provenance.options
    if options is not None:  # those of a part that are not the whole's
        options = {name: v for name, v in options.items() if name not in ("shard", "gate")}
    provenance = first.card.provenance.model_copy(update={"options": options})
    update: dict[str, Any] = {
        "run": run,
        "provenance": provenance,
        "measurements": [],
        "grades": [],
        "baseline": None,
        "rescored": None,
    }
    return first.card.model_copy(update=update)


def _read(run: Path) -> Shard:
    try:
        card = scorecard.read(run / scorecard.FILE_NAME)
        found = task_record.read(run, [model.name for model in card.models])
        begun = run_file.read(run)
    except ValueError as error:
        raise NotMerged(str(error)) from None
    if card.run.shard is None:
        raise NotMerged(f"{run}: not a shard: its session had no --shard")
    if not card.run.complete:
        raise NotMerged(f"{run}: shard {card.run.shard} was interrupted: {resume_command(run)}")
    tasks = {(record.model.name, record.task): record for record in found}
    return Shard(run, parts.parse(card.run.shard), card, tasks, begun)


def _refuse_gaps(shards: Sequence[Shard]) -> None:
    of = shards[0].part.of
    seen: dict[int, Shard] = {}
    for shard in shards:
        if shard.part.of != of:
            raise NotMerged(
                f"{shard.folder} is shard {shard.part}, and {shards[0].folder} is {shards[0].part}"
            )
        twin = seen.setdefault(shard.part.number, shard)
        if twin is not shard:
            raise NotMerged(f"{twin.folder} and {shard.folder} are both shard {shard.part}")
    missing = [f"{number}/{of}" for number in range(1, of + 1) if number not in seen]
    if missing:
        is_are = "is" if len(missing) == 1 else "are"
        raise NotMerged(f"shard {', '.join(missing)} {is_are} missing")


def _refuse_strangers(first: Shard, other: Shard) -> None:
    """Raise NotMerged where two shards were not made alike."""

    def made(shard: Shard) -> dict[str, Any]:
        card = shard.card
        return {
            "code": card.provenance.git_sha,
            "models": shard.begun["models"],
            "checkpoints": {m.name: m.checkpoint_sha256 or m.revision for m in card.models},
            "packages": {m.name: m.packages for m in card.models},
            "corpora": {c.name: c.content_hash for c in card.provenance.corpora},
            "options": {
                option.typed: shard.begun["options"].get(option.name)
                for option in OF_RUN
                if option.alike or option.selects
            },
            "files": shard.begun["arguments"],
        }

    if changed := differences(made(first), made(other)):
        raise NotMerged(
            f"{other.folder} does not belong to {first.folder}: {summary(changed)} "
            f"(shards {first.part} and {other.part})"
        )


def _refuse_more(first: Shard, other: Shard) -> None:
    """Raise NotMerged where a shard has a case that the first one has not."""
    have = {(*key, case.corpus) for key, record in first.tasks.items() for case in record.cases}
    for key, record in other.tasks.items():
        for case in record.cases:
            if (*key, case.corpus) not in have:
                raise NotMerged(
                    f"{first.folder}: {key[0]} on {case.corpus} ({key[1]}) was not run, and was in "
                    f"{other.folder}"
                )


def _conditions(shards: Sequence[Shard]) -> list[str]:
    found = {condition for shard in shards for condition in shard.card.run.conditions}
    machines = {
        (
            shard.card.provenance.processor,
            shard.card.provenance.cores,
            tuple(sorted((m.name, m.device, m.device_name) for m in shard.card.models)),
        )
        for shard in shards
    }
    return sorted(found | ({MIXED} if len(machines) > 1 else set()))


def _together(
    folder: Path, shards: Sequence[Shard], key: tuple[str, str], case: CaseRecord
) -> CaseRecord:
    """Merge a model's shards of one task and corpus: lines into one file, facts into one record."""
    model, task = key
    title = f"{model} on {case.corpus} ({task})"
    theirs_all = [found for shard in shards if (found := _case_of(shard, key, case.corpus))]
    worst = max(theirs_all, key=lambda found: _ORDER.index(found.outcome))
    if all(found.outcome == "skipped" and found.facts is None for found in theirs_all):
        return case
    facts: list[dict[str, Any]] = []
    part_of: list[Shard] = []
    for shard in shards:
        theirs = _case_of(shard, key, case.corpus)
        if theirs is None:
            if case.facts is not None and "shard" in case.facts and case.facts.get("lines"):
                raise NotMerged(f"{shard.folder}: {title} was not run")
            continue
        if theirs.facts is None and theirs.outcome == "skipped":
            raise NotMerged(f"{shard.folder}: {title} was skipped: {theirs.message}")
        if theirs.facts is None:
            raise NotMerged(
                f"{shard.folder}: {title} came to no end ({theirs.message or 'nobody knows why'}): "
                f"{resume_command(shard.folder)}"
            )
        facts.append(theirs.facts)
        part_of.append(shard)
    try:
        whole = merged_facts(facts)
    except ValueError as error:
        raise NotMerged(f"{title}: {error}") from None
    if len(facts) > 1 and MIXED in _conditions(shards):
        whole["unfair"] = sorted({*whole.get("unfair", ()), MIXED})
    gone = whole.get("unavailable", {})  # of such a condition, some shards may have made a few
    names = [name for name in whole.get("lines", {}) if Path(name).stem not in gone]
    for name in names:
        # They come from whoever made the shards, and are written to.
        if not name.endswith(".jsonl") or not _is_below(name, folder / model / task):
            raise NotMerged(one_line(f"{title}: {name!r} is no file of lines in the run"))
    whole["lines"] = {
        name: _append(
            folder,
            part_of,
            key,
            name,
            title,
            {
                shard.part.number: theirs.get("lines", {}).get(name, 0)
                for shard, theirs in zip(part_of, facts, strict=True)
            },
        )
        for name in names
    }
    whole.pop("shard", None)
    outcome = {"outcome": worst.outcome, "gate_broken": False, "message": worst.message}
    return case.model_copy(update={"facts": whole, **outcome})


def _is_below(name: str, folder: Path) -> bool:
    try:
        return (folder / name).resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError):
        return False


def _case_of(shard: Shard, key: tuple[str, str], corpus: str) -> CaseRecord | None:
    record = shard.tasks.get(key)
    return next((c for c in record.cases if c.corpus == corpus), None) if record else None


def _append(
    folder: Path,
    shards: Sequence[Shard],
    key: tuple[str, str],
    name: str,
    title: str,
    written: Mapping[int, int],
) -> int:
    """Put the lines of all shards into one file; return their number. Raises NotMerged for a gap.

    written: how many each shard's session wrote.
    """
    model, task = key
    path = folder / model / task / name
    path.parent.mkdir(parents=True, exist_ok=True)
    indices: list[int] = []
    with path.open("wb") as whole:
        for shard in shards:
            theirs = shard.folder / model / task / name
            try:
                lines = Lines(theirs, Prediction)
                if len(lines) != written[shard.part.number]:
                    raise NotMerged(
                        f"{theirs}: {len(lines)} lines, where {written[shard.part.number]} were "
                        "written"
                    )
                for line in lines:
                    if line.index is None:
                        raise NotMerged(f"{theirs}: {line.id} has no index")
                    indices.append(line.index)
                with theirs.open("rb") as file:
                    for raw in file:
                        whole.write(raw)
            except (OSError, LineError) as error:
                raise NotMerged(str(error)) from None
    order = np.sort(np.array(indices, np.int64))
    expected = np.arange(len(order))
    if not np.array_equal(order, expected):
        place = int(np.argmax(order != expected))
        what = f"utterance {place} (from 0) of the corpus is missing"
        if place and order[place] == order[place - 1]:
            what = f"utterance {order[place]} (from 0) of the corpus is there more than once"
        raise NotMerged(f"{title}: {name}: {what}")
    return len(indices)
