"""Runs against a reference, utterance by utterance: what changed, and what got worse first.

Figures that are ratios of sums over the same utterances are compared in pairs, with the interval
of the difference. Everything else (times, memory, percentiles, ratings) is put side by side
with the intervals that the runs give, and nothing is claimed about it: two machines, or two
hours of one machine, differ in these without any change of the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from evals.gate.paired_change import NotComparable
from evals.gate.thresholds import Thresholds
from evals.measures.run_conditions import shared_by_run
from evals.metrics import rank
from evals.records.measurement import ALL, WORST_SLICE, Measurement
from evals.task import TASKS
from fixtures.dialogues.dialogues import Dialogues
from reports.comparison.by_task import pairing_of
from reports.comparison.cell import Cell, Side, is_compared
from reports.comparison.overlap import explanations
from reports.comparison.pairing import BrokenRun
from reports.comparison.result import Comparison, Refused, RunInfo, SideBySide
from reports.comparison.run_differences import changed, model_terms, record_of, run_terms
from reports.comparison.utterance_changes import Of
from reports.scorecard.scorecard import Scorecard


def info(name: str, card: Scorecard) -> RunInfo:
    """What a comparison says of a run."""
    p = card.provenance
    return RunInfo(
        path=name,
        id=card.run.id,
        started=card.run.started,
        git_sha=p.git_sha,
        git_dirty=p.git_dirty,
        complete=card.run.complete,
        conditions=tuple(card.run.conditions),
    )


def compare(
    reference: tuple[str, Path, Scorecard],
    other: tuple[str, Path, Scorecard],
    thresholds: Thresholds,
    *,
    renamed: Mapping[str, str] | None = None,
    dialogues: Mapping[str, Dialogues] | None = None,
    only_renamed: bool = False,
) -> Comparison:
    """Compare a run with the reference; each is a name for messages, its folder and scorecard.

    renamed: models of the reference to those of the other run that they are compared with.
    dialogues: of which the expectations are known, by their content hash.
    only_renamed: leave all other models out.
    """
    before, after = Side(*reference), Side(*other)
    found = Comparison(info(after.name, after.card))
    pairs = _paired_models(before, after, renamed or {}, found, only_renamed)
    found.differences = differences(before.card, after.card, pairs)
    known = dialogues or {}
    tasks: dict[str, None] = {}
    for old, new in pairs:
        both = [cell for cell in before.cells(old) if cell in after.cells(new)]
        tasks |= dict.fromkeys(task for task, _ in both)
        for task, corpus in both:
            _compare_cell(Of(old, new, task, corpus), before, after, thresholds, known, found)
        for side, model in ((before, old), (after, new)):
            found.only += [
                f"{side.name} alone has {model} on {corpus} ({task})"
                for task, corpus in side.cells(model)
                if (task, corpus) not in both
            ]
    found.notes += [_side_by_side(task) for task in tasks if pairing_of(task) is None]
    found.notes += explanations(found.paired)
    # What got worse first: past its margin, then shown to be worse, then everything else.
    found.paired.sort(key=lambda c: (c.verdict != "fail", c.direction != "worse"))
    found.worse.sort(key=lambda m: (-m.added, m.id, m.of.model, m.of.task, m.of.slice))
    found.better.sort(key=lambda m: (m.added, m.id, m.of.model, m.of.task, m.of.slice))
    return found


def _side_by_side(task: str) -> str:
    """The note on a task that has no pairing."""
    if task in TASKS:
        return f"{task}: put side by side, not paired"
    hint = "--plugin-file before `compare` names the file that has it"
    return f"{task}: put side by side, not paired, since no such task is known here; {hint}"


def differences(
    before: Scorecard, after: Scorecard, models: Iterable[tuple[str, str]]
) -> list[str]:
    """What two runs do not have in common beside what they measured, a line each."""
    lines = changed(run_terms(before), run_terms(after))
    for old, new in models:
        records = (record_of(before, old), record_of(after, new))
        if None not in records:
            one, two = (model_terms(r) for r in records if r is not None)
            if one["engine"] != two["engine"]:  # its options and packages are others by nature
                one, two = (
                    {"engine": t["engine"], "checkpoint": t["checkpoint"]} for t in (one, two)
                )
            name = old if old == new else f"{old} -> {new}"
            lines += [f"{name}: {line}" for line in changed(one, two)]
    return lines


def _paired_models(
    before: Side,
    after: Side,
    renamed: Mapping[str, str],
    found: Comparison,
    only_renamed: bool,
) -> list[tuple[str, str]]:
    """Models by name, and as renamed; what is in one run alone is noted in `found`."""
    theirs = {record.name for record in after.card.models}
    ours = [record.name for record in before.card.models]
    pairs = []
    for old in ours:
        new = renamed.get(old, old)
        if old not in renamed and (only_renamed or old in renamed.values()):
            continue  # it is on the other side of a pair already
        if new in theirs:
            pairs.append((old, new))
        elif old in renamed:
            found.notes.append(f"{after.name} has no model {new} to compare {old} with")
        else:
            found.only.append(f"{before.name} alone has the model {old}")
    if not only_renamed:
        taken = {new for _, new in pairs}
        found.only += [
            f"{after.name} alone has the model {record.name}"
            for record in after.card.models
            if record.name not in taken
        ]
    return pairs


def _compare_cell(
    of: Of,
    before: Side,
    after: Side,
    thresholds: Thresholds,
    dialogues: Mapping[str, Dialogues],
    found: Comparison,
) -> None:
    try:
        content_hash = _same_corpus(of, before, after)
        paired = pairing_of(of.task)
        done: frozenset[str] = frozenset()
        if paired is not None:
            _refuse_unmeasured(of, before, after)
            cell = Cell(of, before, after, thresholds, found, content_hash, dialogues)
            done = paired(cell)
    except _Unmeasured as error:
        found.refused.append(Refused(of, str(error)))
    except NotComparable as error:
        found.refused.append(Refused(of, str(error), isinstance(error, BrokenRun)))
        return
    _beside(of, before, after, done, found)


def _same_corpus(of: Of, before: Side, after: Side) -> str | None:
    """The corpus's content hash; None where neither run has one, as for a fixed clip."""
    old, new = (side.content_hash(of.corpus) for side in (before, after))
    if old != new and all(side.has_sound(of.corpus) for side in (before, after)):
        was, now = (h[:12] if h else "unknown" for h in (old, new))
        raise NotComparable(
            f"the corpus {of.corpus} is another one (content hash {was} in {before.name}, "
            f"{now} in {after.name})"
        )
    return new


class _Unmeasured(NotComparable):
    """A model did not get to its figures in one of the runs."""


def _refuse_unmeasured(of: Of, before: Side, after: Side) -> None:
    for side, model in ((before, of.before), (after, of.after)):
        rows = side.rows(model, of.task, of.corpus)
        if all(m.value is None for m in rows):
            why = next((f": {m.reason}" for m in rows if m.reason), "")
            raise _Unmeasured(f"{side.name} has no figure of {model}{why}")


def _beside(of: Of, before: Side, after: Side, done: frozenset[str], found: Comparison) -> None:
    """Both runs' figures of whole corpora that were not compared in pairs."""
    by_part = {task.name for task in TASKS.values() if task.parts}
    sides = [
        {
            # The worst slice is what was found, not what was asked for.
            (m.metric, ALL if m.metric == WORST_SLICE else m.slice): m
            for m in side.rows(model, of.task, of.corpus)
            if is_compared(m.metric)
            and m.metric not in done
            and (m.is_whole or of.task in by_part or m.slice.startswith("judge="))
        }
        for side, model in ((before, of.before), (after, of.after))
    ]
    keys = sorted({*sides[0], *sides[1]}, key=lambda k: (rank(k[0]), *k))
    for metric, part in keys:
        old, new = (side.get((metric, part)) for side in sides)
        if old is not None and new is not None and old.by != new.by:
            found.notes.append(
                f"{replace(of, slice=part)}: {metric} is not compared: it was measured by "
                f"{old.by or 'one that is not said'} in {before.name}, by "
                f"{new.by or 'one that is not said'} in {after.name}"
            )
            continue
        found.beside.append(
            SideBySide(
                of=replace(of, slice=part),
                metric=metric,
                unit=(new or old or sides[0][metric, part]).unit,
                before=old.value if old else None,
                before_ci=old.ci if old else None,
                before_state=_state(old),
                before_conditions=_conditions(old, before),
                after=new.value if new else None,
                after_ci=new.ci if new else None,
                after_state=_state(new),
                after_conditions=_conditions(new, after),
            )
        )


def _state(m: Measurement | None) -> str:
    if m is None:
        return "not run"
    return "measured" if m.value is not None else m.verdict.replace("_", " ")


def _conditions(m: Measurement | None, side: Side) -> tuple[str, ...]:
    if m is None:
        return ()
    shared = shared_by_run(m.metric, side.card.run.conditions)
    return tuple(dict.fromkeys([*m.conditions, *shared]))
