"""A text as a lattice: its tokens in order, with a fork where it can be said in several ways."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

#: A way of saying something. A text is its words; a tuple is one thing after the other; a list
#: is a choice, the usual first; None says nothing; `Compound` may be
#: written together or apart; `Graph` is whatever leads from its first node to its last; a
#: `Literal` is one token as it stands.
Expression: TypeAlias = (
    "str | tuple[Expression, ...] | list[Expression] | Compound | Graph | Literal | None"
)


@dataclass(frozen=True, slots=True)
class Compound:
    """Parts of one word that some write apart, such as zwei + hundert."""

    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Literal:
    """One token."""

    token: str


@dataclass(frozen=True, slots=True)
class Graph:
    """Edges (from, to, what is said) between nodes 0 to `last`, always to a higher one."""

    last: int
    edges: tuple[tuple[int, int, Expression], ...]


@dataclass(frozen=True, slots=True)
class Arc:
    """From one node to a later one: a token, or nothing (None).

    rank: 0 on the usual way of saying a text, 1 beside it. group: the number that the token is
    part of, counted from 0 within the text; -1 outside of numbers.
    """

    token: str | None
    end: int
    rank: int = 0
    group: int = -1


@dataclass
class Lattice:
    """Nodes 0 to n in order, each with its arcs; a text is a way from the first to the last.

    head, tail: how many tokens at the beginning and at the end have no alternative.
    """

    arcs: list[list[Arc]] = field(default_factory=lambda: [[]])
    head: int = 0
    tail: int = 0

    @property
    def last(self) -> int:
        return len(self.arcs) - 1

    def add(
        self, expression: Expression, tokens: Callable[[str], Sequence[str]], group: int = -1
    ) -> None:
        """Append one expression. tokens: what a text's words are as tokens."""
        if self.last == self.tail:
            self.head = self.tail
        self.tail = 0
        _Builder(self.arcs, tokens, group).append(expression)

    def add_tokens(self, tokens: Iterable[str]) -> None:
        """Append tokens that have no alternative."""
        arcs = self.arcs
        for token in tokens:
            arcs[-1].append(Arc(token, len(arcs)))
            arcs.append([])
            self.tail += 1

    def part(self, start: int, end: int) -> Lattice:
        """From one node to another that every way leads through."""
        some = [*self.arcs[start:end], []]
        found = Lattice(
            [[Arc(a.token, a.end - start, a.rank, a.group) for a in arcs] for arcs in some]
        )
        found.head = max(0, min(self.head, end) - start)
        found.tail = max(0, end - max(start, self.last - self.tail))
        return found

    def usual(self) -> list[Arc]:
        """The arcs of the usual way that say a token."""
        return [arc for arc in self._usual_way() if arc.token is not None]

    def usual_nodes(self) -> list[int]:
        """The node before each token of the usual way, and the last node."""
        nodes = [0]
        for arc in self._usual_way():
            if arc.token is None:
                nodes[-1] = arc.end
            else:
                nodes.append(arc.end)
        return nodes

    def _usual_way(self) -> Iterator[Arc]:
        node = 0
        while node != self.last:
            arc = next(a for a in self.arcs[node] if not a.rank)
            yield arc
            node = arc.end

    def compact(self) -> Compact:
        """The same ways without the arcs that say nothing."""
        nodes = range(len(self.arcs))
        reached: list[dict[int, int]] = [{} for _ in nodes]
        for node in reversed(nodes):
            # The nodes that nothing said leads to, with the rank of the way there.
            near = {node: 0}
            for arc in self.arcs[node]:
                if arc.token is None:
                    for place, rank in reached[arc.end].items():
                        near[place] = min(near.get(place, 1), max(rank, arc.rank))
            reached[node] = near
        steps: list[list[Step]] = []
        accepting: list[int] = []
        used = {0}
        for node in nodes:
            if node not in used:
                continue
            for place in reached[node]:
                used.update(a.end for a in self.arcs[place] if a.token is not None)
        order = sorted(used)
        numbers = {node: place for place, node in enumerate(order)}
        for node in order:
            own: dict[tuple[str, int], Step] = {}
            for place, rank in reached[node].items():
                for arc in self.arcs[place]:
                    if arc.token is None:
                        continue
                    step = Step(arc.token, numbers[arc.end], max(rank, arc.rank), arc.group)
                    known = own.get(step[:2])
                    if known is None or known.rank > step.rank:
                        own[step[:2]] = step
            steps.append(list(own.values()))
            if self.last in reached[node]:
                accepting.append(numbers[node])
        return Compact(steps, frozenset(accepting))


class Step(NamedTuple):
    """An arc that says a token."""

    token: str
    end: int
    rank: int
    group: int


@dataclass(frozen=True, slots=True)
class Compact:
    """A lattice whose every arc says a token. accepting: nodes where a way may end."""

    steps: list[list[Step]]
    accepting: frozenset[int]


class _Builder:
    """Adds an expression's nodes behind the last one."""

    def __init__(
        self, arcs: list[list[Arc]], tokens: Callable[[str], Sequence[str]], group: int
    ) -> None:
        self._arcs = arcs
        self._tokens = tokens
        self._group = group

    def append(self, expression: Expression) -> None:
        start = len(self._arcs) - 1
        ends = self._build(expression, start, 0)
        if ends != len(self._arcs) - 1:
            raise AssertionError("the end of an expression is its last node")

    def _build(self, expression: Expression, start: int, rank: int) -> int:
        """The node where the expression ends, which is the last of all unless it says nothing."""
        if expression is None:
            return start
        if isinstance(expression, str):
            return self._words(self._tokens(expression), start, rank)
        if isinstance(expression, Literal):
            return self._step(expression.token, start, rank)
        if isinstance(expression, Compound):
            return self._compound(expression, start, rank)
        if isinstance(expression, Graph):
            return self._graph(expression, start, rank)
        if isinstance(expression, tuple):
            for part in expression:
                start = self._build(part, start, rank)
            return start
        return self._choice(expression, start, rank)

    def _words(self, tokens: Sequence[str], start: int, rank: int) -> int:
        for token in tokens:
            start = self._step(token, start, rank)
        return start

    def _step(self, token: str | None, start: int, rank: int) -> int:
        self._arcs.append([])
        end = len(self._arcs) - 1
        self._arcs[start].append(Arc(token, end, rank, self._group))
        return end

    def _choice(self, options: list[Expression], start: int, rank: int) -> int:
        if len(options) == 1:
            return self._build(options[0], start, rank)
        ends: list[tuple[int, int]] = []
        for place, option in enumerate(options):
            own = rank or int(place > 0)
            # A node of its own, so that the last arc of each option can be led to the same end.
            ends.append((self._build(option, start, own), own))
        self._arcs.append([])
        end = len(self._arcs) - 1
        for node, own in ends:
            self._arcs[node].append(Arc(None, end, own if node == start else 0, self._group))
        return end

    def _graph(self, graph: Graph, start: int, rank: int) -> int:
        nodes: dict[int, int] = {0: start}
        into: dict[int, list[tuple[int, Expression]]] = {}
        for before, place, said in graph.edges:
            into.setdefault(place, []).append((before, said))
        for place in range(1, graph.last + 1):
            ends = [
                self._build(said, nodes[before], rank)
                for before, said in into.get(place, ())
                if before in nodes
            ]
            if not ends:
                continue
            self._arcs.append([])
            nodes[place] = len(self._arcs) - 1
            for end in ends:
                self._arcs[end].append(Arc(None, nodes[place], 0, self._group))
        return nodes[graph.last]

    def _compound(self, compound: Compound, start: int, rank: int) -> int:
        parts = compound.parts
        first = len(self._arcs)
        nodes: list[int] = [start, *range(first, first + len(parts))]
        self._arcs.extend([] for _ in parts)
        for i in range(len(parts)):
            for j in range(len(parts), i, -1):
                tokens = self._tokens("".join(parts[i:j]))
                if len(tokens) == 1:
                    whole = rank or int((i, j) != (0, len(parts)))
                    self._arcs[nodes[i]].append(Arc(tokens[0], nodes[j], whole, self._group))
        return first + len(parts) - 1
