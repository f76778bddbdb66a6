"""Dutch numbers: one word up to a thousand, which some write apart."""

from __future__ import annotations

from evals.measures.text.scoring.lattices.lattice import Compound, Expression
from evals.measures.text.scoring.numbers.grammar import Grammar

_ONES = [
    "nul",
    "een",
    "twee",
    "drie",
    "vier",
    "vijf",
    "zes",
    "zeven",
    "acht",
    "negen",
    "tien",
    "elf",
    "twaalf",
    "dertien",
    "veertien",
    "vijftien",
    "zestien",
    "zeventien",
    "achttien",
    "negentien",
]
_TENS = [
    "-",
    "-",
    "twintig",
    "dertig",
    "veertig",
    "vijftig",
    "zestig",
    "zeventig",
    "tachtig",
    "negentig",
]
_SCALES = ((10**12, "biljoen"), (10**9, "miljard"), (10**6, "miljoen"))
_STEMS = {
    "een": "eerste", "drie": "derde", "acht": "achtste", "nul": "nulde",
}  # fmt: skip


def _parts(n: int) -> list[tuple[str, ...]]:
    """The parts of a number below a million, in each way of saying it."""
    if n < 20:
        small: list[tuple[str, ...]] = [(_ONES[n],)]
        return [*small, ("één",)] if n == 1 else small
    if n < 100:
        tens, one = divmod(n, 10)
        if not one:
            return [(_TENS[tens],)]
        links = ["en", "ën"] if _ONES[one].endswith("e") else ["en"]
        return [(*part, link, _TENS[tens]) for part in _parts(one) for link in links]
    if n < 1000:
        return _with(n, 100, "honderd")
    found = _with(n, 1000, "duizend")
    if 1100 <= n < 10_000 and n // 100 % 10:
        found += _with(n, 100, "honderd")
    return found


def _with(n: int, size: int, name: str) -> list[tuple[str, ...]]:
    many, rest = divmod(n, size)
    heads: list[tuple[str, ...]] = [(name,)]
    if many > 1:
        heads = [(*part, name) for part in _parts(many)]
    if not rest:
        return heads
    rests = _parts(rest)
    if rest < 100:
        rests = rests + [("en", *part) for part in rests]
    return [(*head, *part) for head in heads for part in rests]


def cardinal(n: int) -> Expression:
    if n < 10**6:
        return [Compound(parts) for parts in _parts(n)]
    for size, name in _SCALES:
        if n >= size:
            many, rest = divmod(n, size)
            options: list[Expression] = [(cardinal(many), name, cardinal(rest) if rest else None)]
            if rest and rest * 10 % size == 0:
                options.append((cardinal(many), "komma", cardinal(rest * 10 // size), name))
            return options
    raise ValueError(n)


def ordinal(n: int) -> Expression:
    if not 0 < n < 10**6:
        return None
    found: list[Expression] = []
    for parts in _parts(n):
        last = parts[-1].replace("één", "een")
        end = "de" if last in _ONES[2:20] and last not in ("acht", "drie") else "ste"
        found.append(Compound((*parts[:-1], _STEMS.get(last, last + end))))
    return found


def _clock(hour: int, minute: int) -> Expression:
    here = cardinal(hour)
    if not minute:
        return [(here, "uur"), here, *(["middernacht"] if hour in (0, 24) else [])]
    minutes: Expression = cardinal(minute)
    if minute < 10:
        minutes = [([None, "nul"], minutes)]
    near, following = _twelve(hour), _twelve(hour + 1)
    options: list[Expression] = [(here, "uur", minutes), (here, minutes, [None, "uur"])]
    if minute == 30:
        options.append(("half", following, [None, "uur"]))
    elif minute == 15:
        options.append(("kwart over", near))
    elif minute == 45:
        options.append(("kwart voor", following))
    elif 15 < minute < 30:
        options.append((cardinal(30 - minute), "voor half", following))
    elif 30 < minute < 45:
        options.append((cardinal(minute - 30), "over half", following))
    if minute < 30:
        options.append((cardinal(minute), [None, "minuten"], "over", near))
    elif minute > 30:
        options.append((cardinal(60 - minute), [None, "minuten"], "voor", following))
    return options


def _twelve(hour: int) -> Expression:
    return cardinal((hour - 1) % 12 + 1)


def _fraction(n: int, d: int) -> Expression:
    count = cardinal(n)
    if d == 2:
        return ["een half", "een halve", "half", "halve"] if n == 1 else None
    if d == 4:
        return (count, ["kwart", "vierde"])
    return [(count, ordinal(d)), (count, ["op", "gedeeld door"], cardinal(d))]


def _half(n: int) -> Expression:
    return [
        Compound((*parts, link, "half"))
        for parts in _parts(n)
        for link in ("een", "en een", "ën een", "ëneen")
    ]


GRAMMAR = Grammar(
    code="nl",
    cardinal=cardinal,
    ordinal=ordinal,
    digits=["nul", ["een", "één"], *_ONES[2:10]],
    decimal=",",
    groups=". ",
    point=["komma", "punt"],
    minus=["min", "minus"],
    plus="plus",
    percent="procent",
    clashes=lambda a, b: a < 10 and b == 10,
    repeats={2: "dubbel"},
    clock=_clock,
    clock_words="uur",
    currencies={
        "€": (["euro", "euro's"], ["cent", "cents"]),
        "$": (["dollar", "dollars"], ["cent", "cents"]),
        "£": (["pond", "ponden"], ["pence", "penny"]),
        "¥": ("yen", None),
        "₹": (["roepie", "roepies"], None),
    },
    and_minor="en",
    units={
        "°c": ("graden", [None, "celsius"]),
        "°f": ("graden", [None, "fahrenheit"]),
        "°": ["graden", "graad"],
        "km/h": ["kilometer per uur", "k m per uur"],
        "km/u": ["kilometer per uur", "k m per uur"],
        "km": ["kilometer", "kilometers"],
        "cm": ["centimeter", "centimeters"],
        "mm": ["millimeter", "millimeters"],
        "m": ["meter", "meters"],
        "m²": ["vierkante meter", "vierkante meters"],
        "m³": ["kubieke meter", "kuub"],
        "kg": ["kilo", "kilogram", "kilo's"],
        "mg": "milligram",
        "g": "gram",
        "ml": "milliliter",
        "l": ["liter", "liters"],
        "ms": ["milliseconden", "milliseconde"],
        "min": ["minuten", "minuut"],
        "h": ["uur", "uren"],
        "hz": "hertz",
        "khz": "kilohertz",
        "mhz": "megahertz",
        "ghz": "gigahertz",
        "kb": "kilobyte",
        "mb": "megabyte",
        "gb": "gigabyte",
        "tb": "terabyte",
        "w": "watt",
        "kw": "kilowatt",
        "kwh": ["kilowattuur", "kilowatt uur"],
    },
    symbols={
        "%": "procent",
        "&": "en",
        "@": ["at", "apenstaartje"],
        "+": ["plus", "en"],
        "=": ["is", "is gelijk aan", "gelijk aan"],
        "<": ["kleiner dan", "is kleiner dan"],
        ">": ["groter dan", "is groter dan"],
        "×": ["keer", "maal"],
        "÷": ["gedeeld door"],
        "#": ["nummer", "hekje", "hashtag"],
        "№": "nummer",
        "§": "paragraaf",
        "°": "graden",
    },
    to=["tot", "min", "streepje", "à"],
    months=[
        "januari",
        "februari",
        "maart",
        "april",
        "mei",
        "juni",
        "juli",
        "augustus",
        "september",
        "oktober",
        "november",
        "december",
    ],
    ordinal_mark="ste|de|e",
    date=lambda day, month, year: (day, month, year),
    fraction=_fraction,
    half=_half,
    scales={
        "mln": (10**6, "miljoen"),
        "mld": (10**9, "miljard"),
        "duizend": (10**3, "duizend"),
        "miljoen": (10**6, "miljoen"),
        "miljard": (10**9, "miljard"),
    },
    more_words="honderd duizend miljoen miljard min",
    ambiguous="een en min één",
)
