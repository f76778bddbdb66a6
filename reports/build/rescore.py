"""A run scored again from what it keeps, after limits or metrics changed. No model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evals.gate.baseline import Baseline
from evals.gate.case import Case, heading, missing_measurements
from evals.gate.evaluation import Evaluation, GateBroken, sample_in_words
from evals.gate.limit_files import LimitFiles
from evals.gate.thresholds import Gate, Thresholds
from evals.measures.run_conditions import conditions_of
from evals.records.measurement import Verdict
from evals.run.case_store import Stored
from evals.task import TASKS
from reports.build.assemble import Findings, assemble
from reports.build.notes import notes
from reports.scorecard import cost, provenance, scorecard, task_record
from reports.scorecard.cost import Prices
from reports.scorecard.scorecard import Rescored, Scorecard
from reports.scorecard.task_record import CaseRecord, Outcome, TaskRecord

#: What a file that was damaged, or is of another version, may make a task's `score` raise.
_UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)
#: The verdict on figures that a test left out, by what became of it.
_NO_FIGURE: Mapping[Outcome, Verdict] = {
    "passed": "error",
    "failed": "error",
    "skipped": "not_measured",
}


class NotRescored(ValueError):
    """A run cannot be scored again; the message names the file and says why."""


def rescore(
    run: Path,
    limits: LimitFiles,
    *,
    gate: Gate | None = None,
    baseline: Baseline | None = None,
    prices: Prices | None = None,
    hardware: str | None = None,
) -> tuple[Scorecard, list[str]]:
    """The scorecard anew, and what of it fails, a text for each test.

    gate: by which limits; None: by those of the run. Nothing is written. Raises NotRescored.
    """
    thresholds = limits.thresholds
    try:
        before = scorecard.read(run / scorecard.FILE_NAME)
        found = task_record.read(run, [model.name for model in before.models])
    except ValueError as error:
        raise NotRescored(str(error)) from None
    if baseline is not None and baseline.path.resolve().parent == run.resolve():
        # As runs/latest becomes, once the run that was compared with it is over.
        raise NotRescored(
            f"{baseline.path}: the baseline is the run itself: name what it was compared with"
        )
    held_by = gate or before.run.gate
    order = {model.name: index for index, model in enumerate(before.models)}
    wanted = {(m.model, m.task) for m in before.measurements}
    have = {(record.model.name, record.task) for record in found}
    if wanted - have:
        model, task = min(wanted - have)
        raise NotRescored(
            f"{run / model / task}.json: no such file: the run was made before runs kept records"
        )
    findings = Findings()
    sizes = {c.name: (c.utterances, c.sampled_from) for c in before.provenance.corpora}
    broken: list[str] = []
    for record in sorted(found, key=lambda record: order[record.model.name]):
        for case in record.cases:
            if case.facts is None and case.outcome == "passed" and before.run.complete:
                raise NotRescored(
                    f"{run / record.model.name / record.task}.json: {record.model.name} on "
                    f"{case.corpus}: its test passed without keeping what it was scored from"
                )
            sample = sample_in_words(*sizes.get(case.corpus, (0, None)))
            message = _score(run, record, case, findings, thresholds, held_by, baseline, sample)
            if message is not None:
                findings.failed.add(record.model.name)
                broken.append(message)
    corpora = list(dict.fromkeys(c.corpus for record in found for c in record.cases))
    sha, _ = provenance.git()
    status = before.run.exit_status
    if before.run.complete:
        status = 1 if broken or before.run.problems else 0
    card = assemble(
        findings,
        run=before.run.model_copy(
            update={
                "gate": held_by,
                "exit_status": status,
                "notes": [
                    *findings.notes,
                    *notes(
                        limits, {*corpora, *(corpus.name for corpus in before.provenance.corpora)}
                    ),
                ],
            }
        ),
        provenance=before.provenance,
        models=before.models,
        corpora=corpora,
        thresholds=thresholds,
        prices=prices or cost.load(),
        hardware=hardware or before.run.hardware,
        baseline=str(baseline.path) if baseline is not None else None,
        rescored=Rescored(
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            git_sha=sha,
            thresholds_sha256=limits.sha256,
            packages=provenance.scoring_packages(),
        ),
        folder=run,
        options=_options(before, limits, held_by, baseline),
    )
    return card, broken


def _options(
    before: Scorecard, limits: LimitFiles, gate: Gate, baseline: Baseline | None
) -> Mapping[str, Any]:
    """The session's options, with the limits, gate and baseline that count now."""
    options = dict(before.provenance.options or {})
    if limits.sha256 != before.provenance.thresholds_sha256:
        options["thresholds"] = [str(path) for path in limits.paths]
    if gate != before.run.gate:
        options["gate"] = gate
    if baseline is not None and str(baseline.path) != before.baseline:
        options["baseline"] = str(baseline.path)
    if baseline is not None:
        options["map"] = [f"{old}={new}" for new, old in baseline.renamed.items()]
    return options


def _score(
    run: Path,
    record: TaskRecord,
    kept: CaseRecord,
    findings: Findings,
    thresholds: Thresholds,
    gate: Gate,
    baseline: Baseline | None,
    sample: str,
) -> str | None:
    """Score one test's lines into `findings`; why it fails, if it does."""
    case = Case(record.model.name, kept.tier, record.task, kept.corpus)
    failed = kept.outcome == "failed" and not kept.gate_broken
    title = f"{case.model} on {case.corpus} ({case.task})"
    why = kept.message or "the test did not get to its figures"
    if kept.facts is None or not {"unfair", "contended"} & kept.facts.keys():
        findings.measurements += missing_measurements(
            case,
            (),
            _NO_FIGURE[kept.outcome],
            why,
            thresholds,
            gate,
            provided=record.model.provided is not None,
        )
        # One that neither failed nor was skipped was interrupted, which is no pass.
        return f"{title}:\n  {why}" if kept.outcome != "skipped" else None
    stored = Stored(run, case, _renormalized(kept, thresholds), baseline)
    evaluation = Evaluation(
        case,
        thresholds,
        gate,
        emit=findings.measurements.append,
        conditions=conditions_of(kept.facts),
        note=findings.note,
        margins=(
            thresholds.margins(case.task) if baseline and case.model in baseline.models else {}
        ),
        sample=sample,
    )
    try:
        if case.task not in TASKS:
            raise ValueError(f"no task {case.task!r}: name its module by -p")
        TASKS[case.task].record(evaluation, stored)
    except (OSError, RuntimeError, *_UNREADABLE) as error:
        # RuntimeError: soundfile's, for a sound that is gone.
        raise NotRescored(f"{title} cannot be scored: {type(error).__name__}: {error}") from None
    said = f"{title}:\n  {kept.message or 'its test failed'}" if failed else None
    reason = kept.message if failed or kept.outcome == "skipped" else None
    verdict = _NO_FIGURE[kept.outcome]
    try:
        evaluation.check()
    except GateBroken as error:
        said = str(error)
        reason, verdict = (reason if failed else None) or heading(said), "error"
    if reason is not None:
        # As in a session: what is limited or graded and was not recorded has a row that says so.
        findings.measurements += missing_measurements(
            case, evaluation.recorded, verdict, reason, thresholds, gate
        )
    return said


def _renormalized(kept: CaseRecord, thresholds: Thresholds) -> dict[str, object]:
    """Its facts, with the normalizer that the thresholds name for the corpus now."""
    facts = dict(kept.facts or {})
    named = thresholds.named_normalizer(kept.corpus)
    if named is None and facts.get("ruled"):
        raise NotRescored(
            f"{kept.corpus}: the run's thresholds named its normalizer, {facts['normalizer']}, and "
            f"these name none: add {kept.corpus} under corpora"
        )
    if named is not None and "normalizer" in facts:
        facts["normalizer"] = named
    return facts
