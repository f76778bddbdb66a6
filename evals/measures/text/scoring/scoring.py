"""A text scored against its reference: the default scoring, under which writing does not count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Literal as OneOf

from rapidfuzz.distance import Levenshtein

from evals.measures.text.scoring.alignment import Pair, align_lattices, align_tokens
from evals.measures.text.scoring.annotations import without_annotations
from evals.measures.text.scoring.characters import standard, without_greek_accents
from evals.measures.text.scoring.lattice import Arc, Lattice
from evals.measures.text.scoring.language import Language, parse_language
from evals.measures.text.scoring.loops import loops
from evals.measures.text.scoring.numbers.grammars import grammar_of
from evals.measures.text.scoring.numbers.written import TELLING, pieces
from evals.measures.text.scoring.spacing import joined, may_join
from evals.measures.text.scoring.spoken_numbers import NumberCounts, count_numbers
from evals.measures.text.scoring.words import plain_tokens

#: Texts whose tokens are remembered: references come once for each model.
_KNOWN = 8_192

Side = OneOf["reference", "hypothesis"]


@dataclass(frozen=True)
class Tokens:
    """What is compared of a text.

    plain: its tokens where it can be said in one way only, else None; then `lattice` has all.
    annotations: how many marks of non-speech were left out.
    """

    plain: tuple[str, ...] | None
    lattice: Lattice
    annotations: int = 0

    @cached_property
    def usual(self) -> tuple[str, ...]:
        """The tokens of the usual reading, numbers as they are written."""
        return self.plain if self.plain is not None else self.lattice.usual()

    def __bool__(self) -> bool:
        return bool(self.usual)


@dataclass(frozen=True)
class Scored:
    """One utterance, aligned with the fewest edits over all readings of both texts.

    pairs: the alignment, place by place. reference, hypothesis: the tokens of the readings that
    were chosen. used: the place of the reference among several. numbers: what became of
    numbers. annotations: marks of non-speech in the hypothesis. loops: 1 where it repeats
    itself as the reference does not.
    """

    pairs: tuple[Pair, ...]
    used: int
    numbers: NumberCounts
    annotations: int
    loops: int

    @cached_property
    def reference(self) -> tuple[str, ...]:
        return tuple(pair.reference for pair in self.pairs if pair.reference is not None)

    @cached_property
    def hypothesis(self) -> tuple[str, ...]:
        return tuple(pair.hypothesis for pair in self.pairs if pair.hypothesis is not None)

    @cached_property
    def hits(self) -> int:
        return sum(pair.reference == pair.hypothesis for pair in self.pairs)

    @cached_property
    def deletions(self) -> int:
        return sum(pair.hypothesis is None for pair in self.pairs)

    @cached_property
    def insertions(self) -> int:
        return sum(pair.reference is None for pair in self.pairs)

    @property
    def substitutions(self) -> int:
        return len(self.pairs) - self.hits - self.deletions - self.insertions

    @property
    def errors(self) -> int:
        return len(self.pairs) - self.hits

    @cached_property
    def characters(self) -> tuple[int, int, int, int]:
        """Hits, substitutions, deletions and insertions over characters, without spaces or marks."""
        said, heard = "".join(self.reference), "".join(self.hypothesis)
        if said == heard:
            return len(said), 0, 0, 0
        edits = Levenshtein.editops(said, heard).as_list()
        replaced = sum(edit[0] == "replace" for edit in edits)
        deleted = sum(edit[0] == "delete" for edit in edits)
        inserted = sum(edit[0] == "insert" for edit in edits)
        return len(said) - replaced - deleted, replaced, deleted, inserted


class Scoring:
    """The default scoring of one language. Raises ValueError for what is no language."""

    def __init__(self, language: Language | str) -> None:
        self.language = parse_language(language) if isinstance(language, str) else language
        self.code = self.language.code
        self.grammar = grammar_of(self.language)
        self._tokens = lru_cache(maxsize=_KNOWN)(self._make)

    def tokens(self, text: str, side: Side = "reference") -> Tokens:
        """The tokens of a text. The sides differ in nothing but what is reported of them."""
        del side
        return self._tokens(text)

    def words(self, text: str) -> tuple[str, ...]:
        """The tokens of the usual reading of a text."""
        return self._tokens(text).usual

    def score(self, reference: str | Sequence[str], hypothesis: str) -> Scored:
        """Align a hypothesis with its reference; of several, with the one of the fewest errors.

        Raises ValueError where there is no reference at all.
        """
        references = [reference] if isinstance(reference, str) else list(reference)
        if not references:
            raise ValueError("a hypothesis is scored against at least one reference")
        best: Scored | None = None
        for place, text in enumerate(references):
            scored = self._score(text, hypothesis, place)
            if best is None or scored.errors < best.errors:
                best = scored
            if not best.errors:
                break
        assert best is not None
        return best

    def _score(self, reference: str, hypothesis: str, place: int) -> Scored:
        if self.code == "el" and (reference.isupper() or hypothesis.isupper()):
            reference, hypothesis = map(without_greek_accents, (reference, hypothesis))
        said, heard = self._tokens(reference), self._tokens(hypothesis)
        pairs = self._align(reference, hypothesis, said, heard)
        return Scored(
            tuple(pairs),
            place,
            count_numbers(pairs, self.grammar, self.code),
            heard.annotations,
            loops(reference, hypothesis, self.code),
        )

    def _align(self, reference: str, hypothesis: str, said: Tokens, heard: Tokens) -> list[Pair]:
        if said.plain is not None and heard.plain is not None:
            if said.plain == heard.plain:
                return [Pair(token, token) for token in said.plain]
            pairs = align_tokens(said.plain, heard.plain)
            if not may_join(said.plain, heard.plain):
                return pairs
        elif reference == hypothesis:
            return align_lattices(_usual(said).compact(), _usual(heard).compact())
        return align_lattices(*(side.compact() for side in joined(said.lattice, heard.lattice)))

    def _make(self, text: str) -> Tokens:
        text, annotations = without_annotations(text)
        text = standard(text, self.code)
        lattice = Lattice()
        if TELLING.search(text) is None and not self._is_special(text):
            plain = tuple(plain_tokens(text, self.code))
            lattice.add_tokens(plain)
            return Tokens(plain, lattice, annotations)
        group = 0
        forks = False
        for piece in pieces(text, self.grammar):
            if isinstance(piece, str):
                lattice.add_tokens(plain_tokens(piece, self.code))
                continue
            forks = True
            lattice.add(piece.expression, self._said, group if piece.is_number else -1)
            group += piece.is_number
        plain_or_none = None if forks else lattice.usual()
        return Tokens(plain_or_none, lattice, annotations)

    def _is_special(self, text: str) -> bool:
        return False

    def _said(self, words: str) -> tuple[str, ...]:
        return _reading(words, self.code)


@lru_cache(maxsize=16_384)
def _reading(words: str, code: str) -> tuple[str, ...]:
    return tuple(plain_tokens(standard(words, code), code))


def _usual(tokens: Tokens) -> Lattice:
    """The usual reading alone, its numbers marked as such."""
    lattice = Lattice()
    node = 0
    arcs = tokens.lattice.arcs
    while node != tokens.lattice.last:
        arc = next(a for a in arcs[node] if not a.rank)
        node = arc.end
        if arc.token is not None:
            end = len(lattice.arcs)
            lattice.arcs[-1].append(Arc(arc.token, end, 0, arc.group))
            lattice.arcs.append([])
    return lattice


@cache
def scoring_of(language: str) -> Scoring:
    """The scoring of a language, made once. Raises ValueError for what is no language."""
    return Scoring(language)


def score(reference: str | Sequence[str], hypothesis: str, language: str) -> Scored:
    """Score one hypothesis under the default scoring of its language."""
    return scoring_of(language).score(reference, hypothesis)
