"""A session in Markdown, for the page that GitHub shows of a run (`$GITHUB_STEP_SUMMARY`)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence

from evals.gate.thresholds import Thresholds
from evals.measures import metric_text
from evals.measures.run_conditions import BUSY, kept_from_limits
from evals.metrics import metric_of
from evals.records.measurement import Measurement, limit_key
from evals.task import TASKS
from reports.ci.findings import Finding, findings
from reports.comparison.result import AGAINST_MARGIN
from reports.comparison.run_differences import run_terms
from reports.scorecard.scorecard import Scorecard
from reports.scorecard.task_record import Seen
from reports.terminal.decision import decision_lines
from reports.text.few_speakers import few_speakers
from reports.text.findings import suspicious_references
from reports.text.findings.dominant import dominant_line
from reports.text.findings.non_speech import heard, non_speech_line
from reports.text.findings.user_hearing import loss_line, losses
from reports.text.metric_text import when
from reports.text.mixed_rates import mixed_rates
from reports.text.safe_terminal import plain
from reports.text.samples import samples

#: Bytes that GitHub takes of a step; all of a longer summary is refused.
LIMIT = 1024 * 1024
#: Columns of a table of a task that names none of its own.
_COLUMNS = 8
_FINDINGS = 50
_WORSENED = 10
_REFERENCES = 10
_LONG = 2000
_WORDS = {"pass": "kept", "fail": "**broken**", "inconclusive": "not shown either way"}
#: What means something to Markdown within a line, or makes a link, a mention or a formula of it.
_MARKS = re.compile(r"([\\`*_\[\]{}|~@$#!^]|:(?=//))")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def summary(
    card: Scorecard, thresholds: Thresholds, seen: Iterable[Seen] = (), *, limit: int = LIMIT
) -> str:
    """The answer, the figures, what failed, what got worse, what is missing, how to do it again.

    limit: bytes; what is too long for it is cut, and says so. thresholds, seen: as for `findings`.
    """
    found = findings(card, thresholds, seen)
    body = [
        *_answer(card, found),
        *_found("What failed the session", (f for f in found if f.level == "error")),
        *_tables(card, thresholds),
        *_list(
            "One utterance with most of the errors",
            [*map(dominant_line, card.dominant_utterances)],
            "`dominant_utterances` in `scorecard.json`",
        ),
        *_list(
            "Heard where nobody speaks",
            [*map(non_speech_line, heard(card.non_speech))],
            "`non_speech` in `scorecard.json`",
        ),
        *_list("What hearing costs conversations", [*map(loss_line, losses(card))]),
        *_references(card),
        *_since_baseline(card),
        *_found("Not decided, or not measured", (f for f in found if f.level == "warning")),
        *_not_measured(card, thresholds),
        *_list("Notes", card.run.notes),
    ]
    return _fitted(body, _again(card), limit)


def nothing_ran(problems: Sequence[str]) -> str:
    """The summary of a session that evaluated nothing, though it was asked to."""
    return "\n".join(["## Model Lab: failed", "", *(f"- {escaped(p)}" for p in problems), ""])


def escaped(text: str) -> str:
    """Text from outside, so that none of it is markup, a table cell, HTML, a link or a formula."""
    text = _MARKS.sub(r"\\\1", plain(text))
    text = re.sub("[&<>]", lambda found: _ENTITIES[found[0]], text)
    return re.sub(r"(?i)\bwww\.", lambda found: found[0][:-1] + "\\.", text)


def _answer(card: Scorecard, found: Sequence[Finding]) -> Iterator[str]:
    errors = sum(f.level == "error" for f in found)
    if not card.run.complete:
        verdict = f"interrupted (exit status {card.run.exit_status})"
        said = "The session did not finish: what it has measured is below, and is not an answer."
    elif card.run.exit_status != 0:
        verdict = "failed"
        said = f"{errors} finding{'s' * (errors != 1)} failed the session."
    elif card.run.gate == "off":
        verdict, said = "no verdict", "Held to no limit (`--gate off`)."
    else:
        by = "its own tier" if card.run.gate == "tier" else "production"
        verdict, said = "passed", f"Every required limit is kept, each model held to {by}."
    yield from (f"## Model Lab: {verdict}", "", said)
    best = card.recommendation
    yield ""
    yield (
        f"Recommended for production ({escaped(best.use_case)}): "
        f"**{escaped(best.model or 'none')}**: {escaped(_short(best.reason))}"
    )
    if lines := decision_lines(card):
        yield ""
        yield from (f"- {escaped(_short(line))}" for line in lines)
    yield ""


def _list(heading: str, lines: Sequence[str], where: str = "see `scorecard.json`") -> Iterator[str]:
    """A list under its heading, and how many more there are; nothing without a line."""
    if not lines:
        return
    yield from (f"### {heading}", "")
    yield from (f"- {escaped(_short(line))}" for line in lines[:_FINDINGS])
    if len(lines) > _FINDINGS:
        yield f"- and {len(lines) - _FINDINGS} more: {where}"
    yield ""


def _found(heading: str, found: Iterable[Finding]) -> Iterator[str]:
    yield from _list(heading, [f"{f.title}: {_short(f.message)}" for f in found])


def _tables(card: Scorecard, thresholds: Thresholds) -> Iterator[str]:
    for task in dict.fromkeys(m.task for m in card.measurements):
        own = [m for m in card.measurements if m.task == task]
        columns = _columns(task, own)
        if not columns:
            continue
        grades = {
            (grade.model, corpus.corpus): corpus.grade
            for grade in card.grades
            for corpus in grade.corpora
            if corpus.task == task
        }
        gates = {grade.model: grade.gate for grade in card.grades}
        graded = ["grade"] if grades else []
        yield from (f"### {escaped(task)}", "")
        yield from _row(["model", "corpus", *graded, *map(escaped, columns), "gate"])
        yield from _row(["---"] * (3 + len(graded) + len(columns)))
        found = {(m.model, m.corpus, m.key): m for m in own}
        for model, corpus in dict.fromkeys((m.model, m.corpus) for m in own):
            letter = [grades.get((model, corpus)) or "-"] if grades else []
            cells = [_cell(found.get((model, corpus, key)), thresholds) for key in columns]
            gate = gates.get(model, "-")
            shown = "**fail**" if gate == "fail" else gate
            yield from _row([escaped(model), escaped(corpus), *letter, *cells, shown])
        yield ""
    if notes := _notes(card):
        yield from (notes, "")


def _columns(task: str, own: Sequence[Measurement]) -> list[str]:
    have = dict.fromkeys(m.key for m in own)
    named = [c.metric for c in TASKS[task].columns_on("summary")] if task in TASKS else []
    if own_columns := [key for key in named if key in have]:
        return own_columns[:_COLUMNS]
    limited = dict.fromkeys(m.key for m in own if m.limit is not None or m.gated)
    return [*(limited or dict.fromkeys(m.key for m in own if m.is_whole))][:_COLUMNS]


def _cell(m: Measurement | None, thresholds: Thresholds) -> str:
    if m is None:
        return "not run"
    if m.value is None:
        return m.verdict.replace("_", " ")
    most = "at most " if BUSY in m.conditions else ""
    parts = [most + metric_text.value(m.metric, m.value)]
    if m.ci is not None:
        parts[0] += f" ({metric_text.interval(m.metric, m.ci)})"
    shared = kept_from_limits(m.conditions)
    if shared:
        parts.append(shared)
    elif m.slice == "all" and (letter := thresholds.grade(m.task, m.metric, m.value)):
        parts.append(letter)
    if m.limit is not None and not shared:
        parts.append(_WORDS[m.verdict])
    return ", ".join(parts)


def _notes(card: Scorecard) -> str:
    notes = ["In brackets the 95 % interval; A to D is the grade; then whether its limit is kept."]
    if card.run.conditions:
        notes.append("The session's processes shared the machine, so speed gates nothing.")
    elif any(BUSY in m.conditions for m in card.measurements):
        notes.append('"At most": the machine was busy, and the model may be faster.')
    notes += [*samples(card), *few_speakers(card), *mixed_rates(card)]
    return " ".join(notes) if card.measurements else ""


def _references(card: Scorecard) -> Iterator[str]:
    if not card.suspicious_references:
        return
    yield from ("### References to look at", "")
    for found in card.suspicious_references:
        yield from (escaped(suspicious_references.heading(found)) + ".", "")
        yield from _row(["utterance", "reference", "heard"])
        yield from _row(["---"] * 3)
        for row in found.rows[:_REFERENCES]:
            texts = [row.id, row.reference, suspicious_references.heard(row)]
            yield from _row([escaped(_short(text)) for text in texts])
        yield ""
        if found.total > _REFERENCES:
            more = found.total - min(_REFERENCES, len(found.rows))
            yield from (f"and {more:,} more: `suspicious_references` in `scorecard.json`", "")


def _since_baseline(card: Scorecard) -> Iterator[str]:
    if card.baseline is None:
        return
    known = [m for m in card.measurements if m.value is not None]
    changes = [(m, of) for m in known if (of := metric_of(m.metric).change_of) is not None]
    yield from (f"### Against the baseline {escaped(card.baseline)}", "")
    if not changes:
        yield from ("No figure could be compared.", "")
        return
    # What got worse comes first.
    order = {"fail": 0, "inconclusive": 1}
    changes.sort(key=lambda change: order.get(change[0].verdict, 2))
    yield from _row(["model", "task", "corpus", "figure", "change", "95 % interval", "verdict"])
    yield from _row(["---"] * 7)
    words = {**AGAINST_MARGIN, "fail": "**worse**"}
    for m, metric in changes:
        cells = [m.model, m.task, m.corpus, limit_key(metric, m.slice)]
        change = [metric_text.points(metric, m.value), metric_text.point_interval(metric, m.ci)]
        yield from _row([*map(escaped, cells), *change, words[m.verdict]])
    yield ""
    if any(w.rows for w in card.worsened):
        yield from _row(["model", "corpus", "utterance", "reference", "before", "now"])
        yield from _row(["---"] * 6)
    for w in card.worsened:
        for row in w.rows[:_WORSENED]:
            texts = [w.model, w.corpus, row.id, row.reference, row.before, row.after]
            yield from _row([escaped(_short(text)) for text in texts])
    more = sum(max(0, len(w.rows) - _WORSENED) for w in card.worsened)
    if any(w.rows for w in card.worsened):
        yield ""
    if more:
        yield from (f"and {more} more: `worsened` in `scorecard.json`", "")


def _not_measured(card: Scorecard, thresholds: Thresholds) -> Iterator[str]:
    """What has no value and is neither limited nor graded; the rest is told above."""
    causes: dict[tuple[str, ...], list[str]] = {}
    for m in card.measurements:
        needed = m.gated or m.metric in thresholds.graded.get(m.task, ())
        if m.value is None and not needed:
            cause = (m.model, m.corpus, m.task, m.verdict.replace("_", " "), m.reason or "")
            causes.setdefault(cause, []).append(m.key)
    lines = [
        f"{model} on {corpus} ({task}): {', '.join(keys)} {verdict}: {reason}"
        for (model, corpus, task, verdict, reason), keys in causes.items()
    ]
    yield from _list("Not needed, and not measured", lines)


def _again(card: Scorecard) -> list[str]:
    """How to repeat the run. The command is in a block of its own, in which nothing is markup."""
    p = card.provenance
    terms = run_terms(card)
    shown = ("code", "Python", "platform", "cores", "threads", "seed", "device asked for")
    lines = [f"- {name}: {escaped(_short(terms[name]))}" for name in shown]
    hashes = [f"{c.name} {c.content_hash[:12]} ({c.utterances:,})" for c in p.corpora]
    return [
        "### To do it again",
        "",
        f"- run: {escaped(card.run.id)}, begun {escaped(when(card.run.started))} UTC",
        *lines,
        f"- thresholds: {p.thresholds_sha256[:12]}",
        f"- corpora (utterances): {escaped(_short(', '.join(hashes)))}",
        "",
        "```",
        _short(plain(_command(card))),
        "```",
        "",
    ]


def _command(card: Scorecard) -> str:
    if card.run.joined:
        return shlex.join(["python", "-m", "reports", "join", *card.run.joined])
    return shlex.join(["pytest", *card.provenance.command_line])


def _fitted(body: Sequence[str], tail: Sequence[str], limit: int) -> str:
    """The tail, and before it as many whole lines of the body as there is room for."""
    text = "\n".join([*body, *tail])
    if len(text.encode()) <= limit:
        return text
    notice = "Cut here, for want of room: `scorecard.json` has all of it."
    end = ["", notice, "", *tail]
    room = limit - len("\n".join(end).encode())
    if room < 0:
        end, room = ["", notice, ""], limit - len(notice) - 3
    kept = []
    for line in body:
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept.append(line)
    return "\n".join([*kept, *end])


def _row(cells: Sequence[str]) -> Iterator[str]:
    yield "| " + " | ".join(cells) + " |"


def _short(text: str) -> str:
    return text if len(text) <= _LONG else text[:_LONG] + "..."
