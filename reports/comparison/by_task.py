"""One model, task and corpus in two runs: what can be compared utterance by utterance."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

import numpy as np

from evals.gate.paired_change import changes, paired_difference
from evals.measures.statistics.paired_interval import Floats
from evals.measures.text.alignment import align
from evals.measures.text.sessions import Joined
from evals.records.measurement import Figure
from evals.records.predictions import Prediction
from evals.records.replied import Replied
from evals.records.spoken import Spoken
from evals.task import TASKS
from evals.tasks.chat.expectations import Outcome, succeeded
from evals.tasks.chat.scores import outcomes
from fixtures.dialogues.dialogues import Dialogues
from reports.comparison.cell import Cell, shares_of
from reports.comparison.pairing import BrokenRun, Paired, named, pair
from reports.comparison.utterance_changes import TURNS, Moved, Of


def _files(cell: Cell, part: str | None = None) -> tuple[str, str]:
    of = cell.of
    return (
        str(cell.before.path(of.before, of.task, of.corpus, part)),
        str(cell.after.path(of.after, of.task, of.corpus, part)),
    )


# One function a kind of lines: it records what can be paired and returns the metrics that it did.


def _recognition(cell: Cell) -> frozenset[str]:
    metrics = TASKS[cell.of.task].compared
    normalizer = cell.normalizer()
    before, after = cell.lines(Prediction)
    paired = pair(before, after, lambda p: p.reference, lambda p: p.id, _files(cell))
    cell.note_pairing(cell.of, paired)
    first, second = (align(Joined(side), normalizer) for side in (paired.before, paired.after))
    cell.add_texts(cell.of, first, second, metrics)
    return frozenset(metrics)


def _by_part(cell: Cell) -> frozenset[str]:
    normalizer = cell.normalizer()
    of = cell.of
    metrics = TASKS[of.task].compared
    parts = [
        {path.stem for path in side.path(model, of.task, of.corpus).with_suffix("").glob("*.jsonl")}
        for side, model in ((cell.before, of.before), (cell.after, of.after))
    ]
    if not parts[0] & parts[1]:
        folder = cell.after.path(of.after, of.task, of.corpus).with_suffix("")
        raise BrokenRun(f"{folder}: no condition has predictions in both runs")
    if other := parts[0] ^ parts[1]:
        cell.found.only.append(f"one run alone has {of} under: {named(sorted(other))}")
    for part in sorted(parts[0] & parts[1]):
        before, after = cell.lines(Prediction, part)
        paired = pair(before, after, lambda p: p.reference, lambda p: p.id, _files(cell, part))
        here = replace(of, slice=part)
        cell.note_pairing(here, paired)
        first, second = (align(Joined(side), normalizer) for side in (paired.before, paired.after))
        cell.add_texts(here, first, second, metrics)
    return frozenset(metrics)


def _rates_of(cell: Cell) -> frozenset[str]:
    """Pair the rates that a task computes by utterance."""
    task = TASKS[cell.of.task]
    assert task.pair is not None
    normalizer = cell.normalizer()
    before, after = cell.lines(Prediction)
    paired = pair(before, after, lambda p: p.reference, lambda p: p.id, _files(cell))
    cell.note_pairing(cell.of, paired)
    first, second = (align(side, normalizer) for side in (paired.before, paired.after))
    cell.add_texts(cell.of, first, second, ())
    old, new = (task.pair(side, normalizer) for side in (paired.before, paired.after))
    counts = np.any([new[metric].denominators > 0 for metric in task.compared], axis=0)
    n = int(counts.sum())
    if not n:
        return frozenset()
    unanswered = {
        line.id
        for side in (paired.before, paired.after)
        for line, counted in zip(side, counts, strict=True)
        if counted and line.error
    }
    for metric in task.compared:
        if unanswered:
            # What was not answered would look like what stayed silent.
            reason = f"{len(unanswered)} of {n} were not answered in one of the runs"
            missing = Figure(None, n, reason=reason)
            cell.add(cell.of, metric, (None, None), missing, normalizer=normalizer)
            continue
        clusters = new[metric].clusters
        if clusters is not None:
            clusters = [c for c, counted in zip(clusters, counts, strict=True) if counted]
        tops = [side[metric].numerators[counts] for side in (old, new)]
        cell.add_ratio(metric, tops, new[metric].denominators[counts], normalizer, clusters)
    return frozenset(task.compared)


def _speaking(cell: Cell) -> frozenset[str]:
    normalizer = cell.normalizer()
    before, after = cell.lines(Spoken)
    paired = pair(before, after, lambda s: s.text, lambda s: s.id, _files(cell))
    cell.note_pairing(cell.of, paired)
    # To refuse a sentence without a word is right, as in tts_scores.answers.
    told = [
        (old, new)
        for old, new in zip(paired.before, paired.after, strict=True)
        if any(c.isalnum() for c in new.text)
    ]
    answered = [
        np.array([float(x.error is None) for x in side]) for side in zip(*told, strict=True)
    ]
    if answered:
        _add_shares(cell, cell.of, "success_rate", answered[0], answered[1], None)
    # In the order that they were asked for: limits hold for the first.
    judges = [
        name
        for name in dict.fromkeys(n for s in paired.after for n in [*s.heard, *s.unheard])
        if any(name in s.heard or name in s.unheard for s in paired.before)
    ]
    alone = {n for s in (*paired.before, *paired.after) for n in s.heard} - set(judges)
    cell.found.only += [f"one run alone has {cell.of} judged by {name}" for name in sorted(alone)]
    for number, judge in enumerate(judges):
        here = replace(cell.of, slice=f"judge={judge}")
        both = [
            (old, new)
            for old, new in zip(paired.before, paired.after, strict=True)
            if all(judge in line.heard or judge in line.unheard for line in (old, new))
        ]
        # As in tts_scores.intelligibility, what the judge failed on counts as all deletions.
        sides = [[*side] for side in zip(*both, strict=True)]
        deaf = [[line for line in side if judge not in line.heard] for side in sides]
        if failed := [line for side in deaf for line in side]:
            reason = f"{judge} failed on {len(failed)} sentences: {failed[0].unheard[judge]}"
            if any(len(some) == len(side) for some, side in zip(deaf, sides, strict=True)):
                for metric in ("wer", "cer"):
                    cell.add(
                        here, metric, (None, None), Figure(None, len(failed), reason=reason),
                        normalizer=normalizer, held=number == 0,
                    )  # fmt: skip
                continue
            cell.found.notes.append(f"{here}: all deletions where {reason}")
        if both:
            old, new = (align([_heard(x, judge) for x in side], normalizer) for side in sides)
            cell.add_texts(here, old, new, ("wer", "cer"), held=number == 0)
    return frozenset({"wer", "cer", "success_rate"} if judges else {"success_rate"})


def _conversing(cell: Cell) -> frozenset[str]:
    normalizer = cell.normalizer()
    before, after = cell.lines(Replied)
    done: set[str] = set()
    spoken, typed = (
        pair(
            [x for x in before if x.typed == kind],
            [x for x in after if x.typed == kind],
            lambda r: r.user,
            lambda r: r.id,
            _files(cell),
        )
        for kind in (False, True)
    )
    cell.note_pairing(cell.of, spoken)
    ids = [line.dialogue for line in spoken.after]
    answered = [
        np.array([float(x.error is None) for x in side]) for side in (spoken.before, spoken.after)
    ]
    _add_shares(cell, cell.of, "success_rate", answered[0], answered[1], ids)
    done.add("success_rate")
    dialogues = cell.dialogues.get(cell.content_hash or "")
    if dialogues is None:
        cell.found.notes.append(
            f"{cell.of}: whether turns succeed is not compared in pairs, since the dialogues of "
            f"{cell.of.corpus} with content hash {(cell.content_hash or 'unknown')[:12]} are not "
            "at hand (--dialogues FILE)"
        )
    else:
        _add_turns(cell, cell.of, "turn_success_rate", spoken, dialogues)
        done.add("turn_success_rate")
        if typed.before and not any(x.error for x in (*typed.before, *typed.after)):
            here = replace(cell.of, slice="typed")
            _add_turns(cell, here, "typed_success_rate", typed, dialogues)
            done.add("typed_success_rate")
    both = [
        (_understood(old), _understood(new))
        for old, new in zip(spoken.before, spoken.after, strict=True)
        if old.understood is not None and new.understood is not None
    ]
    if both:
        old, new = (align(list(side), normalizer) for side in zip(*both, strict=True))
        figure = changes(old, new)["wer_change"]
        rates = (shares_of(old)["wer"], shares_of(new)["wer"])
        cell.add(cell.of, "user_wer", rates, figure, normalizer=normalizer)
        done.add("user_wer")
    return frozenset(done)


def pairing_of(task: str) -> Callable[[Cell], frozenset[str]] | None:
    """The function that pairs a task and returns its paired metrics; None where there is none."""
    known = TASKS.get(task)
    if known is None or not known.compared:
        return None
    if known.pair is not None:
        return _rates_of
    if known.lines is Prediction:
        return _by_part if known.parts else _recognition
    return {Spoken: _speaking, Replied: _conversing}.get(known.lines or object)


def _add_turns(
    cell: Cell, of: Of, metric: str, turns: Paired[Replied], dialogues: Dialogues
) -> None:
    """Record how many turns succeed, over dialogues, and the turns that moved."""
    try:
        judged = [outcomes(lines, dialogues) for lines in (turns.before, turns.after)]
    except KeyError as error:
        raise BrokenRun(f"{_files(cell)[1]}: no such turn in the dialogues: {error}") from None
    good = [np.array([float(succeeded(one)) for one in side]) for side in judged]
    _add_shares(cell, of, metric, good[0], good[1], [line.dialogue for line in turns.after])
    for number, (old, new) in enumerate(zip(turns.before, turns.after, strict=True)):
        was, now = (not side[number] for side in good)
        if was == now:
            continue
        failing: Sequence[Outcome] = judged[1 if now else 0][number]
        row = Moved(
            of=of,
            id=new.id,
            unit=TURNS,
            errors_before=int(was),
            errors_after=int(now),
            length=1,
            reference=new.user,
            before=old.answer,
            after=new.answer,
            failed_before=old.error,
            failed_after=new.error,
            why="; ".join(f"{o.kind}: {o.reason}" for o in failing if not o.passed) or None,
        )
        (cell.found.worse if now else cell.found.better).append(row)


def _add_shares(
    cell: Cell,
    of: Of,
    metric: str,
    before: Floats,
    after: Floats,
    clusters: Sequence[Hashable] | None,
) -> None:
    ones = np.ones(len(after))
    figure = paired_difference(after - before, ones, clusters, otherwise="there is no pair")
    rates = (float(before.mean()), float(after.mean()))
    cell.add(of, metric, rates, figure, normalizer=None)


def _heard(line: Spoken, judge: str) -> Prediction:
    heard = line.heard.get(judge, "")
    return Prediction(line.id, line.text, heard, 0.0, None, line.error, lang=line.lang)


def _understood(line: Replied) -> Prediction:
    # Turns of a dialogue hang together, so they are drawn together.
    understood = line.understood or ""
    return Prediction(
        line.id, line.user, understood, 0.0, None, speaker=line.dialogue, lang=line.lang
    )
