"""Parts of a corpus: which there are, the worst of them, and which break a limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from evals.gate.verdict import decide
from evals.measures.text.alignment import align
from evals.measures.text.slices import FEWEST, MOST_VALUES, Part, Parts, Slices, slices
from evals.records.measurement import FEW_SPEAKERS, Limit
from evals.records.predictions import Prediction


def _said(number: int, seconds: float = 1.0, **more: Any) -> Prediction:
    return Prediction(str(number), "a b c d", "a b c d", seconds, 0.1, **more)


def _sizes(predictions: list[Prediction]) -> dict[str, int]:
    return {part.name: len(part.members) for part in Parts(predictions).all()}


def _slices(errors: Mapping[str, list[int]], words: int = 10) -> Slices:
    """A part for each name, with the word errors of its utterances."""
    found, start = [], 0
    for name, row in errors.items():
        found.append(Part("k", name, range(start, start + len(row))))
        start += len(row)
    flat = np.array([e for row in errors.values() for e in row], float)
    return Slices(found, flat, np.full(len(flat), float(words)), None)


def test_parts_by_speaker_category_and_metadata() -> None:
    rows = [
        _said(
            i,
            speaker=f"s{i % 2}",
            category="timer" if i < 3 else "light",
            metadata={
                "accent": "ie",
                "noisy": i < 2,
                "room": i % 4,
                "snr": 0.5 * (i % 2),
                "tags": ["x"],
            },
        )
        for i in range(8)
    ]
    assert _sizes(rows) == {
        "speaker=s0": 4,
        "speaker=s1": 4,
        "category=timer": 3,
        "category=light": 5,
        "noisy=True": 2,
        "noisy=False": 6,
        "room=0": 2,
        "room=1": 2,
        "room=2": 2,
        "room=3": 2,
    }  # all have one accent and one length; fractions and lists are no kinds
    members = {part.name: list(part.members) for part in Parts(rows).all()}
    assert members["category=timer"] == [0, 1, 2]
    assert members["speaker=s1"] == [1, 3, 5, 7]


def test_parts_by_language() -> None:
    """Rows without one are English, as the manifest has it."""
    langs = ["de", "de", None, "en", "en-GB", "de"]
    rows = [_said(i, lang=lang) for i, lang in enumerate(langs)]
    assert _sizes(rows) == {"lang=de": 3, "lang=en": 2, "lang=en-GB": 1}
    assert _sizes([_said(i) for i in range(6)]) == {}


def test_parts_by_length_hold_their_lower_end() -> None:
    rows = [_said(i, seconds) for i, seconds in enumerate([0.0, 1.99, 2.0, 4.0, 10.0, 30.0, 95.0])]
    assert _sizes(rows * 2) == {
        "duration=0-2 s": 4,
        "duration=2-5 s": 4,
        "duration=10-30 s": 2,
        "duration=over 30 s": 4,
    }


@pytest.mark.parametrize(("values", "kept"), [(MOST_VALUES, True), (MOST_VALUES + 1, False)])
def test_key_that_tells_utterances_apart_is_left_out(values: int, kept: bool) -> None:
    rows = [_said(i, metadata={"room": i % values}) for i in range(4 * values)]
    assert len(Parts(rows).all()) == (values if kept else 0)


def test_key_that_hardly_two_share_is_left_out() -> None:
    assert len(Parts([_said(i, metadata={"room": i % 5}) for i in range(10)]).all()) == 5
    assert Parts([_said(i, metadata={"room": i % 6}) for i in range(11)]).all() == []


def test_without_parts_there_is_no_worst() -> None:
    rows = [_said(i) for i in range(30)]
    alike = slices(align(rows, "none"), Parts(rows).all())
    assert alike.rates() == {}
    assert alike.worst() is None
    assert alike.breaking(0.0) == []


def test_worst_is_of_ten_utterances_or_more() -> None:
    few = {"bad": [9] * (FEWEST - 1), "fair": [1, 2] * FEWEST}
    worst = _slices(few).worst()
    assert worst is not None
    assert worst[0] == "k=fair"
    assert "k=bad" in _slices(few).rates()  # shown all the same
    assert _slices(few).breaking(0.2) == []
    enough = _slices({**few, "bad": [9, 8] * (FEWEST // 2)}).worst()
    assert enough is not None
    assert enough[0] == "k=bad"
    assert enough[1].value == pytest.approx(0.85)
    assert enough[1].n == FEWEST
    assert _slices({"few": [9] * (FEWEST - 1)}).worst() is None


def test_parts_without_reference_words_are_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    both = _slices({"silent": [3] * 20, "fair": [1, 2] * 10})
    both.words[:20] = 0
    worst = both.worst()
    assert worst is not None
    assert worst[0] == "k=fair"
    assert both.rates()["k=silent"].value is None
    # Nor does it count among those that the rest is corrected for: 0.02 is below 0.025, not 0.0125.
    monkeypatch.setattr(Slices, "_chance", lambda self, part, limit: 0.02)
    assert both.breaking(0.1) == ["k=fair"]


def test_rates_by_hand() -> None:
    rates = _slices({"a": [1, 0, 3, 0], "b": [5, 5]}).rates()
    assert {name: figure.value for name, figure in rates.items()} == {"k=a": 0.1, "k=b": 0.5}
    assert rates["k=a"].n == 4


def test_worst_of_many_is_known_less_well() -> None:
    """The same part as the worst of two, and of ten: its lower end allows for the choice."""
    rng = np.random.default_rng(2)
    good, bad = ([int(x) for x in rng.binomial(10, p, 30)] for p in (0.05, 0.3))
    few = _slices({"bad": bad, "good": good}).worst()
    many = _slices({"bad": bad, **{f"good{i}": good for i in range(9)}}).worst()
    assert few is not None
    assert many is not None
    assert few[0] == many[0] == "k=bad"
    assert few[1].ci is not None
    assert many[1].ci is not None
    assert many[1].ci[0] < few[1].ci[0]
    assert many[1].ci[1] == few[1].ci[1]


def test_worst_may_be_another_than_it_seems() -> None:
    """The upper end is that of the part of which least is known, though its value is lower."""
    sliced = _slices({"known": [3] * 99 + [4], "unknown": [0, 5] * 5})
    worst = sliced.worst()
    unknown = sliced.rates()["k=unknown"].ci
    assert worst is not None
    assert worst[0] == "k=known"
    assert worst[1].ci is not None
    assert unknown is not None
    assert worst[1].ci[1] == unknown[1] > 0.4


@pytest.mark.parametrize(
    ("chances", "broken"),
    [  # Holm 1979 at 0.025 for four parts: 0.00625, 0.00833, 0.0125, 0.025
        ((0.004, 0.008, 0.02, 0.5), ["k=0", "k=1"]),
        ((0.5, 0.008, 0.004, 0.01), ["k=2", "k=1", "k=3"]),
        ((0.0063, 0.0063, 0.0063, 0.0063), []),
        ((0.006, 0.009, 0.010, 0.020), ["k=0"]),  # the second stops the rest
        ((0.006, 0.008, 0.012, 0.024), ["k=0", "k=1", "k=2", "k=3"]),
    ],
)
def test_breaking_is_holms_procedure(
    chances: tuple[float, ...], broken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def known(self: Slices, part: Part, limit: float) -> float:
        return chances[int(part.value)]

    monkeypatch.setattr(Slices, "_chance", known)
    assert _slices({str(i): [1] * FEWEST for i in range(4)}).breaking(0.1) == broken


def test_one_bad_part_among_many_is_named() -> None:
    rng = np.random.default_rng(3)
    rows = {f"p{i:02}": [int(x) for x in rng.binomial(10, 0.05, 25)] for i in range(20)}
    assert _slices(rows).breaking(0.10) == []
    rows["p17"] = [int(x) for x in rng.binomial(10, 0.4, 25)]
    found = _slices(rows)
    assert found.breaking(0.10) == ["k=p17"]
    worst = found.worst()
    assert worst is not None
    assert worst[0] == "k=p17"
    assert decide(worst[1], [Limit("max", 0.10, "limit")])[0] == "fail"


def test_speakers_of_a_part_are_drawn_together() -> None:
    """Six speakers of ten utterances each, two of them bad: that may be these voices."""
    errors = [0] * 40 + [5] * 20
    alone = _slices({"p": errors, "q": [0] * 60})
    speakers = [f"s{i // 10}" for i in range(120)]
    together = Slices(alone.parts, alone.errors, alone.words, speakers)
    assert alone.breaking(0.06) == ["k=p"]
    assert together.breaking(0.06) == []
    narrow, wide = alone.rates()["k=p"].ci, together.rates()["k=p"].ci
    assert narrow is not None
    assert wide is not None
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_counts_come_from_the_alignment() -> None:
    rows = [
        Prediction(str(i), "a b c d", "a b x" if i < 12 else "a b c d", 1.0, 0.1, category=c)
        for i, c in enumerate(["bad"] * 12 + ["good"] * 12)
    ]
    found = slices(align(rows, "none"), Parts(rows).all())
    assert {name: f.value for name, f in found.rates().items()} == {
        "category=bad": 0.5,
        "category=good": 0.0,
    }


def test_a_part_of_one_person_is_not_marked_for_that() -> None:
    """Few speakers are news of a category, not of a part that is a speaker's own."""
    rows = [_said(i, speaker=f"s{i % 6}", category=f"c{i % 2}") for i in range(60)]
    counted = Slices(
        Parts(rows).all(), np.zeros(60), np.full(60, 4.0), [row.speaker for row in rows]
    )
    marked = {name.partition("=")[0]: f.conditions for name, f in counted.rates().items()}
    assert marked == {"speaker": (), "category": (FEW_SPEAKERS,)}
