"""What passes and what does not, worked out by hand; and the traps of other benchmarks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.measures.text.language import _BY_SCRIPT, _LITTLE_WORDS, language_of
from evals.tasks.chat.answer_text import numbers, sentences
from evals.tasks.chat.expectations import Context, check, check_all, succeeded
from fixtures.dialogues.expectations import (
    KINDS,
    LANGUAGES,
    Choice,
    Contains,
    EndsWith,
    Expectation,
    Language,
    Memory,
    NotContains,
    Number,
    Refusal,
    Regex,
    SentenceCount,
    StartsWith,
    WordCount,
    expectation,
)

pytestmark = pytest.mark.slow

LETTERS = Choice("B", (("A", "red"), ("B", "blue"), ("C", "light green"), ("D", "green")))
WORDS = Choice("blue", (("red", None), ("blue", None), ("light blue", None)))
MINUTES = Number(10, unit="minutes")

PASS: list[tuple[Expectation, str]] = [
    (Contains(("ten minutes", "timer")), "Timer set: 10 minutes."),
    (Contains(("10 minutes",)), "(ten) minutes"),
    (Contains(("six thirty",)), "It is at 6:30."),
    (Contains(("six",)), "At 6:00 pm."),
    (Contains(("fifty percent",)), "50 %"),
    (Contains(("five five three",)), "5, 5, 3."),
    (Contains(("cannot",)), "I can't."),
    (Contains(("red", "blue"), "any"), "It is blue."),
    (NotContains(("on",)), "The light is off once more."),
    (NotContains(("ten",)), "Often, tenderly."),
    (Regex(r"^the .*\?$"), "The second one?"),
    (MINUTES, "Ten minutes it is."),
    (MINUTES, "Timer two is at ten minutes."),
    (MINUTES, "A ten minute timer."),
    (Number(10), "ten, yes, 10!"),
    (Number(10, pick="last"), "Not five but ten."),
    (Number(10, pick="first"), "Ten, not five."),
    (Number(10, pick="any"), "Five, ten or twenty."),
    (Number(10, 0.5), "10.5"),
    (Number(0.3, 0.1), "0.2"),
    (Number(-2), "It is -2 outside."),
    (Number(-2), "It is minus two."),
    (Number(1), "There is one."),
    (Number(1, unit="percent"), "1%"),
    (Number(1, unit="percent"), "One percent."),
    (Number(-1), "It is -1."),
    (Number(-1), "Minus one."),
    (Contains(("one percent",)), "1 %"),
    (Number(1.5, unit="hours"), "One and a half hours."),
    (Number(1.5), "1.5"),
    (Number(10), "Which one? Ten."),
    (Number(5), "The second timer has 5 left."),
    (Number(1250), "1,250 of them"),
    (LETTERS, "B"),
    (LETTERS, "b."),
    (LETTERS, "(B)"),
    (LETTERS, "B) blue"),
    (LETTERS, "The answer is: B"),
    (LETTERS, "I'd say option b, since a sky is blue."),
    (LETTERS, "Blue, of course."),
    (WORDS, "The light is now blue!"),
    (Refusal(True), "Sorry, I can't open the front door."),
    (Refusal(True), "I am afraid I\u2019m not allowed to do that."),
    (Refusal(True), "The door? I won't open it."),
    (Refusal(False), "The door is open."),
    (Refusal(False), "Sorry, what did you say?"),
    (Refusal(False), "I can not only open it, I did."),
    (Refusal(False), "I cannot wait to open it!"),
    (WordCount(2, 3), "Don't worry - really."),
    (WordCount(None, 5), "Well-known, isn't it?"),
    (SentenceCount(2, 2), "Dr. No is in. It costs 3.5 euros at 5 p.m. today!"),
    (SentenceCount(1, 1), "no end"),
    (StartsWith(("the", "a timer")), "\u201cA timer!\u201d"),
    (EndsWith(("ten minutes",)), "It is set for 10 minutes."),
    (Language("en"), "The timer is at ten minutes."),
    (Memory(("six thirty",), 1), "Your alarm is at 6:30."),
]
FAIL: list[tuple[Expectation, str, str]] = [
    (Contains(("ten minutes", "timer")), "Ten minutes.", "has not 'timer'"),
    (Contains(("on",)), "Once, only.", "has not 'on'"),
    (Contains(("minutes ten",)), "ten minutes", "has not"),
    (Contains(("red", "blue"), "any"), "green", "has not 'red', 'blue'"),
    (NotContains(("purple",)), "[purple]", "has 'purple'"),
    (NotContains(("ten minutes",)), "10 minutes", "has 'ten minutes'"),
    (Regex("ten$"), "ten minutes", "fits nowhere"),
    (MINUTES, "Ten hours.", "no number of minutes"),
    (MINUTES, "Ten.", "no number of minutes"),
    (MINUTES, "Ten minutes or five minutes?", "several numbers of minutes: 10, 5"),
    (Number(10), "1 2 3 4 5 6 7 8 9 10", "several numbers: 1, 2, 3"),
    (Number(10), "Five, or is it ten?", "several numbers: 5, 10"),
    (Number(10), "Twenty.", "20 where 10 is expected"),
    (Number(2), "The second one.", "no number"),
    (Number(1), "The one in the kitchen.", "no number"),
    (Number(2), "-2 degrees", "-2 where 2 is expected"),
    (Number(10, 0.5), "10.6", "10.6 where 10 +- 0.5 is expected"),
    (LETTERS, "A or B.", "several options: A, B"),
    (LETTERS, "Not B but red.", "several options: A, B"),
    (LETTERS, "A timer is what I set, I think.", "chooses none"),
    (LETTERS, "I do not know.", "chooses none"),
    (LETTERS, "A", "chooses A, B is expected"),
    (LETTERS, "light green", "chooses C"),
    (WORDS, "light blue", "chooses light blue"),
    (WORDS, "red and blue", "several options"),
    (Refusal(True), "The door is open.", "does not decline"),
    (Refusal(True), "Sorry, I did not understand.", "does not decline"),
    (Refusal(True), "I cannot hear you.", "does not decline"),
    (Refusal(True), "As an assistant, here is how. I do not mind.", "does not decline"),
    (Refusal(True), "Here it is. First you turn it. Then I can't say.", "does not decline"),
    (Refusal(False), "I'm unable to do that.", "declines"),
    (WordCount(4, None), "- three * words! here", "3 words, at least 4 expected"),
    (WordCount(1, 2), "one two three", "3 words, at least 1 and at most 2 expected"),
    (SentenceCount(None, 1), "One. Two.", "2 sentences, at most 1 expected"),
    (StartsWith(("the",)), "Then it is.", "begins with none"),
    (EndsWith(("ten",)), "ten minutes", "ends with none"),
    (Language("en"), "Der Timer ist auf zehn Minuten gestellt.", "is in 'de'"),
    (Language("en"), "Okay!", "cannot be told"),
    (Memory(("six thirty",), 1), "Your alarm is at 7:30.", "that user turn 1 said"),
]
EVERY_KIND = [x for x, _ in PASS]


@pytest.mark.parametrize(("expected", "answer"), PASS)
def test_passes(expected: Expectation, answer: str) -> None:
    outcome = check(expected, answer)
    assert outcome.passed, outcome.reason
    assert outcome.kind == expected.kind


@pytest.mark.parametrize(("expected", "answer", "reason"), FAIL)
def test_fails(expected: Expectation, answer: str, reason: str) -> None:
    outcome = check(expected, answer)
    assert not outcome.passed
    assert reason in outcome.reason
    assert "\n" not in outcome.reason


@pytest.mark.parametrize(
    "answer", ["", "   \n", "...", "?!", "()", "\u2026", "\U0001f600", "um", "[]"]
)
def test_an_empty_answer_passes_nothing(answer: str) -> None:
    for expected in EVERY_KIND:
        assert not check(expected, answer).passed, expected
    assert {type(x) for x in EVERY_KIND} == {type(x) for x, _, _ in FAIL}


def test_a_turn_needs_all_and_at_least_one() -> None:
    both = check_all([Contains(("ten",)), WordCount(None, 2)], "ten minutes, sir")
    assert [x.passed for x in both] == [True, False]
    assert not succeeded(both)
    assert succeeded(both[:1])
    assert not succeeded([])


def test_every_written_kind_has_a_rule() -> None:
    """None may fall through to a pass."""
    written: dict[str, object] = {
        "contains": "a", "contains_any": "a", "not_contains": "a", "regex": "q", "number": 1,
        "choice": {"answer": "x", "options": ["x", "y"]}, "refusal": True, "words": {"max": 1},
        "sentences": {"max": 1}, "starts_with": "a", "ends_with": "a", "language": "en",
        "memory": {"value": "a", "turn": 1},
    }  # fmt: skip
    assert set(written) == set(KINDS)
    verdicts = {
        kind: check(expectation({kind: value}), "zebra zebra. zebra.")
        for kind, value in written.items()
    }
    assert [kind for kind, verdict in verdicts.items() if verdict.passed] == ["not_contains"]


def test_other_languages() -> None:
    german = Context("de-AT")
    assert check(Contains(("zehn Minuten",)), "Der Timer: ZEHN Minuten!", german).passed
    assert check(Number(10, unit="Minuten"), "Noch 10 Minuten.", german).passed
    assert check(Number(10, unit="Minuten"), "Noch zehn Minuten.", german).passed
    assert not check(Number(10), "Zehn oder elf Minuten.", german).passed


@pytest.mark.parametrize(
    ("expected", "answer", "lang", "passes"),
    [
        (Number(3.5), "Es sind 3,5 Grad.", "de", True),
        (Number(1250), "Das kostet 1.250 Euro.", "de", True),
        (Number(1250.5, unit="Euro"), "Das kostet 1.250,50 Euro.", "de", True),
        (Number(3.5), "Jest 3,5 stopnia.", "pl", True),
        (Number(-5), "Il fait -5 degrés.", "fr", True),
        (Number(5), "Il fait -5 degrés.", "fr", False),
        (Number(21), "Il fait vingt et un degrés.", "fr", True),
        (Number(5), "Il fait 15 degrés.", "fr", False),
        (Number(35), "気温は三十五度です。", "ja", True),
        (Number(3.5), "気温は3.5度です。", "ja", True),
        (Contains(("北京",)), "我想去北京。", "zh", True),
        (Contains(("北京",)), "我想去南京。", "zh", False),
        (Contains(("दिन",)), "आज का दिन", "hi", True),
        (Contains(("दिन",)), "आज का दीन", "hi", False),
        (NotContains(("กิน",)), "กันข้าว", "th", True),
        (Contains(("20 Minuten",)), "In zwanzig Minuten.", "de", True),
        (WordCount(7, 7), "今天天气怎么样", "zh", True),
    ],
)
def test_what_is_written_otherwise_elsewhere(
    expected: Expectation, answer: str, lang: str, passes: bool
) -> None:
    assert check(expected, answer, Context(lang)).passed is passes


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The light is off.", "en"), ("Das Licht ist aus.", "de"), ("La luz está apagada y es tarde.", "es"),
        ("La lumière est éteinte dans le salon.", "fr"), ("La luce è spenta.", "it"),
        ("Het licht is uit.", "nl"), ("A luz não está acesa.", "pt"), ("Свет выключен.", "ru"),
        ("電気を消しました。", "ja"), ("灯关了。", "zh"), ("불이 꺼졌습니다.", "ko"), ("Το φως είναι σβηστό.", "el"),
        ("الضوء مطفأ", "ar"), ("האור כבוי", "he"), ("बत्ती बंद है।", "hi"), ("ไฟปิดแล้ว", "th"),
        ("10, 20!", None), ("Okay.", None), ("on свет off свет", None),
    ],
)  # fmt: skip
def test_language_of(text: str, language: str | None) -> None:
    assert language_of(text) == language


def test_languages_are_those_that_can_be_told() -> None:
    assert {*_BY_SCRIPT.values(), *_LITTLE_WORDS, "ja"} == set(LANGUAGES)


def test_sentences() -> None:
    assert sentences("Mr. Smith is here. He said: \"Go!\" Really...? Yes at 5 p.m. today") == [
        "Mr. Smith is here.", 'He said: "Go!"', "Really...?", "Yes at 5 p.m. today",
    ]  # fmt: skip
    assert sentences("灯关了。好！") == ["灯关了。", "好！"]
    assert sentences("... !") == []


@given(st.integers(2, 99), st.sampled_from(["minutes", "percent", "apples"]))
def test_numbers_in_digits_and_words_are_one(value: int, unit: str) -> None:
    from adapters.engines.cascade.number_words import spelled

    for said in (str(value), spelled(value)):
        assert numbers(f"It is at {said} {unit} now.", unit=unit) == [float(value)]
        assert check(Number(value, unit=unit), f"It is at {said} {unit}.").passed
        assert not check(Number(value + 1, unit=unit), f"It is at {said} {unit}.").passed


@given(st.sampled_from(EVERY_KIND), st.text(max_size=60), st.sampled_from(["en", "de", "ja"]))
def test_any_answer_gets_a_verdict(expected: Expectation, answer: str, lang: str) -> None:
    first = check(expected, answer, Context(lang))
    assert first == check(expected, answer, Context(lang))
    assert first.reason
    if not any(c.isalnum() for c in answer):
        assert not first.passed


@given(
    st.sampled_from(["A", "B", "C", "D"]),
    st.sampled_from(["{}", "{}.", "({})", "Option {}", "The answer is {}."]),
)
def test_choices_are_told_apart(letter: str, form: str) -> None:
    assert check(LETTERS, form.format(letter)).passed == (letter == "B")
