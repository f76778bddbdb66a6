"""Numbers and signs found in a text, each with all the ways in which it can be said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

import regex

from evals.measures.text.scoring.lattices.lattice import Expression, Literal
from evals.measures.text.scoring.numbers import said
from evals.measures.text.scoring.numbers.grammar import Grammar

#: A text without any of these has no written number and no sign.
TELLING = regex.compile(r"[\p{Nd}\p{No}\p{Sc}%&@+=<>#§°×÷№]")
_MARKS = r"[.,]"
_SPACE = r"[ \u00a0]"
#: Marks between thousands in a language without a grammar.
_ANY_GROUPS = ".,'"


@dataclass(frozen=True, slots=True)
class Said:
    """A place of a text that is written otherwise than it is said."""

    expression: Expression
    is_number: bool


def is_plain(text: str, grammar: Grammar | None) -> bool:
    """Whether there is nothing in a text that is written otherwise than it is said."""
    if TELLING.search(text):
        return False
    if grammar is None or not grammar.abbreviations:
        return True
    return _abbreviated(grammar).search(text) is None


@cache
def _abbreviated(grammar: Grammar) -> regex.Pattern[str]:
    return regex.compile(rf"(?i)\b(?:{'|'.join(grammar.abbreviations)})(?![\p{{L}}\p{{M}}])")


def pieces(text: str, grammar: Grammar | None) -> Iterator[str | Said]:
    """A standard text in order: plain text, and the numbers and signs between.

    grammar: None for a language whose numbers stay as digits.
    """
    pattern = _pattern(grammar)
    place = 0
    for found in pattern.finditer(text):
        if found.start() > place:
            yield text[place : found.start()]
        place = found.end()
        yield from _read(found, grammar)
    if place < len(text):
        yield text[place:]


def _read(found: regex.Match[str], grammar: Grammar | None) -> Iterator[str | Said]:
    # What a number is depends on its letters alone, so that each is worked out once.
    groups = tuple(sorted((k, v) for k, v in found.groupdict().items() if v is not None))
    yield from _known(groups, found[0], grammar)


@lru_cache(maxsize=16_384)
def _known(
    groups: tuple[tuple[str, str], ...], whole: str, grammar: Grammar | None
) -> tuple[str | Said, ...]:
    part = dict(groups)
    if "symbol" in part:
        return _symbol(part["symbol"], grammar)
    if "times" in part:
        by = grammar.symbols.get("×", Literal("x")) if grammar else Literal("x")
        return (Said([by, Literal("x")], is_number=False),)
    if "between" in part:
        return (Said([None, grammar.to if grammar else None], is_number=False),)
    if "word" in part and grammar:
        key = part["word"].casefold()
        return (Said(grammar.abbreviations[key], is_number=False),)
    if "abbreviated" in part and grammar:
        month = said.month_of(part["abbreviated"], grammar)
        return (whole,) if month is None else (f" {month} ",)
    return (Said(_number(part, whole, grammar), is_number=True),)


def _symbol(symbol: str, grammar: Grammar | None) -> tuple[str | Said, ...]:
    if grammar and symbol in grammar.symbols:
        return (Said([grammar.symbols[symbol], Literal(symbol)], is_number=False),)
    if symbol in "&@#№§=<>×÷+":
        return (" ",)
    return (Said(Literal(symbol), is_number=False),)


def _number(part: dict[str, str], whole: str, grammar: Grammar | None) -> Expression:
    sign = said.sign(part.get("sign"), whole, grammar)
    if "date" in part:
        return said.date(part["date"], grammar)
    if "hour" in part:
        return said.clock(part["hour"], part["minute"], part.get("second"), grammar)
    if "vulgar" in part:
        return (sign, said.vulgar(part.get("before"), part["vulgar"], grammar))
    if "over" in part:
        return (sign, said.fraction(part["over"], grammar))
    if "digits" in part:
        return said.digits(part["digits"], grammar)
    if "decade" in part and grammar:
        return said.decade(part["decade"], grammar)
    if "ordinal" in part and grammar:
        return said.ordinal(part["ordinal"], grammar)
    if "dotted" in part and grammar:
        return said.dotted(part["dotted"], grammar)
    if ("day" in part or "first" in part) and grammar:
        return said.day(part.get("day") or part["first"], grammar, "first" in part)
    amount = part["amount"]
    symbol = part.get("currency") or part.get("money")
    if symbol and grammar:
        return (sign, said.money(amount, symbol, part.get("scale"), grammar))
    if symbol:
        return (sign, said.amount(amount, None), Literal(symbol))
    if "scale" in part and grammar:
        return (sign, said.scaled(amount, part["scale"], grammar))
    if "percent" in part:
        return (sign, said.percent(amount, grammar))
    if "unit" in part and grammar:
        return (sign, said.unit(amount, part["unit"], grammar))
    return (sign, said.amount(amount, grammar))


@cache
def _pattern(grammar: Grammar | None) -> regex.Pattern[str]:
    """Matches one number, one sign or one mark between two numbers."""
    decimal = regex.escape(grammar.decimal) if grammar else _MARKS
    groups = regex.escape((grammar.groups if grammar else _ANY_GROUPS) + "\u00a0")
    spaced = grammar is not None and " " in grammar.groups
    groups += " " if spaced else ""
    amount = (
        rf"(?<amount>\d{{1,3}}(?:[{groups}]\d{{3}})+(?:{decimal}\d+)?(?![\d]|{_MARKS}\d)"
        rf"|\d{{1,2}}(?:,\d{{2}})+,\d{{3}}(?![\d]|{_MARKS}\d)"
        rf"|\d+(?:{_MARKS}\d+)*)"
    )
    end = r"(?![\p{L}\p{M}\p{N}])"
    currency = rf"(?:{_alternatives(_signs(grammar))}|\p{{Sc}})"
    sign = r"(?:(?<![\p{L}\p{N}])(?<sign>[-\u2013\u2212+]))?"
    if grammar is None:
        tails = rf"(?:{_SPACE}?(?<percent>%|٪)|{_SPACE}?(?<money>\p{{Sc}}))?"
        scale = ""
    else:
        scales = _alternatives(grammar.scales)
        scale = rf"(?:{_SPACE}?(?<scale>(?i:{scales})){end})?" if scales else ""
        units = _units(grammar)
        words = _alternatives([scale for scale in grammar.scales if len(scale) > 1])
        tails = (
            rf"(?:(?:{_SPACE}?(?<scale>(?i:{scales})))?{_SPACE}?(?<money>{currency}|"
            rf"(?<=[.,]\d\d){_SPACE}?(?:{_alternatives(said.currency_words(grammar))}){end})"
            rf"|{_SPACE}?(?<percent>%)"
            rf"|{_SPACE}?(?<unit>{units}){end}"
            rf"|{_SPACE}?(?<scale>(?i:{words})){end})?"
        )
    rules = [
        r"(?<![\d.,/-])(?<date>\d{4}-\d{1,2}-\d{1,2}|\d{1,2}(?<mark>[./-])\d{1,2}(?P=mark)(?:\d{4}|\d\d))"
        r"(?![\d]|[.,/-]\d)",
        r"(?<![\d:.])(?<hour>[01]?\d|2[0-4])(?:[:\uff1a]|(?i:h)(?=\d))(?<minute>[0-5]\d)"
        rf"(?::(?<second>[0-5]\d))?(?![\d:]){_clock_words(grammar)}",
        rf"{sign}(?:(?<before>\d+){_SPACE}?)?(?<vulgar>[\u00bc-\u00be\u2153\u2154])",
        rf"{sign}(?<![\d/])(?<over>(?:\d+{_SPACE})?\d{{1,3}}/\d{{1,3}})(?![\d/])",
    ]
    if grammar and grammar.clock_words:
        rules.append(
            rf"(?<![\d.,])(?<hour>[01]?\d|2[0-4])\.(?<minute>[0-5]\d){_clock_words(grammar)[:-1]}"
        )
    if grammar and grammar.months:
        months = _alternatives(grammar.months)
        short = said.short_months(grammar)
        mark = rf"(?:(?:{grammar.ordinal_mark}){end})?" if grammar.ordinal_mark else ""
        of = r"(?:of |de )?"
        rules.append(rf"(?<![\d.,:/-])(?<day>[0-3]?\d){mark}\.?(?= ?{of}(?i:{months}){end})")
        if grammar.ordinal_days:
            rules.append(
                rf"(?<=(?i:{months}|{short})\.? )(?<first>[0-3]?\d){mark}(?![\d:/]|[.,]\d)"
            )
            rules.append(rf"\b(?<abbreviated>(?i:{short}))\b\.?(?= ?\d)")
    if grammar and grammar.decade_mark:
        rules.append(rf"(?<!\d)'?(?<decade>\d{{2}}|\d{{4}})(?:{grammar.decade_mark}){end}")
    if grammar and grammar.ordinal_mark:
        rules.append(rf"(?<![\d.,])(?<ordinal>\d+)(?:{grammar.ordinal_mark}){end}")
    if grammar and grammar.ordinal_dot:
        rules.append(r"(?<![\d.,:/-])(?<dotted>\d{1,4})\.(?=\s|$)")
    if grammar and grammar.abbreviations:
        rules.append(rf"\b(?<word>(?i:{'|'.join(grammar.abbreviations)}))(?![\p{{L}}\p{{M}}])\.?")
    rules += [
        r"(?<![\d.,:/-])(?<digits>\d(?:(?:[ -]|, )\d)+)(?![\p{L}%°/:]|[.,-]?\d)",
        rf"{sign}(?<percent>%){_SPACE}?{amount}",
        rf"{sign}(?<currency>{currency}){_SPACE}?{amount}{scale}",
        rf"{sign}{amount}{tails}",
        rf"(?<=\d)(?<between>{_SPACE}?[-\u2013:]{_SPACE}?)(?=\d)",
        r"(?<times>(?<=\d) ?[xX×] ?(?=\d))",
        r"(?<symbol>[%&@+=#§°×÷№\p{Sc}]|(?<=\s)[<>](?=\s)|(?<=\d)[<>]|[<>](?=\d))",
    ]
    return regex.compile("|".join(rules))


def _signs(grammar: Grammar | None) -> list[str]:
    return [] if grammar is None else [*grammar.currencies, *said.CURRENCY_CODES]


def _alternatives(words: object) -> str:
    longest = sorted(map(str, words), key=len, reverse=True)  # type: ignore[call-overload]
    return "|".join(regex.escape(word) for word in longest) or r"(?!)"


def _units(grammar: Grammar) -> str:
    """Units in any case but those of one letter, which mean something else in the other."""
    one = [unit for unit in grammar.units if len(unit) == 1 and unit.isalpha()]
    more = [unit for unit in grammar.units if unit not in one]
    letters = [letter.upper() if letter == "w" else letter for letter in one]
    letters += ["L", "K"] if "l" in one and "k" in one else []
    return f"(?i:{_alternatives(more)})|{_alternatives(letters)}"


def _clock_words(grammar: Grammar | None) -> str:
    if grammar is None or not grammar.clock_words:
        return ""
    return rf"(?:{_SPACE}(?i:{grammar.clock_words})(?![\p{{L}}]))?"
