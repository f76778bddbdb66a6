"""What a language has to say of its numbers, and what follows from it for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from evals.measures.text.scoring.lattices.lattice import Compound, Expression, Graph, Literal

#: The longest run of digits that is read as one number.
LONGEST_CARDINAL = 15
#: The longest run of digits that is read in groups of two and three.
_LONGEST_GROUPED = 24
Cardinal = Callable[[int], Expression]


@dataclass(frozen=True, eq=False)
class Grammar:
    """How one language says numbers; every field is words as they are written.

    cardinal, ordinal: of a whole number from 0; an ordinal may be None. digits: the names of 0
    to 9. decimal: the mark before a fraction; groups: those between thousands. point: how the
    mark is said. pairs: whether digits are said in twos (fourteen thirty). bare_hundreds:
    whether 800 is said as "eight hundred" within digits. clashes(a, b): whether two neighbours
    would be heard as another number. repeats: double, triple. clock(h, m): a time of day; a
    time may be followed by clock_words. currencies: what a sign is called, and a hundredth of
    it. units, symbols: by their signs. months: by name and number; their names in dates.
    dates(day, month name, year): the order of a date. halves(n, d): a fraction n/d.
    """

    code: str
    cardinal: Cardinal
    ordinal: Cardinal
    digits: Sequence[Expression]
    decimal: str
    groups: str
    point: Expression
    minus: Expression
    plus: Expression
    percent: Expression
    percent_first: bool = False
    pairs: bool = True
    bare_hundreds: bool = False
    clashes: Callable[[int, int], bool] = lambda a, b: False
    repeats: Mapping[int, str] = field(default_factory=dict)
    clock: Callable[[int, int], Expression] | None = None
    clock_words: str = ""
    currencies: Mapping[str, tuple[Expression, Expression]] = field(default_factory=dict)
    and_minor: Expression = None
    units: Mapping[str, Expression] = field(default_factory=dict)
    symbols: Mapping[str, Expression] = field(default_factory=dict)
    to: Expression = None
    months: Sequence[str] = ()
    ordinal_mark: str = ""
    ordinal_days: bool = False
    first_day: Expression = None
    date: Callable[[Expression, Expression, Expression], Expression] | None = None
    fraction: Callable[[int, int], Expression] | None = None
    half: Cardinal | None = None
    ordinal_dot: bool = False
    abbreviations: Mapping[str, Expression] = field(default_factory=dict)
    scales: Mapping[str, tuple[int, Expression]] = field(default_factory=dict)
    decades: Callable[[int], Expression] | None = None
    decade_mark: str = ""
    #: Words of numbers beside those that cardinals and ordinals up to a thousand are made of.
    more_words: str = ""
    #: Words of numbers that are other words as well; alone they are no number.
    ambiguous: str = ""


def digit_string(digits: str, grammar: Grammar) -> Expression:
    """The readings of a run of digits; a very long one is read digit by digit."""
    if len(digits) > _LONGEST_GROUPED:
        return tuple(grammar.digits[int(digit)] for digit in digits)
    return _grouped(digits, grammar)


def _grouped(digits: str, grammar: Grammar) -> Expression:
    """Digits said one by one, in twos, as doubles and triples, in any mixture.

    A group is left out where it and its neighbour would be heard as another number: 201 is not
    "twenty one".
    """
    count = len(digits)
    nodes: dict[tuple[int, int], int] = {(0, 0): 0}
    # Nodes by how many digits are said and how long the last group was, in order.
    keys = [(place, size) for place in range(1, count + 1) for size in (1, 2, 3)]
    for number, key in enumerate(keys, 1):
        nodes[key] = number
    last = len(keys) + 1
    edges: list[tuple[int, int, Expression]] = []
    for (place, size), node in nodes.items():
        if place == count:
            edges.append((node, last, None))
            continue
        before = digits[place - size : place] if size else ""
        for length in (1, 2, 3):
            group = digits[place : place + length]
            if len(group) == length and (said := _group(group, before, grammar)):
                edges.append((node, nodes[place + length, length], said))
    return Graph(last, tuple(edges))


def _group(group: str, before: str, grammar: Grammar) -> Expression:
    value = int(group)
    options: list[Expression] = []
    if len(group) == 1:
        options.append(grammar.digits[value])
        if before and _runs_on(before, value, 1, grammar):
            return None
        return options[0]
    if len(set(group)) == 1 and len(group) in grammar.repeats:
        options.append((grammar.repeats[len(group)], grammar.digits[int(group[0])]))
    if group[0] != "0":
        fits = (
            grammar.pairs
            if len(group) == 2
            else (grammar.bare_hundreds and group.endswith("00") and len(before) < 2)
        )
        if fits and not (before and _runs_on(before, value, len(group), grammar)):
            options.append(grammar.cardinal(value))
    return options if options else None


def _runs_on(before: str, value: int, length: int, grammar: Grammar) -> bool:
    """Whether a group is heard as the end of the one before it."""
    previous = int(before)
    if before[0] == "0" and len(before) > 1:
        return False
    zeros = len(before) - len(before.rstrip("0")) if previous else 0
    if len(before) > 1 and value and length <= zeros:
        return True
    return grammar.clashes(previous, value)


def pair(digits: str, grammar: Grammar) -> Expression:
    """Two digits after a whole number: fifteen, oh five."""
    if digits[0] == "0":
        return (grammar.digits[0], grammar.digits[int(digits[1])])
    return grammar.cardinal(int(digits))


def whole(digits: str, grammar: Grammar) -> list[Expression]:
    """The readings of a run of digits: as a number, and as digits."""
    options: list[Expression] = []
    significant = digits.lstrip("0")
    zeros = len(digits) - len(significant)
    if not significant:
        zeros -= 1
        significant = "0"
    if len(significant) <= LONGEST_CARDINAL:
        # Zeros in front are said: 007 is no 7.
        options.append(
            (*(grammar.digits[0] for _ in range(zeros)), grammar.cardinal(int(significant)))
        )
    if len(digits) == 1:
        options.append(grammar.digits[int(digits)])
    else:
        options.append(digit_string(digits, grammar))
    return options


def decimal(before: str, after: str, grammar: Grammar) -> list[Expression]:
    """The readings of a number with a fraction."""
    digits: list[Expression] = [tuple(grammar.digits[int(d)] for d in after)]
    if after[0] != "0" and len(after) <= 3:
        digits.append(grammar.cardinal(int(after)))
    options: list[Expression] = [(whole(before, grammar), grammar.point, digits)]
    if before.strip("0") == "":
        options.append((grammar.point, digits))
    if len(after) == 2 and len(before) <= 2:
        options.append((grammar.cardinal(int(before)), pair(after, grammar)))
        if after == "00":
            options.append(grammar.cardinal(int(before)))
    return options


@lru_cache(maxsize=32)
def vocabulary(grammar: Grammar) -> frozenset[str]:
    """The words that numbers up to a thousand and their ordinals are made of, as written."""
    words: set[str] = set(grammar.more_words.split())
    for value in (*range(101), 200, 300, 400, 500, 600, 700, 800, 900, 1000):
        _collect(grammar.cardinal(value), words)
        _collect(grammar.ordinal(value), words)
    for name in grammar.digits:
        _collect(name, words)
    return frozenset(words)


def _collect(expression: Expression, words: set[str]) -> None:
    if isinstance(expression, str):
        words.update(expression.split())
    elif isinstance(expression, Compound):
        words.add("".join(expression.parts))
    elif isinstance(expression, Literal):
        words.add(expression.token)
    elif isinstance(expression, Graph):
        for _, _, said in expression.edges:
            _collect(said, words)
    elif expression is not None:
        for part in expression:
            _collect(part, words)
