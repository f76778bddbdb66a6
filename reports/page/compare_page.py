"""The page of a comparison: what got worse first, beside every paired difference."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from evals.measures.metric_text import interval, point_interval, points, value
from evals.records.measurement import ALL
from evals.task import TASKS
from reports.comparison.result import Change, Comparison, SideBySide
from reports.comparison.utterance_changes import Moved
from reports.page.render import render

if TYPE_CHECKING:
    from reports.comparison.result import Report

#: Utterances of each kind that a page lists: more than anyone reads, and it stays small.
MOST = 200
#: Words of an utterance that are shown; a text without an end would fill the page.
_MOST_WORDS = 300
_MOST_CHARACTERS = 2_000
_NOTHING = "∅"


def page(report: Report) -> str:
    """The page's HTML."""
    from reports.comparison.wording import described

    return render(
        "compare.html.jinja",
        styles=["runs.css"],
        scripts=["compare.js"],
        reference=report.reference,
        described=described,
        comparisons=[_view(c, report.inconclusive_fails) for c in report.comparisons],
    )


def _view(c: Comparison, inconclusive_fails: bool) -> dict[str, Any]:
    from reports.comparison.wording import missing

    broken = c.regressions(inconclusive_fails)
    state, answer = _answer(c, broken)
    lacking = [
        f"{p.of}: compared on the {p.n:,} utterances of both; "
        f"{missing(p.only_before, p.only_after)}"
        for p in c.pairings
        if p.only_before or p.only_after
    ]
    return {
        "run": c.run,
        "state": state,
        "answer": answer,
        "refused": [f"{r.of}: {r.reason}" for r in c.refused],
        "notes": [*lacking, *c.only, *c.notes],
        "differences": c.differences,
        "paired": [_paired(p) for p in c.paired],
        "charts": _charts(c.paired),
        "worse": _list(c.worse),
        "better": _list(c.better),
        "beside": [
            (f"{model} on {corpus} ({task})", [_beside(row) for row in group])
            for (model, corpus, task), group in groupby(
                c.beside, key=lambda b: (b.of.model, b.of.corpus, b.of.task)
            )
        ],
    }


def _answer(c: Comparison, broken: Sequence[str]) -> tuple[str, str]:
    """What the comparison comes to, as a pill and in words."""
    past = sum(p.verdict == "fail" for p in c.paired)
    if past:
        return "bad", f"✕ Worse past its margin: {past} of {len(c.paired)} differences"
    if broken:
        return "bad", "✕ Not everything could be compared"
    if not any(p.verdict for p in c.paired):
        return "quiet", "No metric here has a margin"
    undecided = sum(p.verdict == "inconclusive" for p in c.paired)
    if undecided:
        held = sum(p.verdict is not None for p in c.paired)
        return "quiet", f"? Not shown either way for {undecided} of {held} margins"
    return "good", "✓ All within their margins"


def _paired(p: Change) -> dict[str, Any]:
    from reports.comparison.wording import direction_said, verdict_said

    return {
        "model": p.of.model,
        "corpus": p.of.corpus,
        "task": p.of.task if p.of.slice == ALL else f"{p.of.task}, {p.of.slice}",
        "metric": p.metric,
        "n": f"{p.n:,}",
        "before": value(p.metric, p.before),
        "after": value(p.metric, p.after),
        "change": points(p.metric, p.change),
        "ci": "" if p.ci is None else point_interval(p.metric, p.ci),
        "direction": direction_said(p) + (f": {p.reason}" if p.change is None else ""),
        "margin": "" if p.margin is None else points(p.metric, p.margin).lstrip("+"),
        "verdict": p.verdict or "",
        "said": verdict_said(p),
    }


def _charts(paired: Sequence[Change]) -> list[Any]:
    from reports.page.charts.forest import Difference, forest

    rows = [
        Difference(
            name=p.of.model if p.of.slice == ALL else f"{p.of.model}, {p.of.slice}",
            metric=p.metric,
            value=p.change,
            n=p.n,
            ci=p.ci,
            margin=p.margin,
            verdict=p.verdict,
            reason=p.reason,
        )
        for p in paired
        # Of too many parts to look at: they are in the table.
        if p.of.task not in TASKS or not TASKS[p.of.task].parts
    ]
    # One drawing for each metric: the rows of a drawing share its scale.
    by_metric = {row.metric: [r for r in rows if r.metric == row.metric] for row in rows}
    drawn = [forest(own) for own in by_metric.values()]
    return [drawing for drawing in drawn if drawing is not None]


def _list(moved: Sequence[Moved]) -> dict[str, Any]:
    shown = moved[:MOST]
    return {
        "total": len(moved),
        "rows": [_utterance(m) for m in shown],
        "cells": list(dict.fromkeys(str(m.of) for m in shown)),
    }


def _utterance(m: Moved) -> dict[str, Any]:
    from reports.comparison.wording import headline

    columns = m.columns[:_MOST_WORDS]
    facts = [] if columns else [("said", m.reference), ("before", m.before), ("now", m.after)]
    if m.why:
        facts.append(("why", m.why))
    if m.failed_before:
        facts.append(("before", f"no answer: {m.failed_before}"))
    if m.failed_after:
        facts.append(("now", f"no answer: {m.failed_after}"))
    if len(columns) < len(m.columns):
        facts.append(("more", f"{len(m.columns) - len(columns):,} words are not shown"))
    return {
        "of": str(m.of),
        "id": m.id,
        "added": m.added,
        "said": headline(m).rpartition(": ")[2],
        "dir": "rtl" if _is_right_to_left(m.reference or m.after) else "ltr",
        "columns": [
            ({"text": said or _NOTHING}, _word(said, old), _word(said, new))
            for said, old, new in columns
        ],
        "facts": [(name, text[:_MOST_CHARACTERS]) for name, text in facts],
    }


def _word(said: str | None, heard: str | None) -> dict[str, str]:
    if said is None:
        # No-break space: the other run alone added a word here.
        return {"text": heard, "kind": "ins"} if heard else {"text": "\u00a0", "kind": ""}
    if heard is None:
        return {"text": _NOTHING, "kind": "del"}
    return {"text": heard, "kind": "same" if heard == said else "sub"}


def _is_right_to_left(text: str) -> bool:
    """By the first letter that has a direction."""
    directions: Iterable[str] = (unicodedata.bidirectional(c) for c in text)
    return next((d for d in directions if d in ("L", "R", "AL")), "L") != "L"


def _beside(row: SideBySide) -> dict[str, Any]:
    from reports.comparison.wording import beside_said

    cells = [
        (beside_said(row.metric, number, state, conditions), interval(row.metric, ci) if ci else "")
        for number, state, conditions, ci in (
            (row.before, row.before_state, row.before_conditions, row.before_ci),
            (row.after, row.after_state, row.after_conditions, row.after_ci),
        )
    ]
    name = row.metric if row.of.slice == ALL else f"{row.metric} ({row.of.slice})"
    return {"metric": name, "cells": cells}
