"""Two lattices aligned with the fewest edits over all ways of saying either text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from evals.measures.text.scoring.lattice import Compact, Step

#: More than the ranks on any way: an edit always weighs more than an unusual reading.
_EDIT = 1 << 24
_INFINITE = 1 << 60


class Pair(NamedTuple):
    """One place of an alignment: a token of each text, None where it has none there.

    The groups say which number of its text a token is part of, -1 for none.
    """

    reference: str | None
    hypothesis: str | None
    reference_group: int = -1
    hypothesis_group: int = -1


def align_tokens(reference: Sequence[str], hypothesis: Sequence[str]) -> list[Pair]:
    """Texts without alternatives, by rapidfuzz."""
    pairs: list[Pair] = []
    for edit in Levenshtein.opcodes(reference, hypothesis):
        said = reference[edit.src_start : edit.src_end]
        heard = hypothesis[edit.dest_start : edit.dest_end]
        for place in range(max(len(said), len(heard))):
            pairs.append(
                Pair(
                    said[place] if place < len(said) else None,
                    heard[place] if place < len(heard) else None,
                )
            )
    return pairs


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
