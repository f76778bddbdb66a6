"""Words in non-speech, loops, phantom phrases and insertions at the ends, by hand."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evals.measures.statistics.intervals import proportion_interval
from evals.measures.text.normalizers import SPOKEN
from evals.measures.text.scoring import loops
from evals.records.predictions import Prediction
from evals.tasks.hallucination.phrases import ALONE, PHANTOM_PHRASES, phantoms, spoken_words
from evals.tasks.hallucination.scores import hallucination
from evals.tasks.hallucination.texts import texts_in_non_speech
from fixtures.builtin.non_speech import CLIPS

ENGLISH = SPOKEN


_IDS = itertools.count()


def heard(
    hypothesis: str,
    reference: str = "",
    *,
    seconds: float = 6.0,
    category: str = "tone",
    error: str | None = None,
) -> Prediction:
    name = f"u{next(_IDS)}"
    return Prediction(name, reference, hypothesis, seconds, 0.1, error=error, category=category)


def test_words_per_minute_and_rate_by_hand() -> None:
    # 5 + 0 + 1 words in 6 + 30 + 24 s; the speech is none of it.
    rows = [
        heard("Tokyo forty, Tokyo forty. Yes!", seconds=6.0),
        heard("...", seconds=30.0),
        heard("four", seconds=24.0),
        heard("set a timer please", "set a timer", seconds=60.0),
    ]
    figures = hallucination(rows, ENGLISH)
    assert figures["hallucinated_words_per_minute"].value == pytest.approx(6 / 1.0)
    assert figures["hallucinated_words_per_minute"].n == 3
    assert figures["hallucination_rate"].value == pytest.approx(2 / 3)
    assert figures["hallucination_rate"].ci == proportion_interval(2, 3)


def test_interval_of_words_is_over_clips() -> None:
    # Twenty words in one clip are one event, not twenty.
    even = [heard("word") for _ in range(40)]
    lumped = [heard(" ".join("abcdefghijklmnopqrstuvwxyz"[:20])), *(heard("") for _ in range(39))]
    evenly = hallucination(even, ENGLISH)["hallucinated_words_per_minute"]
    once = hallucination(lumped, ENGLISH)["hallucinated_words_per_minute"]
    assert evenly.ci is not None
    # A clip with another number of words may be among the next ones.
    assert 8 < evenly.ci[0] < 9.1
    assert 10.9 < evenly.ci[1] < 12
    assert once.value == pytest.approx(20 / 4)
    low, high = once.ci or (math.nan, math.nan)
    assert low == 0.0
    assert high > 3 * 5.0


def test_no_word_at_all_still_has_an_upper_bound() -> None:
    figure = hallucination([heard("", seconds=30.0) for _ in range(4)], ENGLISH)[
        "hallucinated_words_per_minute"
    ]
    # Poisson: with 3.69 clips expected, none is seen 2.5 % of the time; in two minutes.
    assert figure.value == 0.0
    low, high = figure.ci or (math.nan, math.nan)
    assert low == 0.0
    assert high == pytest.approx(3.6889 / 2, abs=1e-4)


def test_less_than_one_word_a_minute_is_no_proportion() -> None:
    rows = [heard("word", seconds=30.0), *(heard("", seconds=30.0) for _ in range(19))]
    figure = hallucination(rows, ENGLISH)["hallucinated_words_per_minute"]
    assert figure.value == pytest.approx(0.1)
    low, high = figure.ci or (math.nan, math.nan)
    assert low == 0.0
    assert 0.55 < high < 0.65  # by Poisson 5.6 events in ten minutes at most


@pytest.mark.parametrize(
    ("names", "row"),
    [
        (
            ("hallucinated_words_per_minute", "hallucination_rate", "wordless_texts"),
            heard("", error="died"),
        ),
        (
            ("leading_insertions", "trailing_insertions"),
            heard("", "call mom", category="speech-ends", error="died"),
        ),
    ],
)
def test_unanswered_is_not_silent(names: tuple[str, ...], row: Prediction) -> None:
    fine = [heard(""), heard("call mom", "call mom", category="speech-ends")]
    figures = hallucination([*fine, row], ENGLISH)
    counted = ("loops", "phantom_phrases", "annotations")
    for name in (*names, *counted):
        assert figures[name].value is None
        assert "were not answered" in (figures[name].reason or "")
    others = set(figures) - {*names, *counted}
    assert others
    assert all(figures[name].value == 0.0 for name in others)


def test_corpus_without_non_speech_has_no_such_figures() -> None:
    figures = hallucination([heard("call mom", "call mom")], ENGLISH)
    for name in ("hallucinated_words_per_minute", "hallucination_rate", "leading_insertions"):
        assert figures[name].value is None
        assert "the corpus holds no" in (figures[name].reason or "")
    assert figures["loops"].value == 0
    assert all(figure.value is None for figure in hallucination([], ENGLISH).values())


@pytest.mark.parametrize(
    ("reference", "hypothesis", "loop"),
    [
        ("", "nine " * 7, False),  # seven words
        ("", "nine " * 8, True),
        ("", "tokyo forty " * 3, False),
        ("", "tokyo forty " * 4, True),
        ("", "tokyo forty tokyo fifty " * 2, False),
        ("", "turn it off " * 4 + "turn it", True),
        ("call mom", "call mom and then " + "thank you so much " * 4 + "bye", True),
        ("", "i am going to be a bad person " * 4, True),  # eight words, four times
        ("nine nine nine", "nine nine nine", False),
        ("nine " * 10, "nine " * 10, False),
        ("nine " * 10, "nine " * 12, False),  # two too many is an insertion
        ("nine " * 10, "nine " * 16, False),  # 16 - 9 = 7 more than it may
        ("nine " * 10, "nine " * 17, True),
        ("five two " * 6, "two five two five two five two five two five", False),
        ("thank you", "thank you " * 4, True),
        (
            "one two three four five six seven eight",
            "one two three four five six seven eight",
            False,
        ),
        ("", "はい" * 8, True),  # without spaces each character is a word
        ("", "", False),
    ],
)
def test_loops_by_hand(reference: str, hypothesis: str, loop: bool) -> None:
    assert bool(loops(reference, hypothesis)) is loop


WORDS = st.lists(st.sampled_from("ab"), max_size=40)


@given(WORDS, st.integers(0, 40), st.integers(0, 40))
def test_what_was_said_is_never_a_loop(words: list[str], start: int, end: int) -> None:
    assert not loops(" ".join(words), " ".join(words))
    assert not loops(" ".join(words), " ".join(words[start:end]))


def _naive_loop(words: list[str]) -> bool:
    """By the definition: some sequence, four times and eight words at least."""
    return any(
        words[start : start + size] * repeats == words[start : start + size * repeats]
        for size in range(1, len(words) // 4 + 1)
        for repeats in [max(4, math.ceil(8 / size))]
        for start in range(len(words) - size * repeats + 1)
    )


REPEATING = st.lists(
    st.tuples(st.lists(st.sampled_from("abc"), min_size=1, max_size=4), st.integers(1, 6)),
    max_size=6,
).map(lambda parts: [word for sequence, times in parts for word in sequence * times])


@given(REPEATING)
@example(list("caabaabaabaab"))
@example(list("xababababy"))
def test_loops_where_nothing_was_said_are_those_of_the_definition(words: list[str]) -> None:
    assert bool(loops("", " ".join(words))) is _naive_loop(words)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "count"),
    [
        ("", "Thank you for watching!", 1),
        ("", "Thanks for watching. Please subscribe.", 2),
        ("", "Subtitles by the Amara.org community", 1),  # once, though it holds two others
        ("", "Subtitles by John Doe", 1),
        ("", "thank you", 1),  # all that was heard of a clip without speech
        ("", "Thank you. Thank you.", 1),
        ("", "You", 1),
        ("", "...", 0),
        ("thank you", "you", 0),
        ("", "I thank you", 0),
        ("", "thank you for your watch", 0),
        ("please subscribe to the list", "please subscribe to the list", 0),
        ("please subscribe", "please subscribe please subscribe", 1),
        ("please subscribe", "", 0),
        ("", "Sous-titres réalisés par la communauté d'Amara.org", 1),
        ("", "Untertitelung des ZDF, 2020", 1),
        ("", "ご視聴ありがとうございました", 1),
        ("", "はい、ご視聴ありがとうございました。", 1),
        ("", "Продолжение следует...", 1),
    ],
)
@pytest.mark.parametrize("name", [ENGLISH, "whisper-basic"])
def test_phantom_phrases_by_hand(reference: str, hypothesis: str, count: int, name: str) -> None:
    assert phantoms(reference, hypothesis, "en") == count
    assert hallucination([heard(hypothesis, reference)], name)["phantom_phrases"].value == count


@pytest.mark.parametrize("lang", [None, "de", "ja"])
@pytest.mark.parametrize("dress", [" {}! ", "({})", "[{}]"])
def test_every_phrase_is_found_once_in_any_dress(lang: str | None, dress: str) -> None:
    found = {p: phantoms("", dress.format(p.capitalize()), lang) for p in PHANTOM_PHRASES}
    assert found == dict.fromkeys(PHANTOM_PHRASES, 1)


def test_loops_and_phantoms_are_counted_over_all_utterances() -> None:
    figures = hallucination(
        [
            heard("thank you for watching " * 4),
            heard("call mom " * 5, "call mom"),
            heard("call mom", "call mom"),
        ],
        ENGLISH,
    )
    assert (figures["loops"].value, figures["loops"].n) == (2, 3)
    assert (figures["phantom_phrases"].value, figures["phantom_phrases"].n) == (4, 3)


@pytest.mark.parametrize(
    ("hypothesis", "leading", "trailing"),
    [
        ("turn on the lights", 0, 0),
        ("tokyo forty turn on the lights", 2, 0),
        ("turn on the lights thank you so much", 0, 4),
        ("oh turn on all the lights yes please", 1, 2),  # what is inside counts for neither
        ("well turn off the light bye", 1, 1),
        ("", 0, 0),
        ("call mom at nine", 0, 0),  # all substituted
        ("call mom at nine today now", 2, 0),
    ],
)
def test_words_at_the_ends_by_hand(hypothesis: str, leading: int, trailing: int) -> None:
    row = heard(hypothesis, "turn on the lights", category="speech-ends")
    inside = heard("oh turn on the lights", "turn on the lights", category="lights")
    figures = hallucination([row, inside], "whisper-basic")
    assert (figures["leading_insertions"].value, figures["leading_insertions"].n) == (leading, 1)
    assert figures["trailing_insertions"].value == trailing


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("two words", ["two", "words"]),
        ("日本 go", ["日", "本", "go"]),
        ("시청해 주셔서", ["시청해", "주셔서"]),
        ("สวัสดี", ["ส", "วั", "ส", "ดี"]),  # a mark is part of its letter
        ("... well .", ["well"]),
        ("uh, [noise] (okay) <unk>", ["uh", "okay"]),
        ("", []),
    ],
)
def test_words_of_scripts_without_spaces(text: str, words: list[str]) -> None:
    assert spoken_words(text, None) == words


@pytest.mark.parametrize("phrase", ALONE)
def test_a_phrase_alone_is_a_phantom_where_nobody_speaks(phrase: str) -> None:
    assert phantoms("", f"{phrase.capitalize()}!", "en") == 1
    assert phantoms("turn on the light", phrase, "en") == 0
    assert phantoms("", f"{phrase} kitchen", "en") == 0


def test_text_without_a_word_is_counted() -> None:
    rows = [heard("...."), heard("[noise]"), heard(""), heard("you"), heard("!", "turn on")]
    assert hallucination(rows, ENGLISH)["wordless_texts"].value == 1


def test_what_was_heard_is_told_with_its_clips() -> None:
    rows = [heard("Thank you."), heard("thank you"), heard("...."), heard(""), heard("a", "b")]
    found = texts_in_non_speech(rows)
    assert (found["clips"], found["words"], found["with_words"], found["total"]) == (4, 4, 2, 2)
    first, second = found["rows"]
    assert (first["text"], first["count"], first["clips"]) == (
        "Thank you.", 2, [rows[0].id, rows[1].id],
    )  # fmt: skip
    assert (second["text"], second["words"]) == ("....", 0)


def test_a_loop_in_a_synthetic_sound_is_told_as_one() -> None:
    looped = replace(heard("go on " * 20), id=CLIPS[0].id)
    own = replace(heard("go on " * 20), id="mine-1")
    reason = hallucination([looped, own], ENGLISH)["loops"].reason or ""
    assert f"{CLIPS[0].id} (a synthetic sound)" in reason
    assert reason.endswith("mine-1")
