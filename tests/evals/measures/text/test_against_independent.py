"""Edit counts and the English normalizer against others' work: jiwer, meeteval, a textbook, OpenAI.

What must be equal. A pair of texts has one smallest number of errors, so that of
everybody's alignments must be the same. Which substitutions, deletions and
insertions it is made of can be ambiguous: "set a timer" heard as "set timer
please" is one word missed and one added, or two mistaken. There, ours must be jiwer's, which
aligns for us; meeteval's only has to be one of the alignments that are as short.
Where all of the shortest have as many hits, the split must be everybody's.

sclite counts differently, and is not compared with: it looks for the alignment with the
least 4 S + 3 (D + I), not the least S + D + I. Given two as short it prefers a hit between
a deletion and an insertion to two substitutions, and it takes one error more where
that saves enough substitutions: its totals are never below ours and can be above,
mostly where an utterance and its text are shifted against each other
(`test_sclites_weights_can_find_more_errors` shows such a pair).
"""

from __future__ import annotations

import importlib
import importlib.util
import random
from collections.abc import Sequence
from functools import cache
from typing import Any

import jiwer
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from evals.measures.text.error_rate import character_counts, total, word_counts
from evals.measures.text.normalizers import NORMALIZERS, normalizer
from tests.benchmarks import normalizer_agreement
from tests.contract.installed import need

pytestmark = pytest.mark.slow

PAIRS = 10_000
SEED = 4
#: What goes wrong in alignments: repetition, marks that combine, joined emoji, other directions,
#: letters that change length when folded, digits that are no ASCII, invisible characters.
VOCABULARY = (
    *("a", "a", "the", "the", "to", "two", "light", "lights", "don't", "$5.20", "ii", "A"),
    *("caf\u00e9", "cafe\u0301", "e\u0301\u0323", "na\u00efve", "\u0130stanbul", "Stra\u00dfe"),
    *("\u65e5\u672c", "\u65e5\u672c\u8a9e", "\u4e00", "\uac00", "\u1100\u1161"),
    *("\u0627\u0644\u0639\u0631\u0628\u064a\u0629", "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd"),
    *("\u0661\u0662", "\u200f12", "\u0939\u093f\u0928\u094d\u0926\u0940", "\U00010400"),
    *("\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea"),
    *("\U0001f44d\U0001f3fd", "zero\u200bwidth", "\ufeffbom", "\u00ad"),
)
Table = NDArray[np.integer[Any]]


@cache
def pairs() -> tuple[tuple[str, str], ...]:
    """References and what was made of them: the same, a few edits, something else, or nothing."""
    rng = random.Random(SEED)

    def sentence() -> list[str]:
        few = rng.choice((2, 5, len(VOCABULARY)))  # of few words many alignments are as short
        return rng.choices(VOCABULARY[-few:], k=rng.choice((0, 1, *range(13))))

    def heard(words: Sequence[str]) -> list[str]:
        if rng.random() < 0.3:
            return sentence()
        rate = rng.choice((0.0, 0.1, 0.4))
        result = []
        for word in words:
            what = rng.choice("SDI") if rng.random() < rate else ""
            result += [] if what == "D" else [rng.choice(VOCABULARY) if what == "S" else word]
            result += [rng.choice(VOCABULARY)] if what == "I" else []
        shift = rng.choice((0, 0, 0, 1, 3))
        return result[shift:] + rng.choices(VOCABULARY, k=shift)

    return tuple(
        (" ".join(words), " ".join(heard(words))) for words in (sentence() for _ in range(PAIRS))
    )


def cheapest(
    references: Sequence[Sequence[str]],
    hypotheses: Sequence[Sequence[str]],
    *,
    hit: int = 0,
    substitution: int = 1,
    deletion: int = 1,
    insertion: int = 1,
) -> Table:
    """Shape (n,): the cost of each pair's cheapest alignment.

    Wagner and Fischer's table (1974), filled cell by cell for all pairs at once.
    """
    index = {token: i for i, token in enumerate({t for s in (*references, *hypotheses) for t in s})}
    rows = max(map(len, references), default=0)
    columns = max(map(len, hypotheses), default=0)

    def padded(sequences: Sequence[Sequence[str]], width: int) -> Table:
        return np.array([[*map(index.get, s), *[-1] * (width - len(s))] for s in sequences], int).T

    said, heard = padded(references, rows), padded(hypotheses, columns)
    n = len(references)
    above = np.arange(columns + 1)[:, None] * np.full(n, insertion)
    lines = [above]
    for row in range(rows):
        line = np.empty_like(above)
        line[0] = above[0] + deletion
        both = above[:-1] + np.where(said[row] == heard, hit, substitution)
        other = np.minimum(both, above[1:] + deletion)
        for column in range(columns):
            line[column + 1] = np.minimum(other[column], line[column] + insertion)
        lines.append(above := line)
    ends = [len(s) for s in references], [len(s) for s in hypotheses]
    table: Table = np.stack(lines)[ends[0], ends[1], np.arange(n)]
    return table


#: More than any text here has tokens, so that hits only decide between alignments as short.
_MANY = 10_000


def fewest(
    references: Sequence[Sequence[str]], hypotheses: Sequence[Sequence[str]]
) -> tuple[Table, Table, Table]:
    """Each of shape (n,): the least errors, and the fewest and the most hits that go with them."""
    weights = {"substitution": _MANY, "deletion": _MANY, "insertion": _MANY}
    least = cheapest(references, hypotheses, hit=1, **weights)
    most = cheapest(references, hypotheses, hit=-1, **weights)
    errors = least // _MANY
    return errors, least % _MANY, errors * _MANY - most


@pytest.mark.parametrize(
    ("reference", "hypothesis", "errors", "hits"),
    [
        ("", "", 0, (0, 0)),
        ("a b", "", 2, (0, 0)),
        ("", "a", 1, (0, 0)),
        ("a b c", "a x c", 1, (2, 2)),
        ("set a timer", "set timer please", 2, (1, 2)),
        ("a b c d e", "d e x y z", 5, (0, 0)),
    ],
)
def test_textbook_by_hand(
    reference: str, hypothesis: str, errors: int, hits: tuple[int, int]
) -> None:
    found = fewest([reference.split()], [hypothesis.split()])
    assert [column.tolist() for column in found] == [[errors], [hits[0]], [hits[1]]]


#: Compared by words and by characters, 10,000 pairs in all.
SAMPLES = {"words": slice(0, 8_000), "characters": slice(8_000, PAIRS)}


@cache
def tokens(of: str) -> tuple[list[list[str]], list[list[str]]]:
    """References and hypotheses as lists of words or characters."""
    split = str.split if of == "words" else list
    some = pairs()[SAMPLES[of]]
    return [split(r) for r, _ in some], [split(h) for _, h in some]


@cache
def textbook(of: str) -> tuple[Table, ...]:
    """`fewest` of a sample, some pairs at a time: each table is as long as its longest text."""
    references, hypotheses = tokens(of)
    order = sorted(range(len(references)), key=lambda i: len(references[i]) + len(hypotheses[i]))
    found = np.empty((3, len(references)), np.int64)
    for start in range(0, len(order), 500):
        part = order[start : start + 500]
        found[:, part] = fewest([references[i] for i in part], [hypotheses[i] for i in part])
    return tuple(found)


@cache
def ours(of: str) -> Table:
    """Shape (n, 4): the counts that are tested."""
    some = pairs()[SAMPLES[of]]
    count = word_counts if of == "words" else character_counts
    return count([r for r, _ in some], [h for _, h in some])


def test_sample_holds_what_is_hard() -> None:
    for of in SAMPLES:
        references, hypotheses = tokens(of)
        errors, low, high = textbook(of)
        assert [] in references
        assert [] in hypotheses
        assert (errors == 0).mean() > 0.05
        assert (low < high).mean() > 0.05, "too few ambiguous alignments"
        assert "\u0301" in "".join(c for r in references for c in r), "no combining mark"


@pytest.mark.parametrize("of", SAMPLES)
def test_counts_are_jiwers(of: str) -> None:
    """In sum, and of every tenth pair on its own, since sums can be equal by chance."""
    some, counts = pairs()[SAMPLES[of]], ours(of)
    everything = _jiwers(of, [r for r, _ in some], [h for _, h in some])
    assert counts.sum(axis=0).tolist() == everything
    apart = [
        pair
        for pair, row in zip(some[::10], counts[::10].tolist(), strict=True)
        if row != _jiwers(of, [pair[0]], [pair[1]])
    ]
    assert apart == []


@pytest.mark.parametrize("of", SAMPLES)
def test_counts_are_the_textbooks(of: str) -> None:
    references, hypotheses = tokens(of)
    errors, low, high = textbook(of)
    counts = ours(of)
    lengths = np.array([[len(r), len(h)] for r, h in zip(references, hypotheses, strict=True)])
    assert _apart(of, counts[:, 1:].sum(axis=1) != errors) == []
    assert _apart(of, (counts[:, 0] < low) | (counts[:, 0] > high)) == []
    assert _apart(of, counts[:, [0, 1, 2]].sum(axis=1) != lengths[:, 0]) == []
    assert _apart(of, counts[:, [0, 1, 3]].sum(axis=1) != lengths[:, 1]) == []


@pytest.mark.parametrize("of", SAMPLES)
def test_counts_are_meetevals(of: str, capsys: pytest.CaptureFixture[str]) -> None:
    # In a dependency group of its own, "independent": it is built from source for minutes.
    pytest.importorskip("meeteval")
    siso = importlib.import_module("meeteval.wer.wer.siso")
    # meeteval's own character error rate fails on empty text, so characters go as words.
    spelt = str if of == "words" else (lambda token: f"U+{ord(token):04X}")
    found = [
        siso.siso_word_error_rate(" ".join(map(spelt, r)), " ".join(map(spelt, h)))
        for r, h in zip(*tokens(of), strict=True)
    ]
    theirs = np.array(
        [
            (e.length - e.substitutions - e.deletions, e.substitutions, e.deletions, e.insertions)
            for e in found
        ]
    )
    _, low, high = textbook(of)
    counts = ours(of)
    assert _apart(of, np.array([e.errors for e in found]) != counts[:, 1:].sum(axis=1)) == []
    assert _apart(of, theirs[:, 1:].sum(axis=1) != counts[:, 1:].sum(axis=1)) == []
    split = (theirs != counts).any(axis=1)
    assert _apart(of, split & (low == high)) == []
    assert _apart(of, (theirs[:, 0] < low) | (theirs[:, 0] > high)) == []
    with capsys.disabled():
        print(
            f"\nmeeteval, {of}: the errors of {len(found):,} of {len(found):,} pairs are equal; "
            f"{int(split.sum()):,} of the {int((low < high).sum()):,} ambiguous ones it splits otherwise"
        )


def test_sclites_weights_can_find_more_errors() -> None:
    """Text shifted by three words: 5 substitutions cost it 20, 3 in and 3 out around 2 hits 18."""
    reference, hypothesis = "a b c d e", "d e x y z"
    assert total(word_counts([reference], [hypothesis])).errors == 5
    weights = {"substitution": 4, "deletion": 3, "insertion": 3}
    assert cheapest([reference.split()], [hypothesis.split()], **weights).tolist() == [18]
    # The errors of the alignment that it would choose are never fewer than the least.
    scaled = {name: weight * _MANY + 1 for name, weight in weights.items()}
    references, hypotheses = tokens("words")
    errors = cheapest(references, hypotheses, **scaled) % _MANY
    least, _, _ = textbook("words")
    assert (errors >= least).all()
    assert (errors > least).any()


@pytest.mark.parametrize("name", NORMALIZERS[1:])  # the published ones
@settings(max_examples=50, deadline=None)  # the first use reads the normalizer
@given(
    st.text(st.sampled_from("aB1$.,' \t\n\r\x0b\x1c\x85\xa0\u1680\u2003\u2028\u3000\u200b\ufeff"))
)
def test_normalized_words_are_what_spaces_separate(name: str, text: str) -> None:
    """jiwer splits at spaces, others at any white space: normalized text holds no other."""
    normalized = normalizer(name)(text)
    assert normalized == " ".join(normalized.split())


def test_whisper_english_is_openais() -> None:
    """Differences are of the known kinds only, and each of these still is one."""
    need("openai_whisper")
    differences = normalizer_agreement.differences(normalizer_agreement.sentences(400))
    kinds = {normalizer_agreement.kind(d.sentence) for d in differences}
    assert kinds == normalizer_agreement.KNOWN, [d for d in differences if d.is_unknown]


def _jiwers(of: str, references: list[str], hypotheses: list[str]) -> list[int]:
    if of == "words":
        words = jiwer.process_words(references, hypotheses)
        return [words.hits, words.substitutions, words.deletions, words.insertions]
    spelt = jiwer.process_characters(references, hypotheses)
    return [spelt.hits, spelt.substitutions, spelt.deletions, spelt.insertions]


def _apart(of: str, wrong: NDArray[np.bool_]) -> list[tuple[str, str]]:
    """The pairs on which a comparison fails, the first few."""
    return [pairs()[SAMPLES[of]][i] for i in np.flatnonzero(wrong)[:5]]
