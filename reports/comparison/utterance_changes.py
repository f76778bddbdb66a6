"""Utterances that have more errors, or fewer, than before, word by word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from rapidfuzz.distance import Levenshtein

from evals.gate.paired_change import worsened
from evals.measures.text.alignment import Aligned, Edit
from evals.records.measurement import ALL

#: What errors are counted in.
WORDS, TURNS = "words", "turns"
#: Words of the reference, what became of each before and after; None: nothing there.
Column: TypeAlias = tuple[str | None, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Of:
    """What is compared: a model before and one after, on one task and corpus.

    slice: "all", a judge as "judge=NAME", a condition of the robustness task, or "typed".
    """

    before: str
    after: str
    task: str
    corpus: str
    slice: str = ALL

    @property
    def model(self) -> str:
        """The name, or both where they differ."""
        return self.after if self.before == self.after else f"{self.before} -> {self.after}"

    def __str__(self) -> str:
        part = "" if self.slice == ALL else f", {self.slice}"
        return f"{self.model} on {self.corpus} ({self.task}{part})"


@dataclass(frozen=True, slots=True)
class Moved:
    """An utterance that has more, or fewer, errors than before.

    reference, before, after: raw text. unit: what the errors are counted in, "words" or
    "turns" (a turn of a dialogue is one error or none). length: of the reference in that unit.
    columns: the normalized words, aligned. failed_before, failed_after: why there was no answer.
    why: of a turn, what was expected and does not hold, in the run where it fails.
    """

    of: Of
    id: str
    unit: str
    errors_before: int
    errors_after: int
    length: int
    reference: str
    before: str
    after: str
    columns: Sequence[Column] = ()
    failed_before: str | None = None
    failed_after: str | None = None
    why: str | None = None

    @property
    def added(self) -> int:
        """Errors more than before; negative where it got better."""
        return self.errors_after - self.errors_before


def moved(of: Of, before: Aligned, after: Aligned) -> Iterator[Moved]:
    """The utterances that got worse, with their words aligned."""
    place = {p.id: i for i, p in enumerate(after.predictions)}
    lengths = after.words[:, :3].sum(axis=1)
    for w in worsened(before, after):
        i = place[w.id]
        yield Moved(
            of=of,
            id=w.id,
            unit=WORDS,
            errors_before=w.errors_before,
            errors_after=w.errors_after,
            length=int(lengths[i]),
            reference=w.reference,
            before=w.before,
            after=w.after,
            columns=columns(before.edits(i), after.edits(i)),
            failed_before=before.predictions[i].error,
            failed_after=after.predictions[i].error,
        )


def turned(row: Moved) -> Moved:
    """The same utterance with before and after exchanged."""
    return replace(
        row,
        errors_before=row.errors_after,
        errors_after=row.errors_before,
        before=row.after,
        after=row.before,
        columns=tuple((said, new, old) for said, old, new in row.columns),
        failed_before=row.failed_after,
        failed_after=row.failed_before,
    )


def columns(before: Iterable[Edit], after: Iterable[Edit]) -> tuple[Column, ...]:
    """Two alignments with one reference as one: its words in order, what was inserted between.

    Where each run's hypothesis chose another reading of the reference ("1430", "fourteen
    thirty"), what is read in two ways stands in one column, as `after` reads it.
    """
    gaps_before, words_before = _by_reference(before)
    gaps_after, words_after = _by_reference(after)
    found: list[Column] = []

    def insert(old_gap: Sequence[str], new_gap: Sequence[str]) -> None:
        for i in range(max(len(old_gap), len(new_gap))):
            old = old_gap[i] if i < len(old_gap) else None
            new = new_gap[i] if i < len(new_gap) else None
            found.append((None, old, new))

    for block in Levenshtein.opcodes(
        [word for word, _ in words_before], [word for word, _ in words_after]
    ):
        i, i_end, j, j_end = block.src_start, block.src_end, block.dest_start, block.dest_end
        if block.tag == "equal":
            for own, other in zip(range(i, i_end), range(j, j_end), strict=True):
                insert(gaps_before[own], gaps_after[other])
                found.append((words_after[other][0], words_before[own][1], words_after[other][1]))
        else:
            insert(gaps_before[i] if i < i_end else (), gaps_after[j] if j < j_end else ())
            old = _read(words_before[i:i_end], gaps_before[i + 1 : i_end])
            new = _read(words_after[j:j_end], gaps_after[j + 1 : j_end])
            said = " ".join(word for word, _ in words_after[j:j_end] or words_before[i:i_end])
            found.append((said, old, new))
    insert(gaps_before[-1], gaps_after[-1])
    return tuple(found)


def _read(words: Sequence[tuple[str, str | None]], gaps: Iterable[Sequence[str]]) -> str | None:
    """What became of a row of reference words, with what was inserted between them."""
    heard = [word for _, word in words if word is not None]
    return " ".join([*heard, *(word for gap in gaps for word in gap)]) or None


def _by_reference(
    edits: Iterable[Edit],
) -> tuple[list[list[str]], list[tuple[str, str | None]]]:
    """What was inserted before each word of the reference and at the end; what became of each."""
    gaps: list[list[str]] = [[]]
    words: list[tuple[str, str | None]] = []
    for edit in edits:
        if edit.reference is not None:
            words.append((edit.reference, edit.hypothesis))
            gaps.append([])
        elif edit.hypothesis is not None:
            gaps[-1].append(edit.hypothesis)
    return gaps, words
