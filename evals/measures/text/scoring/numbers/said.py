"""How a written number of each kind can be said; the first reading is the usual one of scoring.

The usual reading keeps a number as one token of digits, its unit and its sign as words, so
that a wrong number is one error. All other readings are words of the language.
"""

from __future__ import annotations

from functools import cache

from evals.measures.text.scoring.lattices.lattice import Expression, Literal
from evals.measures.text.scoring.numbers import grammar as rules
from evals.measures.text.scoring.numbers.grammar import Grammar

#: ISO 4217 codes that stand before or after an amount.
CURRENCY_CODES = {
    "USD": "$",
    "EUR": "€",
    "GBP": "£",
    "JPY": "¥",
    "INR": "₹",
    "BRL": "R$",
    "CHF": "CHF",
}
_VULGAR = {"¼": (1, 4), "½": (1, 2), "¾": (3, 4), "⅓": (1, 3), "⅔": (2, 3)}
#: From this many digits on a plus is a telephone number's, which is not always said.
_TELEPHONE = 7
#: More digits with spaces between are no number but a loop: each is one for itself.
_MOST_DIGITS = 40


def sign(written: str | None, number: str, grammar: Grammar | None) -> Expression:
    """What a sign in front says."""
    if written is None:
        return None
    if written == "+":
        said: Expression = grammar.plus if grammar else Literal("+")
        return [said, None] if sum(c.isdigit() for c in number) >= _TELEPHONE else said
    return [grammar.minus, Literal("-")] if grammar else Literal("-")


def amount(written: str, grammar: Grammar | None) -> Expression:
    """A number as it stands: whole, with a fraction, or several with marks between."""
    if grammar is None:
        return _as_digits(written)
    return _amount(written, grammar)


@cache
def _amount(written: str, grammar: Grammar) -> Expression:
    grouped = _without_groups(written, grammar)
    marks = [c for c in grouped if not c.isdigit()]
    if not marks:
        options: list[Expression] = [Literal(grouped), *rules.whole(grouped, grammar)]
        if " " in written:
            # The space may stand between two numbers.
            options.append(tuple(_between(0, part, grammar) for part in written.split()))
        return options
    parts = grouped.replace(",", ".").split(".")
    several: Expression = tuple(_between(place, part, grammar) for place, part in enumerate(parts))
    if len(marks) > 1:
        return [Literal(grouped), several]
    before, after = parts
    options = [Literal(f"{before}.{after}")]
    options += rules.decimal(before, after, grammar)
    if grammar.clock and len(after) == 2 and int(before) <= 24 and int(after) < 60:
        options.append(grammar.clock(int(before), int(after)))
    if marks[0] != grammar.decimal or (len(before), len(after)) == (3, 4):
        options.append(several)
    if after in ("5", "50"):
        # Two and a half is written as 2.5 as well.
        whole = before if int(before) else None
        options.append(_with_whole(whole, 1, 2, grammar))
    return options


def _between(place: int, part: str, grammar: Grammar) -> Expression:
    said: Expression = [Literal(part), *rules.whole(part, grammar)]
    return said if not place else ([None, grammar.point], said)


def digits(written: str, grammar: Grammar | None) -> Expression:
    """Digits one by one, with spaces, commas or hyphens between."""
    single = [c for c in written if c.isdigit()]
    usual = tuple(Literal(digit) for digit in single)
    if grammar is None:
        return usual
    if len(single) > _MOST_DIGITS:
        return tuple([Literal(d), grammar.digits[int(d)]] for d in single)
    options: list[Expression] = [usual, rules.digit_string("".join(single), grammar)]
    if "-" in written and grammar.to is not None:
        parts: list[Expression] = [grammar.cardinal(int(single[0]))]
        for digit in single[1:]:
            parts += [[None, grammar.to], grammar.cardinal(int(digit))]
        options.append(tuple(parts))
    return options


def scaled(written: str, scale: str, grammar: Grammar) -> Expression:
    """A number of millions and the like."""
    _, name = grammar.scales[scale.casefold()]
    return (amount(written, grammar), [name, Literal(scale.casefold().rstrip("."))])


def _without_groups(written: str, grammar: Grammar) -> str:
    """The digits of a number without the marks between thousands, where these are such."""
    number = written.replace("\u00a0", "").replace(" ", "")
    if number.isdigit():
        return number
    for mark in grammar.groups.replace(" ", ""):
        whole, point, after = number.partition(grammar.decimal)
        blocks = whole.split(mark)
        western = all(len(block) == 3 for block in blocks[1:])
        indian = len(blocks[-1]) == 3 and all(len(block) == 2 for block in blocks[1:-1])
        grouped = len(blocks) > 1 and 1 <= len(blocks[0]) <= 3 and (western or indian)
        digits = all(block.isdigit() for block in blocks) and (after.isdigit() or not point)
        if grouped and digits:
            return "".join(blocks) + ("." + after if point else "")
    return number


def _as_digits(written: str) -> Expression:
    """Without a grammar: the number, its digits one by one, and both meanings of a mark."""
    plain = written.replace("\u00a0", "").replace(" ", "")
    options: list[Expression] = [Literal(plain.replace(",", "."))]
    digits = "".join(c for c in plain if c.isdigit())
    if digits != plain:
        last = max(plain.rfind(c) for c in ".,'")
        if len(plain) - last == 4:
            options.append(Literal(digits))
    elif len(digits) > 1:
        options.append(tuple(Literal(digit) for digit in digits))
    return options


def money(written: str, symbol: str, scale: str | None, grammar: Grammar) -> Expression:
    """An amount with its currency, whose hundredths may be said by their own name."""
    symbol = symbol.strip()
    word = None
    if symbol in currency_words(grammar):
        word, symbol = symbol, currency_words(grammar)[symbol]
    symbol = CURRENCY_CODES.get(symbol, symbol)
    names = grammar.currencies.get(symbol)
    if names is None:
        return (amount(written, grammar), Literal(symbol))
    major, minor = names
    if word is not None:
        major = [word, major]
    if scale is not None:
        _, scaled = grammar.scales[scale.casefold()]
        return (amount(written, grammar), [scaled, scale], ["", *_of(grammar)], major)
    number = _without_groups(written, grammar).replace(",", ".")
    whole, point, hundredths = number.partition(".")
    plain: Expression = (amount(written, grammar), major)
    if not point or len(hundredths) != 2 or not whole.isdigit():
        return plain
    wholes: Expression = [Literal(whole), *rules.whole(whole, grammar)]
    options: list[Expression] = [plain]
    if hundredths == "00":
        options.append((wholes, major))
    else:
        cents: Expression = [Literal(str(int(hundredths))), grammar.cardinal(int(hundredths))]
        options.append((wholes, major, [None, grammar.and_minor], cents, [None, minor]))
        if hundredths[0] == "0":
            options.append((wholes, major, rules.pair(hundredths, grammar)))
        if not int(whole) and minor is not None:
            options.append((cents, minor))
    return options


def _of(grammar: Grammar) -> list[Expression]:
    """ "de" between millions and a currency."""
    return ["de"] if grammar.code in ("fr", "es", "pt") else ["di"] if grammar.code == "it" else []


@cache
def currency_words(grammar: Grammar) -> dict[str, str]:
    """The signs of currencies by their names."""
    found: dict[str, str] = {}
    for symbol, (major, _) in grammar.currencies.items():
        names = major if isinstance(major, list) else [major]
        for name in names:
            if isinstance(name, str) and " " not in name:
                found.setdefault(name, symbol)
                found.setdefault(name.capitalize(), symbol)
    return found


def percent(written: str, grammar: Grammar | None) -> Expression:
    if grammar is None:
        return (amount(written, None), Literal("%"))
    number = amount(written, grammar)
    if grammar.percent_first:
        return [(number, Literal("%")), (grammar.percent, number)]
    return (number, [grammar.percent, Literal("%")])


def unit(written: str, symbol: str, grammar: Grammar) -> Expression:
    """A number with a unit, said by its name or as it is written."""
    key = symbol.casefold().replace(" ", "")
    options: list[Expression] = [grammar.units[key]]
    if key in grammar.scales and symbol != key:
        options.append(grammar.scales[key][1])
    if key.isalpha():
        options += [Literal(key), tuple(Literal(letter) for letter in key)]
    return (amount(written, grammar), options)


def ordinal(digits: str, grammar: Grammar) -> Expression:
    said = grammar.ordinal(int(digits))
    return [Literal(f"{int(digits)}."), *([said] if said is not None else [])]


def dotted(digits: str, grammar: Grammar) -> Expression:
    """A number before a dot, which ends a sentence or makes an ordinal of it."""
    said = grammar.ordinal(int(digits))
    return [Literal(digits), *rules.whole(digits, grammar), *([said] if said is not None else [])]


def day(digits: str, grammar: Grammar, after_month: bool) -> Expression:
    """A day beside its month: a number, or an ordinal with or without its article."""
    value = int(digits)
    options: list[Expression] = [Literal(str(value)), grammar.cardinal(value)]
    if grammar.ordinal_days:
        said = grammar.ordinal(value)
        if said is not None:
            options.append(said)
            if grammar.code == "en":
                options.append(("the", said, None if after_month else [None, "of"]))
    elif value == 1 and grammar.first_day is not None:
        options.append(grammar.first_day)
    return options


def date(written: str, grammar: Grammar | None) -> Expression:
    """A date in digits: number by number, and with the name of its month."""
    parts = written.replace("/", "-").replace(".", "-").split("-")
    usual = tuple(Literal(part.lstrip("0") or "0") for part in parts)
    if grammar is None:
        return usual
    spoken: list[Expression] = [usual]
    spoken.append(tuple(_between_marks(place, part, grammar) for place, part in enumerate(parts)))
    if grammar.date is None or not grammar.months:
        return spoken
    year, first, second = (
        (parts[0], parts[1], parts[2]) if len(parts[0]) == 4 else (parts[2], parts[1], parts[0])
    )
    orders = [(int(first), int(second))]
    if len(parts[0]) != 4 and grammar.code == "en":
        orders.append((int(second), int(first)))
    years: Expression = [Literal(year), *rules.whole(year, grammar)]
    for month, of_month in orders:
        if 1 <= month <= 12 and 1 <= of_month <= 31:
            days = day(str(of_month), grammar, after_month=False)
            names: list[Expression] = [grammar.months[month - 1]]
            if grammar.ordinal_days and grammar.code == "de":
                names.append(grammar.ordinal(month))
            spoken.append(grammar.date(days, names, years))
    return spoken


def _between_marks(place: int, part: str, grammar: Grammar) -> Expression:
    number: list[Expression] = [*rules.whole(part, grammar)]
    if part.startswith("0") and part.strip("0"):
        number.append(grammar.cardinal(int(part)))
    said: Expression = number
    marks: list[Expression] = [None, *([grammar.to] if grammar.to is not None else []), "slash"]
    return said if not place else (marks, said)


def clock(hour: str, minute: str, second: str | None, grammar: Grammar | None) -> Expression:
    """A time of day."""
    h, m = int(hour), int(minute)
    usual = Literal(f"{h}:{minute}" + (f":{second}" if second else ""))
    parts = [hour, minute, *([second] if second else [])]
    if grammar is None:
        dotted = Literal(f"{h}.{minute}")
        return [usual, tuple(_as_digits(part) for part in parts), dotted]
    options: list[Expression] = [
        usual,
        tuple(Literal(str(int(p))) if not p.startswith("0") else Literal(p) for p in parts),
    ]
    if second:
        options.append(tuple([*rules.whole(part, grammar)] for part in parts))
    else:
        if grammar.clock:
            options.append(grammar.clock(h, m))
        options.append((grammar.cardinal(h), rules.pair(minute, grammar)))
        # A recognizer that leaves out the colon reads 6:05 as 605.
        options.append(Literal(f"{h}{minute}"))
    return options


def fraction(written: str, grammar: Grammar | None) -> Expression:
    """1/2, 2 1/2, and 24/7, which is said without the line."""
    usual = Literal(written.replace("\u00a0", " ").replace(" ", "+"))
    if grammar is None:
        return usual
    *before, over = written.replace("\u00a0", " ").split(" ")
    above, below = over.split("/")
    options: list[Expression] = [usual]
    if int(below):
        options.append(_with_whole(before[0] if before else None, int(above), int(below), grammar))
    slash: Expression = [None, "slash"]
    if not before:
        options.append(([*rules.whole(above, grammar)], slash, [*rules.whole(below, grammar)]))
        if (
            grammar.code == "en"
            and grammar.date
            and 1 <= int(above) <= 12
            and 1 <= int(below) <= 31
        ):
            options.append((grammar.months[int(above) - 1], day(below, grammar, after_month=True)))
    return options


def vulgar(before: str | None, character: str, grammar: Grammar | None) -> Expression:
    above, below = _VULGAR[character]
    usual = Literal((before + "+" if before else "") + f"{above}/{below}")
    if grammar is None:
        return usual
    return [usual, _with_whole(before, above, below, grammar)]


def _with_whole(before: str | None, above: int, below: int, grammar: Grammar) -> Expression:
    said: Expression = grammar.fraction(above, below) if grammar.fraction else None
    if said is None:
        return Literal(f"{above}/{below}")
    if before is None:
        return said
    whole: Expression = [Literal(before), *rules.whole(before, grammar)]
    mixed: Expression = (whole, [grammar.and_minor, None], said)
    if grammar.code == "en" and above == 1:
        mixed = (whole, "and", said)
    if grammar.half and (above, below) == (1, 2):
        return [mixed, grammar.half(int(before))]
    return mixed


def decade(digits: str, grammar: Grammar) -> Expression:
    usual = Literal(digits + "s")
    said = grammar.decades(int(digits)) if grammar.decades else None
    return [usual, *([said] if said is not None else [])]


def short_months(grammar: Grammar) -> str:
    """A pattern of the first letters of months."""
    return "|".join(
        sorted(
            {m[:3] for m in grammar.months} | {m[:4] for m in grammar.months} - set(grammar.months)
        )
    )


def month_of(short: str, grammar: Grammar) -> str | None:
    found = [m for m in grammar.months if m.startswith(short.casefold())]
    return found[0] if len(found) == 1 else None
