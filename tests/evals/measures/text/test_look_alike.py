"""Differences that a reader cannot see are named by their code points."""

from __future__ import annotations

import pytest

from evals.measures.text.alignment import align
from evals.measures.text.confusions import Confusions
from evals.measures.text.scoring import unseen_difference
from evals.records.predictions import Prediction


@pytest.mark.parametrize(
    ("one", "other", "points"),
    [
        ("c\u0430t", "cat", "U+0430 / U+0061"),
        ("cat", "c\u0430t", "U+0061 / U+0430"),
        ("\u1ecdk\u1ecd\u0300", "\u1ecdk\u1ecd\u0301", "U+0300 / U+0301"),
        ("caf\u00e9", "cafe", None),
        ("a\u200b", "a", "U+200B"),
        ("\u0926\u093f\u0928", "\u0926\u0940\u0928", None),  # vowel signs that are seen
        ("schon", "sch\u00f6n", None),
        ("cat", "cut", None),
        ("cat", "cat", None),
        (None, "c\u0430t", None),
    ],
)
def test_code_points(one: str | None, other: str | None, points: str | None) -> None:
    assert unseen_difference(one, other) == points


def test_the_commonest_word_errors_have_them() -> None:
    confusions = Confusions()
    row = Prediction("u", "der c\u0430t", "die cat", 1.0, 0.1, lang="de")
    confusions.add(align([row], "spoken"))
    assert [(c.reference, c.unseen) for c in confusions.most()] == [
        ("c\u0430t", "U+0430 / U+0061"),
        ("der", None),
    ]
