"""The terminal section: one table, one recommendation, one path."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.text import Text

from evals.gate.evaluation import ANSWERED, describe
from evals.gate.thresholds import Thresholds
from evals.gate.verdict import concern
from evals.measures.run_conditions import BUSY, CONTENDED, NO_TIMES, PROVIDED, WHY
from evals.metrics import metric_of
from evals.records.measurement import Measurement
from evals.task import TASKS
from reports.comparison.result import AGAINST_MARGIN
from reports.scorecard.scorecard import Scorecard
from reports.terminal.decision import decision_lines
from reports.terminal.grid import fitting
from reports.terminal.task_tables import is_marked_unfair, task_tables
from reports.text.few_speakers import few_speakers
from reports.text.findings import suspicious_references
from reports.text.findings.dominant import dominant_line
from reports.text.findings.non_speech import heard, non_speech_line
from reports.text.findings.user_hearing import loss_line, losses
from reports.text.mixed_rates import mixed_rates
from reports.text.safe_terminal import plain
from reports.text.samples import samples

#: Of lines of text where nothing says how wide the terminal is.
_TEXT_WIDTH = 100
#: No terminal is taken for narrower.
_LEAST_WIDTH = 40
#: The space between a figure and its unit, and what stands for it while lines are broken.
_FIGURE_AND_UNIT = re.compile(r"(?<=\d) (?=(?:%|points?|s|MB|USD)\b|%)")
_KEPT = "\u00a0"
#: What a line has that is to be pasted.
_COMMAND = "uv run "
#: rich must not shrink a table: what does not fit was put below already.
_ANY_WIDTH = 10_000
_SHOWN_WORSENED = 5


def render(
    card: Scorecard, thresholds: Thresholds, path: Path, *, width: int | None, color: bool
) -> str:
    """The section's text.

    width: of the terminal, in columns; None for a file or a pipe, where any table fits.
    color: whether the terminal takes escape codes.
    """
    width = None if width is None else max(width, _LEAST_WIDTH)
    card = _cleaned(card)
    out = io.StringIO()
    console = Console(
        file=out,
        width=_ANY_WIDTH,
        force_terminal=color,
        color_system="standard" if color else None,
        highlight=False,
        emoji=False,
        markup=False,
    )

    def say(text: str, style: str = "") -> None:
        console.print(Text(_wrapped(text, width or _TEXT_WIDTH), style=style), soft_wrap=True)

    grids = [*task_tables(card, thresholds)]
    for grid in grids:
        for table in fitting(grid, width):
            console.print(table)
    say(_legend(card, unfair=any(is_marked_unfair(grid) for grid in grids)), "dim")
    for line in _problems(card, thresholds):
        say(line)
    for found in card.suspicious_references:
        for line in suspicious_references.lines(found):
            say(plain(line))
    for line in _since_baseline(card):
        say(line)
    best = card.recommendation
    lead = f"; {best.lead}" if best.lead else ""
    say(f"Recommended for production ({best.use_case}): {best.model or 'none'}{lead}", "bold")
    say(f"  {plain(best.grounds)}")
    for line in decision_lines(card):
        if _COMMAND in line:
            # As it is: a command that is broken in two cannot be pasted.
            console.print(Text(f"  {plain(line)}"), soft_wrap=True)
        else:
            say(f"  {plain(line)}")
    console.print(Text(f"Scorecard: {path}"), soft_wrap=True)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _wrapped(text: str, width: int) -> str:
    """Lines of at most that width, broken neither in a name nor between a figure and its unit."""
    kept = _FIGURE_AND_UNIT.sub(_KEPT, text)
    lines = textwrap.fill(kept, width, subsequent_indent="  ", break_on_hyphens=False)
    return lines.replace(_KEPT, " ")


def _legend(card: Scorecard, *, unfair: bool) -> str:
    """What the marks mean; unfair: whether a figure has that of a time that is not fair."""
    parts = ["A to D: grade", "x: limit broken", "?: not enough evidence for its limit"]
    if any(_came(m) for m in card.measurements):
        parts.append("~: came with the predictions, gates nothing")
        unfair = bool(card.run.conditions) or any(BUSY in m.conditions for m in card.measurements)
    if not unfair:
        pass
    elif CONTENDED in card.run.conditions:
        parts.append("~: taken on a shared machine, gates nothing")
    elif card.run.conditions:
        parts.append("~: of a run in pieces, gates nothing")
    else:
        parts.append("~: the machine was busy, the model may be faster: breaks no limit")
    parts += [
        sentence.rstrip(".")
        for sentence in (*samples(card), *few_speakers(card), *mixed_rates(card))
    ]
    return "; ".join(parts)


def _came(m: Measurement) -> bool:
    """Whether a time came with predictions from elsewhere."""
    return PROVIDED in m.conditions and m.value is not None


def _problems(card: Scorecard, thresholds: Thresholds) -> list[str]:
    """What broke or is missing, a line each."""
    lines: list[str] = []
    untold: set[str] = set()
    # One cause, such as a model that cannot be loaded, takes many figures away.
    missing: dict[tuple[str, str, str], list[Measurement]] = {}
    for m in card.measurements:
        unanswered = m.metric == ANSWERED and m.value is not None and m.reason is not None
        needed = m.metric in thresholds.graded.get(m.task, ())
        if m.value is None and PROVIDED in m.conditions:
            untold.add(m.model)  # said once, with the grade
            continue
        if not unanswered and not concern(m, needed=needed):
            continue
        if m.value is None and m.reason:
            missing.setdefault((m.model, m.verdict, m.reason), []).append(m)
        else:
            lines.append(f"{m.model} on {m.corpus} ({m.task}): {plain(describe(m))}")
    for (model, _, reason), rows in missing.items():
        why = reason.removeprefix(f"{model}: ")
        # Where no model has a figure, why stands among the problems of the run.
        if not any(problem.endswith(f": {why}") for problem in card.run.problems):
            lines.append(_missing(rows, why))
    for grade in card.grades:
        for corpus in grade.corpora:
            if corpus.capped_by and corpus.grade:
                what = ", ".join(corpus.capped_by)
                told = any(m.model == grade.model and _came(m) for m in card.measurements)
                reason = WHY[PROVIDED] if told else NO_TIMES
                why = f": {reason}" if grade.model in untold else ""
                of = f"{grade.model} on {corpus.corpus}"
                lines.append(f"{of}: grade capped, for want of {what}{why}")
    for flip in card.sensitivity:
        a, b, c, d = (f"{100 * rate:.2f}" for rate in (*flip.wer, *flip.wer_there))
        lines.append(
            f"{flip.better} ({a} %) is better than {flip.worse} ({b} %) on {flip.corpus} only by "
            f"its normalizer: under {flip.normalizer} they are at {c} % and {d} %"
        )
    lines += [plain(dominant_line(row)) for row in card.dominant_utterances]
    lines += [plain(loss_line(loss)) for loss in losses(card)]
    lines += [plain(non_speech_line(found)) for found in heard(card.non_speech)]
    for record in card.models:
        if record.device_note:
            lines.append(f"{record.name}: {plain(record.device_note)}")
    return lines


def _missing(rows: Sequence[Measurement], why: str) -> str:
    """The figures of one model that one cause took away."""
    places = dict.fromkeys(f"{m.corpus} ({m.task})" for m in rows)
    keys = dict.fromkeys(m.key for m in rows)
    model, state = rows[0].model, rows[0].verdict.replace("_", " ")
    return f"{model} on {', '.join(places)}: {', '.join(keys)} {state}: {plain(why)}"


def _since_baseline(card: Scorecard) -> list[str]:
    """How the essential metric of each model changed, and the utterances that got worse."""
    lines = []
    for m in card.measurements:
        change = metric_of(m.metric)
        essential = TASKS[m.task].essential if m.task in TASKS else None
        if m.value is None or essential is None or change.change_of != essential:
            continue
        ci = f" [{', '.join(map(change.number, m.ci))}]" if m.ci else ""
        verdict = AGAINST_MARGIN[m.verdict]
        margin = f" (margin {change.number(m.limit).lstrip('+')})" if m.limit is not None else ""
        lines.append(
            f"{m.model} on {m.corpus} against {card.baseline}: {metric_of(essential).title} "
            f"{change.number(m.value)} {change.shown_unit}{ci}: {verdict}{margin}"
        )
        rows = [
            r for w in card.worsened if (w.model, w.corpus) == (m.model, m.corpus) for r in w.rows
        ]
        lines += [
            f"  {row.id}: {plain(row.reference)!r} was heard as {plain(row.before)!r} "
            f"({row.errors_before} wrong), now as {plain(row.after)!r} ({row.errors_after} wrong)"
            for row in rows[:_SHOWN_WORSENED]
        ]
        if len(rows) > _SHOWN_WORSENED:
            lines.append(f"  and {len(rows) - _SHOWN_WORSENED} more: `worsened` in the scorecard")
    return lines


def _cleaned(value: Any) -> Any:
    """A scorecard, or a part of it, without control characters in its texts.

    Any of them may be from outside. A part without such texts is returned as it is.
    """
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, Mapping):
        return {_cleaned(key): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_cleaned(item) for item in value)
    if isinstance(value, BaseModel):
        return value.model_copy(update=_changed(value, value.__dict__))
    if is_dataclass(value) and not isinstance(value, type):
        changed = _changed(value, [field.name for field in fields(value)])
        return replace(value, **changed) if changed else value
    return value


def _changed(owner: Any, names: Iterable[str]) -> dict[str, Any]:
    """The fields of an object that change when they are cleaned, with their new values."""
    found = ((name, getattr(owner, name)) for name in names)
    return {name: clean for name, old in found if (clean := _cleaned(old)) != old}
