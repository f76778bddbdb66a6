"""Whether an answer is what was expected: one rule per kind, in words in docs/chat.md.

Pure functions of texts. Phrases, numbers and lengths are looked for in text in which writing does
not count, so that "ten minutes", "10 minutes" and "Ten minutes!" are one.
An empty answer passes nothing, and what cannot be told is wrong, never left to chance.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from evals.measures.text.normalizers import scoring_of
from evals.measures.text.scoring import missing_entities
from evals.tasks.chat.answer_text import count_words, is_english, numbers, sentences, tokens
from fixtures.dialogues.expectations import (
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
)
from fixtures.dialogues.safe_regex import TooSlow, pattern

#: Sentences of the answer in which a refusal must be told.
_REFUSED_WITHIN = 2
#: How an answer declines, after normalization ("can't" and "cannot" are "can not" by then).
REFUSALS: Sequence[str] = (
    "i can not",
    "i am not able to",
    "i am unable to",
    "i am not allowed to",
    "i am not permitted to",
    "i am not supposed to",
    "i will not",
    "i must decline",
    "i have to decline",
    "i must refuse",
    "i have to refuse",
    "i do not have access to",
    "i do not have the ability to",
    "i have no way to",
    "i have no access to",
    "that is not possible",
    "that is not something i can",
    "i can only help with",
)
#: Words that make something else of "i can not" or "i will not" when they come next.
_NOT_REFUSED: Sequence[str] = (
    "wait", "only", "just", "help but", "agree more", "stress", "thank", "hear", "understand",
    "let you down", "forget",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Context:
    """What an answer is judged by beside itself: its language, as "en" or "de-AT"."""

    lang: str = "en"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether one expectation holds, and why (not), in one line."""

    kind: str
    passed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class _Answer:
    raw: str
    words: tuple[str, ...]
    lang: str

    def has(self, phrase: str) -> bool:
        """Whether a phrase is in it, outside English in any writing: "20" as "zwanzig" too."""
        if _find(self.words, _words(phrase, self.lang)) is not None:
            return True
        if is_english(self.lang):
            return False
        return not missing_entities(self.raw, [phrase], scoring_of(self.lang).language)


_Rule: TypeAlias = Callable[[Any, _Answer], tuple[bool, str]]


def check(expectation: Expectation, answer: str, context: Context | None = None) -> Outcome:
    """Whether the answer is as expected."""
    lang = (context or Context()).lang
    words = _words(answer, lang)
    if not words:
        return Outcome(expectation.kind, False, "the answer is empty")
    passed, reason = _RULES[type(expectation)](expectation, _Answer(answer, words, lang))
    return Outcome(expectation.kind, passed, reason)


def check_all(
    expectations: Sequence[Expectation], answer: str, context: Context | None = None
) -> list[Outcome]:
    """One outcome per expectation. A turn succeeds when all pass, of which there must be one."""
    return [check(expectation, answer, context) for expectation in expectations]


def succeeded(outcomes: Sequence[Outcome]) -> bool:
    """Whether a turn with these outcomes succeeded; without any there is nothing to say so."""
    return bool(outcomes) and all(outcome.passed for outcome in outcomes)


def _contains(expected: Contains, answer: _Answer) -> tuple[bool, str]:
    there = [p for p in expected.phrases if answer.has(p)]
    absent = [p for p in expected.phrases if p not in there]
    passed = not absent if expected.need == "all" else bool(there)
    if passed:
        return True, f"has {_quoted(there)}"
    return False, f"has not {_quoted(absent)}"


def _not_contains(expected: NotContains, answer: _Answer) -> tuple[bool, str]:
    there = [p for p in expected.phrases if answer.has(p)]
    return not there, f"has {_quoted(there)}" if there else f"has not {_quoted(expected.phrases)}"


def _regex(expected: Regex, answer: _Answer) -> tuple[bool, str]:
    try:
        fits = pattern(expected.pattern).search(answer.raw)
    except TooSlow as error:
        return False, str(error)
    return fits, f"{expected.pattern!r} {'fits' if fits else 'fits nowhere'}"


def _number(expected: Number, answer: _Answer) -> tuple[bool, str]:
    found = numbers(answer.raw, answer.lang, expected.unit)
    if not found and _is_said(expected, answer):
        found = [expected.value]
    of = f" of {expected.unit}" if expected.unit else ""
    if not found:
        return False, f"no number{of} in it"
    if expected.pick == "only" and len(set(found)) > 1:
        return False, f"several numbers{of}: {', '.join(f'{x:g}' for x in found)}"
    taken = {"first": found[:1], "last": found[-1:]}.get(expected.pick, found)
    # Binary fractions: 0.3 - 0.2 is a little more than 0.1.
    slack = expected.tolerance + 1e-9 * max(1.0, abs(expected.value))
    near = [x for x in taken if abs(x - expected.value) <= slack]
    around = f" +- {expected.tolerance:g}" if expected.tolerance else ""
    said = ", ".join(f"{x:g}" for x in taken)
    return bool(near), f"{said} where {expected.value:g}{around}{of} is expected"


def _is_said(expected: Number, answer: _Answer) -> bool:
    """Whether the only number of an answer, or the one of the unit, is the expected one in words.

    English words are numbers already.
    """
    if is_english(answer.lang):
        return False
    alone = scoring_of(answer.lang).score(answer.raw, answer.raw).numbers.total == 1
    in_words = f"{expected.value:g} {expected.unit or ''}".strip()
    return (alone or expected.unit is not None) and answer.has(in_words)


def _choice(expected: Choice, answer: _Answer) -> tuple[bool, str]:
    chosen = sorted(_chosen(expected, answer))
    if not chosen:
        return False, "chooses none of the options"
    if len(chosen) > 1:
        return False, f"names several options: {', '.join(chosen)}"
    return chosen[0] == expected.answer, f"chooses {chosen[0]}, {expected.answer} is expected"


def _chosen(expected: Choice, answer: _Answer) -> set[str]:
    """The options that the answer names, by letter or by text."""
    chosen: set[str] = set()
    texts: dict[tuple[str, ...], str] = {}
    for name, text in expected.options:
        if len(name) == 1:
            if _names_letter(name, answer.raw):
                chosen.add(name)
        else:
            texts[_words(name, answer.lang)] = name
        if text is not None:
            texts[_words(text, answer.lang)] = name
    # "light blue" is not "blue": the longer is looked for first, and taken out.
    left = answer.words
    for words in sorted(texts, key=len, reverse=True):
        while words and (at := _find(left, words)) is not None:
            chosen.add(texts[words])
            left = (*left[:at], "", *left[at + len(words) :])
    return chosen


def _names_letter(letter: str, text: str) -> bool:
    """Whether a text chooses an option by its letter: "B", "(b)", "B) blue", "option b".

    A capital that is marked as one, or stands alone; the article and the pronoun are none.
    """
    upper, lower = re.escape(letter.upper()), re.escape(letter.lower())
    alone = rf"\W*[{upper}{lower}]\W*"
    marked = (
        rf"(?<![\w'])(?:{upper}(?=[).:,;\"*]|\s*$|\s+(?:or|and)\s+[A-Z]\b)|\([{upper}{lower}]\))"
    )
    named = (
        rf"(?i:\b(?:option|choice|answer|letter)(?:\s+is)?:?\s+[\"'(*]*)[{upper}{lower}](?![\w'])"
    )
    if re.fullmatch(alone, text) or re.search(marked, text) or re.search(named, text):
        return True
    bare = letter.upper() not in "AI" and re.search(rf"(?<![\w']){upper}(?![\w'])", text)
    return bool(bare)


def _refusal(expected: Refusal, answer: _Answer) -> tuple[bool, str]:
    said = _refused(answer)
    what = f"declines ({said!r})" if said else "does not decline"
    return (said is not None) == expected.expected, what


def _refused(answer: _Answer) -> str | None:
    """The phrase by which an answer declines in its first sentences."""
    for sentence in sentences(answer.raw)[:_REFUSED_WITHIN]:
        words = _words(sentence, answer.lang)
        for phrase in REFUSALS:
            wanted = tuple(phrase.split())
            at = _find(words, wanted)
            if at is None:
                continue
            rest = " ".join(words[at + len(wanted) :]) + " "
            if not any(rest.startswith(f"{other} ") for other in _NOT_REFUSED):
                return phrase
    return None


def _word_count(expected: WordCount, answer: _Answer) -> tuple[bool, str]:
    count = count_words(answer.raw)
    return _within(count, expected.least, expected.most), _counted(
        count, "words", expected.least, expected.most
    )


def _sentence_count(expected: SentenceCount, answer: _Answer) -> tuple[bool, str]:
    count = len(sentences(answer.raw))
    return _within(count, expected.least, expected.most), _counted(
        count, "sentences", expected.least, expected.most
    )


def _starts_with(expected: StartsWith, answer: _Answer) -> tuple[bool, str]:
    for phrase in expected.phrases:
        words = _words(phrase, answer.lang)
        if words and answer.words[: len(words)] == words:
            return True, f"begins with {phrase!r}"
    return False, f"begins with none of {_quoted(expected.phrases)}"


def _ends_with(expected: EndsWith, answer: _Answer) -> tuple[bool, str]:
    for phrase in expected.phrases:
        words = _words(phrase, answer.lang)
        if words and answer.words[-len(words) :] == words:
            return True, f"ends with {phrase!r}"
    return False, f"ends with none of {_quoted(expected.phrases)}"


def _language(expected: Language, answer: _Answer) -> tuple[bool, str]:
    from evals.measures.text.language import language_of

    found = language_of(answer.raw)
    if found is None:
        return False, "its language cannot be told"
    return found == expected.code, f"is in {found!r}, {expected.code!r} is expected"


def _memory(expected: Memory, answer: _Answer) -> tuple[bool, str]:
    there = [p for p in expected.phrases if answer.has(p)]
    where = f"that user turn {expected.turn} said"
    if there:
        return True, f"has {_quoted(there)}, {where}"
    return False, f"has not {_quoted(expected.phrases)}, {where}"


_RULES: Mapping[type[Any], _Rule] = {
    Contains: _contains,
    NotContains: _not_contains,
    Regex: _regex,
    Number: _number,
    Choice: _choice,
    Refusal: _refusal,
    WordCount: _word_count,
    SentenceCount: _sentence_count,
    StartsWith: _starts_with,
    EndsWith: _ends_with,
    Language: _language,
    Memory: _memory,
}


def _words(text: str, lang: str) -> tuple[str, ...]:
    """Tokens for looking up phrases: digits said one by one are one number, as "553"."""
    joined: list[str] = []
    growing = False
    for token in tokens(text, lang):
        digit = len(token) == 1 and token.isdecimal()
        if digit and growing:
            joined[-1] += token
        else:
            joined.append(token)
        growing = digit
    return tuple(joined)


def _find(words: Sequence[str], wanted: Sequence[str]) -> int | None:
    """Where the wanted words stand side by side first."""
    if not wanted:
        return None
    for at in range(len(words) - len(wanted) + 1):
        if tuple(words[at : at + len(wanted)]) == tuple(wanted):
            return at
    return None


def _within(count: int, least: int | None, most: int | None) -> bool:
    return (least is None or count >= least) and (most is None or count <= most)


def _counted(count: int, of: str, least: int | None, most: int | None) -> str:
    wanted = " and ".join(_limits(least, most))
    return f"{count} {of}, {wanted} expected"


def _limits(least: int | None, most: int | None) -> Iterator[str]:
    if least is not None:
        yield f"at least {least}"
    if most is not None:
        yield f"at most {most}"


def _quoted(phrases: Sequence[str]) -> str:
    return ", ".join(repr(phrase) for phrase in phrases)
