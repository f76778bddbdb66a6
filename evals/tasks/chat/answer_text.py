"""What is in the text of an answer: its words, sentences and numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from evals.measures.text.normalizers import normalizer, scoring_of
from evals.measures.text.scoring import Scoring, is_unspaced, raw_tokens
from evals.measures.text.scoring.characters import standard

#: Abbreviations whose full stop ends no sentence.
_ABBREVIATIONS: Sequence[str] = (
    "mr", "mrs", "ms", "dr", "prof", "st", "vs", "e.g", "i.e", "etc", "a.m", "p.m", "approx",
    "no", "fig", "jr", "sr", "u.s", "u.k",
)  # fmt: skip
_BRACKETS = str.maketrans(dict.fromkeys("()[]{}<>", " "))
_PAUSE = re.compile(r"[,;:]\s+")
_TIME = re.compile(r"\b(\d{1,2}):([0-5]\d)\b")
_SIGNED = re.compile(r"(?:(?<=\s)|^)[-\u2212](?=\d)")
# The normalizer loses the sign of "1%": a word that it does not know stands for it.
_PERCENT = re.compile(r"\s*(?:%|\bper ?cent\b)", re.IGNORECASE)
# The normalizer writes the number 1 in letters wherever it stands: "one.5", "$one".
_WRITTEN_ONE = re.compile(r"(?<=[-$£€])one\b|\bone(?=\.\d)")
_BEFORE_PRONOUN: Sequence[str] = (
    "the", "this", "that", "which", "each", "every", "no", "any", "another", "last", "next",
    "other",
)  # fmt: skip
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th)")
_NUMBER = re.compile(r"-?(?:\d+(?:\.\d+)?|\.\d+)")
_TOKEN = re.compile(
    r"-?\d+(?:\.\d+)?(?:st|nd|rd|th|s)?(?![^\W_])|-?\.\d+|[^\W_]+(?:'[^\W_]+)?|[%$£€]"
)

#: A number in digits, or a sign that is a token of its own.
_NUMERAL = re.compile(
    r"(?P<sign>[%$£€])|(?:(?<=\s)|^)[-\u2212]?\d+(?:[.,'\u00a0]\d+)*|\d+(?:[.,'\u00a0]\d+)*"
)
#: Languages without a grammar here whose decimal mark is a comma (Unicode's CLDR).
_DECIMAL_COMMAS = frozenset((
    "af", "az", "be", "bg", "bs", "ca", "cs", "da", "el", "et", "eu", "fi", "gl", "hr", "hu",
    "hy", "id", "is", "ka", "kk", "lt", "lv", "mk", "nb", "nn", "no", "pl", "ro", "ru", "sk",
    "sl", "sq", "sr", "sv", "tr", "uk", "uz", "vi",
))  # fmt: skip


def numbers(text: str, lang: str = "en", unit: str | None = None) -> list[float]:
    """The numbers in a text, in their order: digits, and in English words too.

    Ordinals are no numbers. unit: only numbers right before this word; its plural counts.
    Decimal commas and marks between thousands are read in the language's way.
    """
    words = tokens(text, lang)
    wanted = tokens(unit, lang) if unit is not None else None
    found = []
    for index, word in enumerate(words):
        if word == "one" and not (index and _makes_a_pronoun(words[index - 1])):
            word = "1"
        if not _NUMBER.fullmatch(word):
            continue
        after = words[index + 1 : index + 1 + len(wanted or ())]
        if wanted is None or _singular(after) == _singular(wanted):
            found.append(float(word))
    return found


def _makes_a_pronoun(word: str) -> bool:
    """Whether "one" after this word is no number: "the one", "which one", "the second one"."""
    return word in _BEFORE_PRONOUN or bool(_ORDINAL.fullmatch(word))


def sentences(text: str) -> list[str]:
    """The sentences of a text; one without an end counts as well."""
    found: list[str] = []
    begin = 0
    for end in re.finditer(
        r"[.!?\u2026]+[\"'\u201d\u2019)\]]*(?=\s|$)|[\u3002\uff01\uff1f]+", text
    ):
        last = text[begin : end.start()].split()[-1:]
        word = last[0].lower().lstrip("(\"'") if last else ""
        single = len(word) == 1 and word.isalpha() and word != "i"
        if end[0] == "." and end.end() < len(text) and (word in _ABBREVIATIONS or single):
            continue
        found.append(text[begin : end.end()])
        begin = end.end()
    found.append(text[begin:])
    return [s.strip() for s in found if any(c.isalnum() for c in s)]


def count_words(text: str) -> int:
    """The words of a text, and the characters where a script has no spaces between words."""
    if is_unspaced(text):
        return len(raw_tokens(text))
    return sum(any(c.isalnum() for c in word) for word in text.split())


def is_english(lang: str) -> bool:
    """Whether a language, such as "en-GB", is English."""
    return scoring_of(lang).code == "en"


def tokens(text: str, lang: str) -> tuple[str, ...]:
    """Words, numbers and signs: English by Whisper's normalizer, others by the default scoring.

    What a normalizer would drop though somebody hears it is kept: text in brackets,
    a minus before digits. A time is one number, said or written.
    """
    text = text.replace("\u2019", "'").translate(_BRACKETS)
    # One by one: in "Which one? Five, ten." there is no hundred and ten, nor 510.
    parts = [part for sentence in sentences(text) for part in _PAUSE.split(sentence)]
    if is_english(lang):
        return tuple(token for part in parts for token in _TOKEN.findall(_english(part)))
    return tuple(token for part in parts for token in _foreign(part, lang))


def _foreign(text: str, lang: str) -> Iterator[str]:
    """Tokens of the default scoring, and each number in digits as one, with a decimal point."""
    scoring = scoring_of(lang)
    text = standard(text, scoring.code)
    place = 0
    for found in _NUMERAL.finditer(text):
        yield from scoring.words(text[place : found.start()])
        yield found["sign"] or _numeral(found[0], scoring)
        place = found.end()
    yield from scoring.words(text[place:])


def _numeral(written: str, scoring: Scoring) -> str:
    """A number as its language writes it, in the form of 1250.5."""
    grammar = scoring.grammar
    decimal = grammar.decimal if grammar else "," if scoring.code in _DECIMAL_COMMAS else "."
    text = written.replace("\u2212", "-")
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    whole, mark, fraction = digits.rpartition(decimal)
    if not mark:
        whole, fraction = digits, ""
    whole = re.sub(r"\D", "", whole)
    return f"{sign}{whole}.{fraction}" if fraction.isdigit() else f"{sign}{whole}{fraction}"


def _english(text: str) -> str:
    text = _TIME.sub(_time_in_words, _PERCENT.sub(" pct", _SIGNED.sub("minus ", text)))
    normalized = normalizer("whisper-english")(text).replace("cannot", "can not")
    return _WRITTEN_ONE.sub("1", normalized)


def _time_in_words(time: re.Match[str]) -> str:
    return time[1] if time[2] == "00" else time[1] + time[2]


def _singular(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(w[:-1] if len(w) > 2 and w.endswith("s") else w for w in words)
