"""Two texts aligned over all their readings, in parts where they are long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evals.measures.text.scoring.lattices.alignment import Pair, align_lattices
from evals.measures.text.scoring.lattices.lattice import Lattice
from evals.measures.text.scoring.lattices.spacing import joined

#: The most nodes of one text times nodes of the other that are aligned in one piece: about two
#: seconds and 200 MB. Ordinary utterances have a few thousand.
MOST_CELLS = 1_000_000
#: So many words heard as they are, one after the other, are where a long text is cut.
_ANCHOR = 6


def align_readings(said: Lattice, heard: Lattice, usual: Sequence[Pair]) -> list[Pair]:
    """The alignment with the fewest edits over all readings.

    usual: the alignment of the usual readings. Texts of more than MOST_CELLS are cut where it
    has _ANCHOR hits in a row that are no choice, and a part that is still longer keeps it.
    """
    if len(said.arcs) * len(heard.arcs) <= MOST_CELLS:
        return _whole(said, heard)
    found: list[Pair] = []
    for part, one, other in _parts(said, heard, usual):
        if all(pair.is_hit for pair in part) or len(one.arcs) * len(other.arcs) > MOST_CELLS:
            found += part
        else:
            found += _whole(one, other)
    return found


def _parts(
    said: Lattice, heard: Lattice, usual: Sequence[Pair]
) -> Iterator[tuple[list[Pair], Lattice, Lattice]]:
    """The usual alignment in parts, each with what it is of both lattices."""
    said_nodes, heard_nodes = said.usual_nodes(), heard.usual_nodes()
    start = (0, 0)
    place = [0, 0]
    part: list[Pair] = []
    hits = 0
    for pair in usual:
        part.append(pair)
        place[0] += pair.reference is not None
        place[1] += pair.hypothesis is not None
        plain = pair.reference_group == pair.hypothesis_group == -1
        hits = hits + 1 if pair.is_hit and plain else 0
        if hits >= _ANCHOR:
            here = (said_nodes[place[0]], heard_nodes[place[1]])
            yield part, said.part(start[0], here[0]), heard.part(start[1], here[1])
            start, part, hits = here, [], 0
    yield part, said.part(start[0], said.last), heard.part(start[1], heard.last)


def _whole(said: Lattice, heard: Lattice) -> list[Pair]:
    """In one piece; what both begin and end with and is no choice is a hit."""
    first = 0
    most = min(said.head, heard.head)
    while first < most and said.arcs[first][0].token == heard.arcs[first][0].token:
        first += 1
    after = 0
    most = min(said.tail, heard.tail, said.last - first, heard.last - first)
    while after < most and said.arcs[-2 - after][0].token == heard.arcs[-2 - after][0].token:
        after += 1
    inner = joined(
        said.part(first, said.last - after),
        heard.part(first, heard.last - after),
    )
    pairs = align_lattices(*(side.compact() for side in inner))
    return [
        *_hits(said, 0, first),
        *pairs,
        *_hits(said, said.last - after, said.last),
    ]


def _hits(lattice: Lattice, start: int, end: int) -> list[Pair]:
    tokens = [arcs[0].token for arcs in lattice.arcs[start:end]]
    return [Pair(token, token) for token in tokens]
