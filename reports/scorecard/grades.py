"""Letters: a model's grade is that of its worst graded metric."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evals.gate.thresholds import GRADES, Gate, Thresholds
from evals.measures.run_conditions import BUSY, ungated
from evals.records.measurement import MISSING, Measurement
from evals.task import TASKS, Task, group_of
from reports.scorecard.scorecard import CorpusGrade, Grade, Letter


def grade_models(
    measurements: Sequence[Measurement],
    models: Sequence[str],
    thresholds: Thresholds,
    gate: Gate,
    failed: frozenset[str],
) -> list[Grade]:
    """A grade for each model. `failed`: the models with a test that did not pass."""
    return [_grade_model(m, measurements, thresholds, gate, failed) for m in models]


def _grade_model(
    model: str,
    measurements: Sequence[Measurement],
    thresholds: Thresholds,
    gate: Gate,
    failed: frozenset[str],
) -> Grade:
    own = [m for m in measurements if m.model == model and m.is_whole]
    corpora = [
        _grade_corpus(group, name, own, thresholds)
        for group in TASKS.values()
        if group.essential is not None
        for name in dict.fromkeys(m.corpus for m in own if m.task == group.name)
    ]
    letters = [c.grade for c in corpora]
    return Grade(
        model=model,
        grade=None if not letters or None in letters else _worst(x for x in letters if x),
        gate="off" if gate == "off" else "fail" if model in failed else "pass",
        corpora=corpora,
    )


def _grade_corpus(
    first: Task, corpus: str, own: Sequence[Measurement], thresholds: Thresholds
) -> CorpusGrade:
    """The grade of a task on a corpus, with the tasks without a corpus that count in it.

    A busy figure's letter is the worst that it can be: one below the cap of a missing
    figure says no more than a missing one.
    """
    group = first.name
    tasks = [task.name for task in group_of(group)]
    figures = {
        (m.task, m.metric): m
        for m in own
        if m.task in tasks and (m.corpus == corpus or m.task != group)
    }
    cap = GRADES.index(thresholds.missing_caps_grade_at)
    letters: dict[str, Letter] = {}
    missing: list[str] = []
    for task in tasks:
        for metric in thresholds.bands.get(task, {}):
            m = figures.get((task, metric))
            if m is None or m.value is None or m.verdict in MISSING or ungated(m.conditions):
                missing.append(f"{task}/{metric}")
                continue
            letter = thresholds.grade(task, metric, m.value)
            if letter is not None and m.own is not None and GRADES.index(letter) > cap:
                # What the judge may have misheard says no more than what is missing.
                shown = thresholds.grade(task, metric, m.own[0]) or letter
                if GRADES.index(shown) <= cap:
                    letters[f"{task}/{metric}"] = thresholds.missing_caps_grade_at
                    continue
            if letter is not None and BUSY in m.conditions and GRADES.index(letter) > cap:
                missing.append(f"{task}/{metric}")
            elif letter is not None:
                letters[f"{task}/{metric}"] = letter  # type: ignore[assignment]  # one of GRADES
    if f"{group}/{first.essential}" in missing or not letters:
        return CorpusGrade(
            task=group,
            corpus=corpus,
            grade=None,
            decided_by=None,
            capped_by=missing,
            metrics=letters,
        )
    worst = _worst(letters.values())
    decided_by = next(name for name, letter in letters.items() if letter == worst)
    if missing and GRADES.index(worst) < cap:
        worst, decided_by = thresholds.missing_caps_grade_at, missing[0]
    return CorpusGrade(
        task=group,
        corpus=corpus,
        grade=worst,
        decided_by=decided_by,
        capped_by=missing,
        metrics=letters,
    )


def _worst(letters: Iterable[Letter]) -> Letter:
    return max(letters, key=GRADES.index)
