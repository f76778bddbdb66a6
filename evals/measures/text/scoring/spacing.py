"""Words written together by one and apart by another: "ice cream" and "icecream"."""

from __future__ import annotations

from collections.abc import Sequence

from evals.measures.text.scoring.lattice import Arc, Lattice

#: The most words that are written as one.
_MOST = 4


def may_join(reference: Sequence[str], hypothesis: Sequence[str]) -> bool:
    """Whether some words of one text, written together, are words of the other."""
    said, heard = set(reference), set(hypothesis)
    missing, added = said - heard, heard - said
    if not missing or not added:
        # "a part" and "apart a" hold no other way.
        return bool(missing or added) and (
            _makes(reference, added) or _makes(hypothesis, missing)
        )
    return _makes(reference, added) or _makes(hypothesis, missing) or _share(reference, hypothesis)


def _makes(words: Sequence[str], wanted: set[str]) -> bool:
    if not wanted:
        return False
    for start in range(len(words) - 1):
        together = words[start]
        for end in range(start + 1, min(start + _MOST, len(words))):
            together += words[end]
            if together in wanted:
                return True
    return False


def _share(reference: Sequence[str], hypothesis: Sequence[str]) -> bool:
    """Whether some words of one, together, are some of the other, parted elsewhere."""
    some = {text for text, _, _ in _together(reference) if text.isalpha()}
    for text, start, end in _together(hypothesis):
        if text in some and tuple(hypothesis[start:end]) not in _splits(reference, text):
            return True
    return False


def _splits(words: Sequence[str], text: str) -> set[tuple[str, ...]]:
    return {tuple(words[a:b]) for t, a, b in _together(words) if t == text}


def _together(words: Sequence[str]) -> list[tuple[str, int, int]]:
    found = []
    for start in range(len(words) - 1):
        text = words[start]
        for end in range(start + 1, min(start + _MOST, len(words))):
            text += words[end]
            found.append((text, start, end + 1))
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
