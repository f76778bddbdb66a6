"""The page of a comparison: what got worse first, beside every paired difference."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
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
    from reports.comparison import wording

    return render(
        "compare.html.jinja",
        styles=["runs.css"],
        scripts=["compare.js"],
        report=report,
        most=MOST,
        most_words=_MOST_WORDS,
        most_characters=_MOST_CHARACTERS,
        answer=lambda c: _answer(c, c.regressions(report.inconclusive_fails)),
        charts=_charts,
        sides=_sides,
        facts=_facts,
        word=_word,
        is_right_to_left=_is_right_to_left,
        value=value,
        points=points,
        interval=interval,
        point_interval=point_interval,
        **{name: getattr(wording, name) for name in wording.__all__},
    )


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


def _sides(row: SideBySide) -> list[tuple[Any, ...]]:
    """What each run has of a figure: value, state, conditions and interval."""
    return [
        (row.before, row.before_state, row.before_conditions, row.before_ci),
        (row.after, row.after_state, row.after_conditions, row.after_ci),
    ]


def _facts(m: Moved) -> list[tuple[str, str]]:
    """Facts on an utterance below its words, or in place of them: name and text."""
    found = [] if m.columns else [("said", m.reference), ("before", m.before), ("now", m.after)]
    found += [("why", m.why)] if m.why else []
    for name, failed in (("before", m.failed_before), ("now", m.failed_after)):
        found += [(name, f"no answer: {failed}")] if failed else []
    if len(m.columns) > _MOST_WORDS:
        found.append(("more", f"{len(m.columns) - _MOST_WORDS:,} words are not shown"))
    return found


def _word(said: str | None, heard: str | None) -> tuple[str, str]:
    """A word of a run, and its kind."""
    if said is None:
        # No-break space: the other run alone added a word here.
        return (heard, "ins") if heard else ("\u00a0", "")
    if heard is None:
        return _NOTHING, "del"
    return heard, "same" if heard == said else "sub"


def _is_right_to_left(text: str) -> bool:
    """By the first letter that has a direction."""
    directions: Iterable[str] = (unicodedata.bidirectional(c) for c in text)
    return next((d for d in directions if d in ("L", "R", "AL")), "L") != "L"
