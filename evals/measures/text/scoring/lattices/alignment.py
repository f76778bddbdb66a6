"""Two lattices aligned with the fewest edits over all ways of saying either text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein, Opcode

from evals.measures.text.scoring.lattices.lattice import Compact, Step

#: More than the ranks on any way: an edit always weighs more than an unusual reading.
_EDIT = 1 << 24
_INFINITE = 1 << 60

#: The group of a token that is no number and can be said in several ways.
SIGN = -2


class Pair(NamedTuple):
    """One place of an alignment: a token of each text, None where it has none there.

    The groups say which number of its text a token is part of, -1 for none, SIGN for a sign or
    an abbreviation.
    """

    reference: str | None
    hypothesis: str | None
    reference_group: int = -1
    hypothesis_group: int = -1

    @property
    def is_hit(self) -> bool:
        return self.reference == self.hypothesis


def align_tokens(
    reference: Sequence[str],
    hypothesis: Sequence[str],
    reference_groups: Sequence[int] | None = None,
    hypothesis_groups: Sequence[int] | None = None,
) -> list[Pair]:
    """Texts without alternatives, by rapidfuzz; with the group of each token where it has one."""
    pairs: list[Pair] = []
    if reference == hypothesis:
        pairs += map(Pair, reference, hypothesis)
        edits: list[Opcode] = []
    else:
        edits = list(Levenshtein.opcodes(reference, hypothesis))
    for edit in edits:
        said = reference[edit.src_start : edit.src_end]
        heard = hypothesis[edit.dest_start : edit.dest_end]
        if edit.tag == "insert":
            pairs += [Pair(None, token) for token in heard]
        elif edit.tag == "delete":
            pairs += [Pair(token, None) for token in said]
        else:
            pairs += map(Pair, said, heard)
    if reference_groups is None and hypothesis_groups is None:
        return pairs
    own, others = iter(reference_groups or ()), iter(hypothesis_groups or ())
    return [
        Pair(
            a,
            b,
            -1 if a is None else next(own, -1),
            -1 if b is None else next(others, -1),
        )
        for a, b, _, _ in pairs
    ]


def align_lattices(reference: Compact, hypothesis: Compact) -> list[Pair]:
    """The alignment with the fewest edits; among such, the one of the most usual readings.

    The Levenshtein distance of two acyclic automata (Mohri 2003, "Edit-distance of weighted
    automata"), node by node in order: time and memory grow with the product of their arcs.
    """
    rows, columns = len(reference.steps), len(hypothesis.steps)
    costs = [[_INFINITE] * columns for _ in range(rows)]
    back: list[list[tuple[int, int, Step | None, Step | None] | None]] = [
        [None] * columns for _ in range(rows)
    ]
    costs[0][0] = 0
    heard_steps = hypothesis.steps
    for row in range(rows):
        here = costs[row]
        said_steps = reference.steps[row]
        for column in range(columns):
            cost = here[column]
            if cost == _INFINITE:
                continue
            heard_here = heard_steps[column]
            for heard in heard_here:
                total = cost + _EDIT + heard.rank
                if total < here[heard.end]:
                    here[heard.end] = total
                    back[row][heard.end] = (row, column, None, heard)
            for said in said_steps:
                token, end, rank, _ = said
                below = costs[end]
                total = cost + _EDIT + rank
                if total < below[column]:
                    below[column] = total
                    back[end][column] = (row, column, said, None)
                cost_said = cost + rank
                for heard in heard_here:
                    total = cost_said + heard.rank
                    if token != heard.token:
                        total += _EDIT
                    if total < below[heard.end]:
                        below[heard.end] = total
                        back[end][heard.end] = (row, column, said, heard)
    _, row, column = min(
        (costs[row][column], row, column)
        for row in reference.accepting
        for column in hypothesis.accepting
    )
    pairs: list[Pair] = []
    while step := back[row][column]:
        row, column, said_step, heard_step = step
        pairs.append(
            Pair(
                said_step.token if said_step else None,
                heard_step.token if heard_step else None,
                said_step.group if said_step else -1,
                heard_step.group if heard_step else -1,
            )
        )
    pairs.reverse()
    return pairs
