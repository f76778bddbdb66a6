"""A text scored against its reference: the default scoring, under which writing does not count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal as OneOf

from rapidfuzz.distance import Levenshtein

from evals.measures.text.scoring.annotations import without_annotations
from evals.measures.text.scoring.characters import standard, without_greek_accents
from evals.measures.text.scoring.lattices.alignment import SIGN, Pair, align_tokens
from evals.measures.text.scoring.lattices.lattice import Lattice
from evals.measures.text.scoring.lattices.readings import align_readings
from evals.measures.text.scoring.lattices.spacing import may_join
from evals.measures.text.scoring.loops import loops
from evals.measures.text.scoring.numbers.grammars import grammar_of
from evals.measures.text.scoring.numbers.spoken_numbers import NumberCounts, count_numbers
from evals.measures.text.scoring.numbers.written import is_plain, pieces
from evals.measures.text.scoring.words import plain_tokens
from fixtures.corpora.languages import Language, parse_language

#: Texts whose tokens are remembered: references come once for each model.
_KNOWN = 8_192

Side = OneOf["reference", "hypothesis"]


@dataclass(frozen=True)
class Tokens:
    """What is compared of a text.

    usual: its tokens, numbers as they are written in digits. groups: for each the number that
    it is part of, -1 for none. forks: the text where some of it can be said in several ways,
    else None. annotations: how many marks of non-speech were left out.
    """

    usual: tuple[str, ...]
    groups: tuple[int, ...] | None = None
    forks: Lattice | None = None
    annotations: int = 0

    @cached_property
    def lattice(self) -> Lattice:
        """All ways of saying the text."""
        if self.forks is not None:
            return self.forks
        lattice = Lattice()
        lattice.add_tokens(self.usual)
        lattice.head = lattice.tail
        return lattice

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
        return sum(pair.is_hit for pair in self.pairs)

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
        """Hits, substitutions, deletions and insertions over characters: no spaces, no marks."""
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
        pairs = self._align(said, heard)
        return Scored(
            tuple(pairs),
            place,
            count_numbers(pairs, self.grammar, self.code),
            heard.annotations,
            loops(reference, hypothesis, self.code),
        )

    def _align(self, said: Tokens, heard: Tokens) -> list[Pair]:
        """The alignment with the fewest edits.

        Where the usual readings differ nowhere near a number or a sign, no other reading is
        looked at: it could only move an edit. The usual readings stay where no other has fewer
        edits, so that hits and substitutions are those of the plain alignment.
        """
        pairs = align_tokens(said.usual, heard.usual, said.groups, heard.groups)
        if said.usual == heard.usual:
            return pairs
        forks = said.forks is not None or heard.forks is not None
        if not (forks and _edits_at_forks(pairs)) and not may_join(pairs):
            return pairs
        others = align_readings(said.lattice, heard.lattice, pairs)
        return others if _edits(others) < _edits(pairs) else pairs

    def _make(self, text: str) -> Tokens:
        text, annotations = without_annotations(text)
        text = standard(text, self.code)
        if is_plain(text, self.grammar):
            return Tokens(tuple(plain_tokens(text, self.code)), annotations=annotations)
        lattice = Lattice()
        group = 0
        forks = False
        for piece in pieces(text, self.grammar):
            if isinstance(piece, str):
                lattice.add_tokens(plain_tokens(piece, self.code))
                continue
            forks = True
            lattice.add(piece.expression, self._said, group if piece.is_number else SIGN)
            group += piece.is_number
        usual = lattice.usual()
        return Tokens(
            tuple(str(arc.token) for arc in usual),
            tuple(arc.group for arc in usual),
            lattice if forks else None,
            annotations,
        )

    def _said(self, words: str) -> tuple[str, ...]:
        return _reading(words, self.code)


@lru_cache(maxsize=16_384)
def _reading(words: str, code: str) -> tuple[str, ...]:
    return tuple(plain_tokens(standard(words, code), code))


def _edits(pairs: Sequence[Pair]) -> int:
    return sum(not pair.is_hit for pair in pairs)


def _edits_at_forks(pairs: Sequence[Pair]) -> bool:
    """Whether an edit is, or is next to, what can be said in several ways."""
    edit = fork = False
    for pair in pairs:
        own_fork = pair.reference_group != -1 or pair.hypothesis_group != -1
        own_edit = not pair.is_hit
        if (own_edit and (own_fork or fork)) or (edit and own_fork):
            return True
        edit, fork = own_edit, own_fork
    return False


@lru_cache(maxsize=256)
def _scoring(language: Language) -> Scoring:
    return Scoring(language)


def scoring_for(language: Language | str) -> Scoring:
    """The scoring of a language, made once. Raises ValueError for what is no language."""
    return _scoring(parse_language(language) if isinstance(language, str) else language)


def score(
    reference: str | Sequence[str], hypothesis: str, language: Language | str = "en"
) -> Scored:
    """Score one hypothesis under the default scoring of its language."""
    return scoring_for(language).score(reference, hypothesis)
