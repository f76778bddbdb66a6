"""English numbers."""

from __future__ import annotations

from evals.measures.text.scoring.lattices.lattice import Expression
from evals.measures.text.scoring.numbers.grammar import Grammar

_ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["-", "-", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (10**3, "thousand"))
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_AND: Expression = [None, "and"]


def cardinal(n: int) -> Expression:
    """With and without "and"; "a hundred"; "fourteen hundred"."""
    return _number(n, ordinal=False)


def ordinal(n: int) -> Expression:
    """The same with the last word as an ordinal; "the" may stand before it."""
    return _number(n, ordinal=True)


def _last(word: str, ordinal: bool) -> str:
    if not ordinal:
        return word
    if word in _ORDINALS:
        return _ORDINALS[word]
    return word[:-1] + "ieth" if word.endswith("y") else word + "th"


def _number(n: int, *, ordinal: bool) -> Expression:
    if n < 20:
        return _last(_ONES[n], ordinal)
    if n < 100:
        tens, one = divmod(n, 10)
        if not one:
            return _last(_TENS[tens], ordinal)
        return f"{_TENS[tens]} {_last(_ONES[one], ordinal)}"
    if n < 1000:
        return _hundreds(n, ordinal)
    options: list[Expression] = []
    for size, name in _SCALES:
        if n >= size:
            many, rest = divmod(n, size)
            options.append((_leading(many), _rest(name, rest, ordinal)))
            if rest and size > 1000 and rest * 10 % size == 0 and not ordinal:
                # 1,500,000 is one point five million.
                options.append((cardinal(many), "point", _ONES[rest * 10 // size], name))
            break
    if 1100 <= n < 10_000 and n // 100 % 10:
        options.append(_hundreds(n, ordinal))
    return options


def _hundreds(n: int, ordinal: bool) -> Expression:
    many, rest = divmod(n, 100)
    return (_leading(many), _rest("hundred", rest, ordinal))


def _leading(many: int) -> Expression:
    return ["one", "a"] if many == 1 else cardinal(many)


def _rest(name: str, rest: int, ordinal: bool) -> Expression:
    if not rest:
        return _last(name, ordinal)
    return (name, _AND if rest < 100 else None, _number(rest, ordinal=ordinal))


def _clock(hour: int, minute: int) -> Expression:
    said = cardinal(hour)
    zero: Expression = ["oh", "zero", "o"]
    hours: Expression = [said, (zero, said)] if hour < 10 else said
    if not minute:
        return [
            said,
            (said, "o clock"),
            (said, "hundred", [None, "hours"]),
            (zero, said, "hundred", [None, "hours"]),
            (hours, zero, zero),
            *(["midnight"] if hour in (0, 24) else ["noon"] if hour == 12 else []),
        ]
    minutes: Expression = (zero, cardinal(minute)) if minute < 10 else cardinal(minute)
    options: list[Expression] = [(hours, minutes), (hours, "hours", minutes, "minutes")]
    here, following = _twelve(hour), _twelve(hour + 1)
    if minute == 30:
        options += [("half", [None, "past"], here)]
    if minute == 15:
        options += [([None, "a"], "quarter", ["past", "after"], here)]
    elif minute == 45:
        options += [([None, "a"], "quarter", ["to", "of", "till"], following)]
    if minute < 30:
        options.append((cardinal(minute), [None, "minutes"], ["past", "after"], here))
    elif minute > 30:
        options.append((cardinal(60 - minute), [None, "minutes"], ["to", "till"], following))
    return options


def _twelve(hour: int) -> Expression:
    return cardinal((hour - 1) % 12 + 1)


def _date(day: Expression, month: Expression, year: Expression) -> Expression:
    return [(month, [None, "the"], day, year), ([None, "the"], day, [None, "of"], month, year)]


def _fraction(n: int, d: int) -> Expression:
    one: Expression = ["one", "a"] if n == 1 else cardinal(n)
    plural = "" if n == 1 else "s"
    names: dict[int, list[Expression]] = {
        2: ["half" if n == 1 else "halves"],
        4: ["quarter" + plural, "fourth" + plural],
    }
    options: list[Expression] = [(one, name) for name in names.get(d, ())]
    if d > 2 and d not in names:
        options += [(one, (_plural_ordinal(d) if n != 1 else ordinal(d)))]
    if (n, d) == (1, 2):
        options.append("half")
    return [*options, (cardinal(n), ["over", "slash"], cardinal(d))]


def _plural_ordinal(n: int) -> Expression:
    said = ordinal(n)
    return said + "s" if isinstance(said, str) else said


def _decade(n: int) -> Expression:
    """The 90s, the 1990s; the 2000s."""
    century, tens = divmod(n, 100)
    if n and not tens:
        name = "thousands" if century % 10 == 0 else "hundreds"
        return (cardinal(century // 10 if name == "thousands" else century), name)
    name = _TENS[tens // 10][:-1] + "ies" if tens >= 20 else _ONES[tens] + "s"
    return ((cardinal(century) if century else None), name)


def _name(one: str, many: str, short: str = "") -> Expression:
    """A unit, one and several, and the letters that it is written with."""
    return [many, one, *([short] if short else [])]


GRAMMAR = Grammar(
    code="en",
    cardinal=cardinal,
    ordinal=ordinal,
    digits=[["zero", "oh", "o", "nought", "naught", "nil"], *_ONES[1:10]],
    decimal=".",
    groups=",",
    point=["point", "dot"],
    minus=["minus", "negative"],
    plus=["plus", "positive"],
    percent="percent",
    bare_hundreds=True,
    repeats={2: "double", 3: "triple"},
    clock=_clock,
    currencies={
        "$": (_name("dollar", "dollars", "bucks"), _name("cent", "cents")),
        "€": (_name("euro", "euros"), _name("cent", "cents")),
        "£": (_name("pound", "pounds", "quid"), ["pence", "p", "penny"]),
        "¥": ("yen", None),
        "₹": (_name("rupee", "rupees"), _name("paisa", "paise")),
        "¢": (_name("cent", "cents"), None),
        "₽": (_name("ruble", "rubles"), _name("kopeck", "kopecks")),
        "₩": ("won", None),
        "R$": (["reais", "real"], ["centavos", "centavo"]),
        "CHF": (_name("franc", "francs", "swiss francs"), _name("centime", "centimes")),
    },
    and_minor="and",
    units={
        "°c": ("degrees", [None, "celsius", "centigrade", "c"]),
        "°f": ("degrees", [None, "fahrenheit", "f"]),
        "°": _name("degree", "degrees"),
        "km/h": [("kilometers", ["per", "an"], "hour"), "k p h", "k m h", "km h"],
        "kmh": [("kilometers", ["per", "an"], "hour"), "k p h", "k m h", "kmh"],
        "mph": [("miles", ["per", "an"], "hour"), "m p h", "mph"],
        "m/s": "meters per second",
        "km": _name("kilometer", "kilometers", "km"),
        "cm": _name("centimeter", "centimeters", "cm"),
        "mm": _name("millimeter", "millimeters", "mm"),
        "m": _name("meter", "meters", "m"),
        "m²": _name("square meter", "square meters"),
        "km²": _name("square kilometer", "square kilometers"),
        "m³": _name("cubic meter", "cubic meters"),
        "mi": _name("mile", "miles", "mi"),
        "ft": ["feet", "foot", "ft"],
        "lb": _name("pound", "pounds", "lb"),
        "lbs": _name("pound", "pounds", "lbs"),
        "oz": _name("ounce", "ounces", "oz"),
        "kg": [*("kilograms", "kilogram", "kilos", "kilo", "kg")],
        "mg": _name("milligram", "milligrams", "mg"),
        "g": _name("gram", "grams", "g"),
        "ml": _name("milliliter", "milliliters", "ml"),
        "l": _name("liter", "liters", "l"),
        "ms": _name("millisecond", "milliseconds", "ms"),
        "min": _name("minute", "minutes", "min"),
        "mins": _name("minute", "minutes", "mins"),
        "sec": _name("second", "seconds", "sec"),
        "secs": _name("second", "seconds", "secs"),
        "hr": _name("hour", "hours", "hr"),
        "hrs": _name("hour", "hours", "hrs"),
        "hz": ["hertz", "hz"],
        "khz": ["kilohertz", "khz"],
        "mhz": ["megahertz", "mhz"],
        "ghz": ["gigahertz", "ghz"],
        "kb": _name("kilobyte", "kilobytes", "kb"),
        "mb": _name("megabyte", "megabytes", "mb"),
        "gb": [*("gigabytes", "gigabyte", "gigs", "gig", "gb")],
        "tb": _name("terabyte", "terabytes", "tb"),
        "w": _name("watt", "watts", "w"),
        "kw": _name("kilowatt", "kilowatts", "kw"),
        "kwh": _name("kilowatt hour", "kilowatt hours", "kwh"),
        "k": ["thousand", "k"],
    },
    symbols={
        "%": "percent",
        "&": "and",
        "@": "at",
        "+": ["plus", "and"],
        "=": ["equals", "is", "equal to", "is equal to"],
        "<": ["less than", ("is", ["less", "smaller"], "than"), "smaller than"],
        ">": ["greater than", ("is", ["greater", "more"], "than"), "more than"],
        "×": ["times", "by", "x"],
        "÷": [([None, "divided"], "by"), "over"],
        "#": ["number", "hashtag", "pound", "hash"],
        "№": "number",
        "§": ["section", "paragraph"],
        "°": "degrees",
    },
    to=["to", "dash", "hyphen", "minus", "through", "till", "or"],
    months=[
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ],
    ordinal_mark="st|nd|rd|th",
    ordinal_days=True,
    date=_date,
    fraction=_fraction,
    scales={
        "k": (10**3, "thousand"),
        "m": (10**6, "million"),
        "mn": (10**6, "million"),
        "b": (10**9, "billion"),
        "bn": (10**9, "billion"),
        "tn": (10**12, "trillion"),
        "thousand": (10**3, "thousand"),
        "million": (10**6, "million"),
        "billion": (10**9, "billion"),
        "trillion": (10**12, "trillion"),
    },
    decades=_decade,
    abbreviations={
        "st": ["st", "saint", "street"],
        "dr": ["doctor", "drive"],
        "ext": ["extension", "ext"],
        "ft": ["ft", "fort", "feet", "featuring"],
        "mt": ["mt", "mount", "mountain"],
        "ave": ["avenue", "ave"],
        "blvd": ["boulevard"],
        "dept": ["department"],
        "approx": ["approximately", "approx"],
    },
    decade_mark="'?s",
    more_words="oh nought naught hundred thousand million billion trillion double triple minus",
    ambiguous="one oh second o a and",
)
