"""Words written together by one and apart by another: "ice cream" and "icecream"."""

from __future__ import annotations

from collections.abc import Sequence

from evals.measures.text.scoring.lattices.alignment import Pair
from evals.measures.text.scoring.lattices.lattice import Arc, Lattice

#: The most words that are written as one.
_MOST = 4


def may_join(pairs: Sequence[Pair]) -> bool:
    """Whether words of one text, written together, are words of the other, where they differ."""
    said: list[str] = []
    heard: list[str] = []
    for pair in (*pairs, Pair("", "")):
        if pair.reference != pair.hypothesis:
            if pair.reference is not None:
                said.append(pair.reference)
            if pair.hypothesis is not None:
                heard.append(pair.hypothesis)
            continue
        if said and heard and len(said) + len(heard) > 2 and _share(said, heard):
            return True
        said, heard = [], []
    return False


def _share(said: Sequence[str], heard: Sequence[str]) -> bool:
    return not _together(said).isdisjoint(_together(heard))


def _together(words: Sequence[str]) -> set[str]:
    found = set(words)
    for start in range(len(words) - 1):
        text = words[start]
        for word in words[start + 1 : start + _MOST]:
            text += word
            found.add(text)
    return found


def joined(reference: Lattice, hypothesis: Lattice) -> tuple[Lattice, Lattice]:
    """Both lattices with an arc for each row of words that the other writes otherwise."""
    said, heard = _rows(reference), _rows(hypothesis)
    shared = {
        text
        for text in said.keys() & heard.keys()
        if {words for words, _, _ in said[text]} != {words for words, _, _ in heard[text]}
    }
    if not shared:
        return reference, hypothesis
    return _with(reference, said, shared), _with(hypothesis, heard, shared)


def _with(
    lattice: Lattice, rows: dict[str, list[tuple[int, int, int]]], shared: set[str]
) -> Lattice:
    arcs = [list(some) for some in lattice.arcs]
    for text in shared:
        for count, start, end in rows[text]:
            if count > 1:
                arcs[start].append(Arc(text, end, 1))
    return Lattice(arcs)


def _rows(lattice: Lattice) -> dict[str, list[tuple[int, int, int]]]:
    """(how many words, first node, last node) by text, of words without an alternative."""
    arcs = lattice.arcs
    found: dict[str, list[tuple[int, int, int]]] = {}
    for start, some in enumerate(arcs):
        for arc in some:
            if arc.token is not None:
                found.setdefault(arc.token, []).append((1, start, arc.end))
        node, text = start, ""
        for count in range(1, _MOST + 1):
            if len(arcs[node]) != 1:
                break
            (arc,) = arcs[node]
            if arc.token is None or not arc.token[0].isalpha():
                break
            text += arc.token
            node = arc.end
            if count > 1:
                found.setdefault(text, []).append((count, start, node))
    return found
