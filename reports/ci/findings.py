"""What a person must look at in a scorecard, the worst first: for annotations and summaries."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, TypeAlias

from evals.gate.evaluation import describe
from evals.gate.thresholds import Thresholds
from evals.gate.verdict import breaks_gate, concern
from evals.records.measurement import Measurement
from reports.scorecard.scorecard import Scorecard
from reports.scorecard.task_record import Seen

Level: TypeAlias = Literal["error", "warning"]
_Place: TypeAlias = tuple[str, str, str]
#: The order of findings of a level, before how far a limit is broken.
_NOT_RUN, _NO_VALUE, _BROKEN, _UNDECIDED = range(4)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at. level: "error" where it fails the session.

    title: which model, task and corpus; message: text that may hold anything from outside.
    """

    level: Level
    title: str
    message: str
    place: tuple[int, float]


def findings(
    card: Scorecard, thresholds: Thresholds, seen: Iterable[Seen] = ()
) -> Sequence[Finding]:
    """Errors, then warnings, the worst of each first.

    thresholds: by which the session was held. seen: its tests, which tell a limit that failed a
    test from one whose test was skipped; without them a model that failed failed everywhere.
    """
    tests = {(s.case.model, s.case.task, s.case.corpus): s for s in seen}
    failed_models = {grade.model for grade in card.grades if grade.gate == "fail"}
    tiers = {model.name: model.tier for model in card.models}

    def failed(place: _Place) -> bool:
        if tests:
            return place in tests and tests[place].outcome == "failed"
        return place[0] in failed_models

    found = [_error("session", problem, _NOT_RUN) for problem in card.run.problems]
    told: set[_Place] = set()
    for place, group in groupby(card.measurements, key=_place_of):
        own = list(group)
        for finding in _of_test(own, thresholds, card, tiers.get(place[0], ""), failed(place)):
            found.append(finding)
            if finding.level == "error":
                told.add(place)
    for place, test in tests.items():
        if test.outcome == "failed" and place not in told:
            message = test.message or "its test failed"
            found.append(_error(_title(place), message, _NO_VALUE))
    if not found and card.run.exit_status != 0:
        found.append(_error("session", f"exit status {card.run.exit_status}", _NOT_RUN))
    return sorted(found, key=lambda f: (f.level != "error", f.place))


def _of_test(
    own: Sequence[Measurement], thresholds: Thresholds, card: Scorecard, tier: str, failed: bool
) -> Iterator[Finding]:
    missing: dict[str, list[Measurement]] = {}
    for m in own:
        breaks = failed and breaks_gate(m, thresholds, tier, card.run.gate)
        if m.value is None:
            if concern(m, needed=m.metric in thresholds.graded.get(m.task, ())):
                reason = f"{m.verdict.replace('_', ' ')}: {m.reason or 'no reason given'}"
                missing.setdefault(reason, []).append(m)
        elif breaks:
            place = _UNDECIDED if m.verdict == "inconclusive" else _BROKEN
            yield _error(_title(_place_of(m)), describe(m), place, _excess(m))
        elif m.gated and concern(m) == "undecided":
            yield Finding("warning", _title(_place_of(m)), describe(m), (_UNDECIDED, _excess(m)))
    for reason, rows in missing.items():
        # One cause, such as a model that cannot be loaded, takes all figures of a test away.
        level: Level = "error" if failed and any(m.gated for m in rows) else "warning"
        message = f"{', '.join(m.key for m in rows)} {reason}"
        yield Finding(level, _title(_place_of(rows[0])), message, (_NO_VALUE, 0.0))


def _excess(m: Measurement) -> float:
    """How far past its limit, as a part of the limit; negative, so that the worst sorts first."""
    if m.value is None or m.limit is None:
        return 0.0
    past = m.value - m.limit if m.bound == "max" else m.limit - m.value
    return -past / abs(m.limit) if m.limit else -math.copysign(math.inf, past) if past else 0.0


def _place_of(m: Measurement) -> _Place:
    return m.model, m.task, m.corpus


def _title(place: _Place) -> str:
    model, task, corpus = place
    return f"{model} on {corpus} ({task})"


def _error(title: str, message: str, kind: int, excess: float = 0.0) -> Finding:
    return Finding("error", title, message, (kind, excess))
