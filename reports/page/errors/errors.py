"""The errors of a run one by one, from the lines it keeps: aligned word by word, and sampled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from evals.measures.text.alignment import Aligned, Edit, align
from evals.measures.text.normalizers import SPOKEN, check_name
from evals.measures.text.scoring import unseen_difference
from evals.records.predictions import Prediction
from evals.records.replied import Replied
from evals.records.spoken import Spoken
from evals.task import TASKS
from evals.tasks.chat.expectations import Outcome, succeeded
from evals.tasks.chat.scores import outcomes
from fixtures.corpora.fields import channel_of
from fixtures.dialogues.dialogues import Dialogues
from reports.page.errors.audio_clips import Clip
from reports.page.errors.read_lines import Lines
from reports.page.errors.sampling import Sample
from reports.page.errors.wrong import MOST, NO_ANSWER, Errors, Group, Piece, Wrong
from reports.scorecard.scorecard import Scorecard
from reports.text.safe_html import plain

#: Words and characters of a single error; a model that never stops must not fill the page.
MOST_WORDS, MOST_CHARACTERS = 240, 1600
_KINDS = ("substitution", "deletion", "insertion")


@dataclass
class _Found:
    group: Group
    wrong: Sample[Wrong]


def errors_of(
    card: Scorecard,
    run: Path,
    *,
    most: int = MOST,
    seed: int = 0,
    dialogues: Mapping[str, Dialogues] | None = None,
) -> Errors:
    """Every line with an error, or a sample of `most`; see `sampling.Sample` for the rule.

    dialogues: what conversations expect, by the corpus's name; without them nobody can tell which
    turns failed. What cannot be read is in the groups' problems.
    """
    found = [
        _look(card, run, task, model, corpus, dialogues or {}, Sample(most, seed=seed))
        for task, model, corpus in _cases(card)
    ]
    ran = {m.task for m in card.measurements}
    notes = [t.not_listed for t in TASKS.values() if t.name in ran and t.not_listed]
    groups = [one.group for one in found]
    every = [one.wrong for one in found]
    return Errors(groups, every, [()] * len(every), seed, notes=notes).fewer(most)


def _cases(card: Scorecard) -> Iterable[tuple[str, str, str]]:
    cases = dict.fromkeys((m.task, m.model, m.corpus) for m in card.measurements)
    order = [c.name for c in card.models]
    rank = {name: place for place, name in enumerate(order)}
    listed = [task.name for task in TASKS.values() if task.wrong]
    known = [case for case in cases if case[0] in listed]
    return sorted(known, key=lambda c: (listed.index(c[0]), rank.get(c[1], len(rank))))


def _look(
    card: Scorecard,
    run: Path,
    task: str,
    model: str,
    corpus: str,
    dialogues: Mapping[str, Dialogues],
    wrong: Sample[Wrong],
) -> _Found:
    file = f"{model}/{task}/{corpus}.jsonl"
    group = Group(model, task, corpus, file, 0, 0, _normalizer(card, task, model, corpus))
    kind = TASKS[task].lines
    if kind is Spoken:
        return _sentences(group, run, wrong)
    if kind is Replied:
        return _turns(group, run, dialogues.get(corpus), wrong)
    return _utterances(group, run, wrong)


def _normalizer(card: Scorecard, task: str, model: str, corpus: str) -> str:
    """The one that its figures were scored with; where there are none, the default."""
    for m in card.measurements:
        mine = (m.task, m.model, m.corpus) == (task, model, corpus)
        if mine and m.normalizer and m.metric != "wer_by_normalizer":
            return m.normalizer
    return SPOKEN


def _utterances(group: Group, run: Path, wrong: Sample[Wrong]) -> _Found:
    lines = Lines(run, group.file, Prediction)
    problem = _unknown(group.normalizer)
    for some in lines.batches():
        if problem:
            continue  # how many lines there are can be told all the same
        kept = [(n, p) for n, p in some if p.error is not None or p.hypothesis != p.reference]
        aligned = align([p for _, p in kept], group.normalizer or "none")
        for index, errors in enumerate(aligned.words[:, 1:].sum(axis=1).tolist()):
            number, p = kept[index]
            if errors or p.error is not None:  # else written otherwise, and the same words
                wrong.offer(p.id, errors, partial(_utterance, number, p, aligned, index))
    return _found(group, wrong, lines, lines.read, problem, told=not problem)


def _channel(p: Prediction) -> int | None:
    try:
        return channel_of(p.metadata)
    except ValueError:  # a run from elsewhere may say anything
        return None


def _utterance(number: int, p: Prediction, aligned: Aligned, index: int) -> Wrong:
    facts = [("Error", p.error)] if p.error is not None else []
    facts += [
        (name, raw)
        for name, raw, words in (
            ("Said, as written", p.reference, aligned.texts(index)[0]),
            ("Heard, as written", p.hypothesis, aligned.texts(index)[1]),
        )
        if raw != words
    ]
    sound = Clip(p.audio, p.offset, p.audio_seconds, _channel(p)) if p.audio else None
    return _wrong(number, p.id, aligned, index, ("Said", "Heard"), facts, p.error, sound=sound)


def _sentences(group: Group, run: Path, wrong: Sample[Wrong]) -> _Found:
    lines = Lines(run, group.file, Spoken)
    problem = _unknown(group.normalizer)
    for some in lines.batches():
        if problem:
            continue
        pairs = [
            Prediction(
                line.id,
                line.text,
                next(iter(line.heard.values()), ""),
                0.0,
                None,
                error=line.error,
                category=line.category,
                lang=line.lang,
            )
            for _, line in some
        ]
        aligned = align(pairs, group.normalizer or "none")
        for index, (number, line) in enumerate(some):
            errors = int(aligned.words[index, 1:].sum())
            if (line.heard and errors) or line.error is not None or line.unheard:
                wrong.offer(line.id, errors, partial(_sentence, number, line, aligned, index))
    return _found(group, wrong, lines, lines.read, problem, told=not problem)


def _sentence(number: int, line: Spoken, aligned: Aligned, index: int) -> Wrong:
    facts = [("Error", line.error)] if line.error is not None else []
    facts += [(f"{judge} did not hear it", why) for judge, why in line.unheard.items()]
    facts.append(("Text", line.text))
    facts += [(f"{judge} heard", text) for judge, text in line.heard.items()]
    facts += [
        (f"{judge} heard of the recording", text) for judge, text in line.heard_recording.items()
    ]
    return _wrong(
        number,
        line.id,
        aligned,
        index,
        ("To say", "Heard"),
        facts,
        line.error,
        sound=Clip(line.audio) if line.audio else None,
        compared=bool(line.heard),
        more=["not judged"] if line.unheard else [],
    )


def _turns(group: Group, run: Path, dialogues: Dialogues | None, wrong: Sample[Wrong]) -> _Found:
    # A turn is judged within its dialogue, and conversations are few: all of them are in memory.
    lines = Lines(run, group.file, Replied)
    numbered = list(lines)
    spoken = [(n, line) for n, line in numbered if not line.typed]
    typed = {line.id.removesuffix("/typed"): line for _, line in numbered if line.typed}
    judged = _judged([line for _, line in spoken], dialogues)
    by_text = dict(zip(typed, _judged(list(typed.values()), dialogues) or (), strict=False))
    problem = _unknown(group.normalizer)
    if judged is None:
        problem.append(
            f"{group.file}: what its dialogues expect is not at hand, "
            "so only turns without an answer are shown"
        )
    if _unknown(group.normalizer):
        return _found(group, wrong, lines, len(spoken), problem, told=False)
    heard = [
        Prediction(
            line.id,
            line.user,
            line.understood or "",
            0.0,
            None,
            category=line.category,
            lang=line.lang,
        )
        for _, line in spoken
    ]
    aligned = align(heard, group.normalizer or "none")
    for index, (number, line) in enumerate(spoken):
        results = judged[index] if judged is not None else None
        if line.error is None and (results is None or succeeded(results)):
            continue
        failed = [one for one in results or () if not one.passed]
        facts = [("Error", line.error)] if line.error is not None else []
        facts += [(f"Expected: {one.kind}", one.reason) for one in failed]
        facts += [("The user said", line.user)]
        facts += [(f"{judge} heard of the user", text) for judge, text in line.user_heard.items()]
        facts += [("Understood", line.understood)] if line.understood is not None else []
        facts += [("Answer", line.answer)]
        facts += [(f"{judge} heard", text) for judge, text in line.heard.items()]
        if line.id in by_text:
            typed_right = succeeded(by_text[line.id])
            facts.append(
                ("Typed instead", "succeeded" if typed_right else typed[line.id].answer or "failed")
            )
        errors = max(1, len(failed))
        make = partial(_turn, number, line, aligned, index, facts, failed, errors)
        wrong.offer(line.id, errors, make)
    return _found(group, wrong, lines, len(spoken), problem, told=judged is not None)


def _turn(
    number: int,
    line: Replied,
    aligned: Aligned,
    index: int,
    facts: Sequence[tuple[str, str]],
    failed: Sequence[Outcome],
    errors: int,
) -> Wrong:
    return _wrong(
        number,
        line.id,
        aligned,
        index,
        ("User", "Understood"),
        facts,
        line.error,
        sound=Clip(line.audio) if line.audio else None,
        compared=line.understood is not None and bool(aligned.words[index, 1:].sum()),
        more=list(dict.fromkeys(f"expected: {one.kind}" for one in failed)),
        errors=errors,
    )


def _judged(
    lines: Sequence[Replied], dialogues: Dialogues | None
) -> Sequence[Sequence[Outcome]] | None:
    if dialogues is None:
        return None
    try:
        return outcomes(lines, dialogues)
    except KeyError:
        return None  # other dialogues of the same name


def _unknown(name: str | None) -> list[str]:
    """What to say of a normalizer that this version does not have."""
    try:
        check_name(name or "none")
    except ValueError as error:
        return [f"the words could not be compared: {error}"]
    return []


def _found(
    group: Group,
    wrong: Sample[Wrong],
    lines: Lines[Any],
    number: int,
    problem: Sequence[str],
    *,
    told: bool,
) -> _Found:
    """number: of lines that may be wrong. told: whether it is known how many are."""
    group = replace(
        group,
        lines=number,
        wrong=wrong.total if told else None,
        problems=(*lines.problems, *problem),
    )
    return _Found(group, wrong)


def _wrong(
    line: int,
    id: str,
    aligned: Aligned,
    index: int,
    labels: tuple[str, str],
    facts: Sequence[tuple[str, str]],
    error: str | None,
    *,
    sound: Clip | None,
    compared: bool = True,
    more: Sequence[str] = (),
    errors: int | None = None,
) -> Wrong:
    """compared: whether the words say something; else only the facts do."""
    counts = aligned.words[index]
    edits = list(aligned.edits(index)) if compared else []
    kinds = [kind for kind, n in zip(_KINDS, counts[1:], strict=True) if n and compared]
    prediction = aligned.predictions[index]
    unseen = [unseen_difference(edit.reference, edit.hypothesis) for edit in edits]
    facts = [*facts, *(("Looks alike", points) for points in unseen if points)]
    texts = [(name, text) for name, text in facts if text or name != "Error"]
    return Wrong(
        line=line,
        id=plain(id),
        category=plain(prediction.category) if prediction.category is not None else None,
        speaker=plain(prediction.speaker) if prediction.speaker is not None else None,
        kinds=[*([NO_ANSWER] if error is not None else []), *more, *kinds],
        errors=int(counts[1:].sum()) if errors is None else errors,
        words=int(counts[:3].sum()),
        labels=labels,
        edits=_pieces(edits[:MOST_WORDS]),
        facts=[(plain(name), plain(text[:MOST_CHARACTERS])) for name, text in texts],
        clipped=len(edits) > MOST_WORDS or any(len(t) > MOST_CHARACTERS for _, t in texts),
        sound=sound,
    )


def _pieces(edits: Iterable[Edit]) -> list[Piece]:
    pieces: list[Piece] = []
    for edit in edits:
        if edit.is_hit:
            word = plain(edit.reference or "")
            if pieces and isinstance(pieces[-1], str):
                pieces[-1] += f" {word}"
            else:
                pieces.append(word)
        else:
            pieces.append(
                [
                    plain(word)[:MOST_CHARACTERS] if word is not None else 0
                    for word in (edit.reference, edit.hypothesis)
                ]
            )
    return pieces
