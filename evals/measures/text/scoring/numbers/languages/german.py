"""German numbers: one word up to a million, which some write apart."""

from __future__ import annotations

from evals.measures.text.scoring.lattices.lattice import Compound, Expression
from evals.measures.text.scoring.numbers.grammar import Grammar

_ONES = [
    "null",
    "ein",
    "zwei",
    "drei",
    "vier",
    "fünf",
    "sechs",
    "sieben",
    "acht",
    "neun",
    "zehn",
    "elf",
    "zwölf",
    "dreizehn",
    "vierzehn",
    "fünfzehn",
    "sechzehn",
    "siebzehn",
    "achtzehn",
    "neunzehn",
]
_TENS = [
    "-",
    "-",
    "zwanzig",
    "dreißig",
    "vierzig",
    "fünfzig",
    "sechzig",
    "siebzig",
    "achtzig",
    "neunzig",
]
_ONE = ["eins", "ein", "eine", "einen", "einem", "einer"]
_SCALES = (
    (10**12, "billion", "billionen"),
    (10**9, "milliarde", "milliarden"),
    (10**6, "million", "millionen"),
)
_STEMS = {"ein": "erst", "eins": "erst", "drei": "dritt", "sieben": "siebt", "acht": "acht"}


def _parts(n: int) -> list[tuple[str, ...]]:
    """The parts of a number below a million, in each way of saying it; one as "ein"."""
    if n < 20:
        return [(_ONES[n],)]
    if n < 100:
        tens, one = divmod(n, 10)
        return [(_ONES[one], "und", _TENS[tens]) if one else (_TENS[tens],)]
    if n < 1000:
        return _with(n, 100, "hundert")
    found = _with(n, 1000, "tausend")
    if 1100 <= n < 10_000 and n // 100 % 10:
        found += _with(n, 100, "hundert")
    return found


def _with(n: int, size: int, name: str) -> list[tuple[str, ...]]:
    many, rest = divmod(n, size)
    heads = [(*part, name) for part in _parts(many)]
    if many == 1:
        heads.append((name,))
    if not rest:
        return heads
    rests = _parts(rest)
    if rest < 100:
        rests += [("und", *part) for part in rests]
    return [(*head, *part) for head in heads for part in rests]


def cardinal(n: int) -> Expression:
    if n == 1:
        return [*_ONE]
    if n < 10**6:
        return [Compound(_ending(parts)) for parts in _parts(n)]
    for size, one, more in _SCALES:
        if n >= size:
            many, rest = divmod(n, size)
            head: Expression = ("eine", one) if many == 1 else (cardinal(many), more)
            options: list[Expression] = [(head, cardinal(rest) if rest else None)]
            if rest and rest * 10 % size == 0:
                options.append((cardinal(many), "komma", cardinal(rest * 10 // size), more))
            return options
    raise ValueError(n)


def _ending(parts: tuple[str, ...]) -> tuple[str, ...]:
    return (*parts[:-1], "eins") if parts[-1] == "ein" else parts


def ordinal(n: int) -> Expression:
    if not 0 < n < 10**6:
        return None
    found: list[Expression] = []
    for parts in _parts(n):
        last = parts[-1]
        small = last in _ONES
        stem = _STEMS.get(last, last + ("t" if small else "st"))
        found += [Compound((*parts[:-1], stem + end)) for end in ("e", "er", "en", "es", "em")]
    return found


def _clock(hour: int, minute: int) -> Expression:
    here: Expression = ["ein", "eins"] if hour == 1 else cardinal(hour)
    if not minute:
        return [
            (here, "uhr"),
            (here, "uhr", "null"),
            here,
            *(["mitternacht"] if hour in (0, 24) else []),
        ]
    minutes: Expression = cardinal(minute)
    if minute < 10:
        minutes = [([None, "null"], minutes)]
    near, following = _twelve(hour), _twelve(hour + 1)
    options: list[Expression] = [
        (here, "uhr", minutes, [None, "minuten"]),
        (here, minutes, [None, "uhr"]),
    ]
    if minute == 30:
        options.append(("halb", following, [None, "uhr"]))
    elif minute == 15:
        options += [(["viertel nach", "viertel über"], near), ("viertel", following)]
    elif minute == 45:
        options += [("viertel vor", following), (["dreiviertel", "drei viertel"], following)]
    elif 20 <= minute < 30:
        options.append((cardinal(30 - minute), "vor halb", following))
    elif 30 < minute <= 40:
        options.append((cardinal(minute - 30), "nach halb", following))
    if minute < 30:
        options.append((cardinal(minute), [None, "minuten"], "nach", near))
    elif minute > 30:
        options.append((cardinal(60 - minute), [None, "minuten"], "vor", following))
    return options


def _twelve(hour: int) -> Expression:
    return cardinal((hour - 1) % 12 + 1)


def _fraction(n: int, d: int) -> Expression:
    if d == 2:
        return ["ein halb", "einhalb", "halb", "eine hälfte", "ein halbes"] if n == 1 else None
    if not 2 < d < 20 and d not in (20, 100, 1000):
        return (cardinal(n), "durch", cardinal(d))
    last = _ONES[d] if d < 20 else {20: "zwanzig", 100: "hundert", 1000: "tausend"}[d]
    stem = {"drei": "dritt", "sieben": "siebt", "acht": "acht"}.get(
        last, last + ("t" if d < 20 else "st")
    )
    count: Expression = ["ein", "eine"] if n == 1 else cardinal(n)
    return [(count, stem + "el"), (cardinal(n), ["durch", "zu"], cardinal(d))]


def _half(n: int) -> Expression:
    """Two and a half in one word."""
    return [Compound((*parts, "ein", "halb")) for parts in _parts(n)]


def _decade(n: int) -> Expression:
    if n < 20 or n % 10:
        return None
    return [Compound((*parts, "er")) for parts in _parts(n)]


def _date(day: Expression, month: Expression, year: Expression) -> Expression:
    return ([None, "der", "den", "dem"], day, month, year)


GRAMMAR = Grammar(
    code="de",
    cardinal=cardinal,
    ordinal=ordinal,
    digits=["null", "eins", ["zwei", "zwo"], *_ONES[3:10]],
    decimal=",",
    groups=".' ",
    point=["komma", "punkt"],
    minus="minus",
    plus="plus",
    percent=["prozent", "vom hundert"],
    clashes=lambda a, b: a < 10 and b == 10,
    repeats={2: "doppel", 3: "dreimal"},
    clock=_clock,
    clock_words="uhr",
    currencies={
        "€": (["euro", "euros"], ["cent", "cents"]),
        "$": (["dollar", "dollars"], ["cent", "cents"]),
        "£": (["pfund", "britische pfund"], ["pence", "penny"]),
        "¥": ("yen", None),
        "₹": (["rupien", "rupie"], ["paise"]),
        "¢": (["cent"], None),
        "CHF": (["franken", "schweizer franken"], ["rappen"]),
    },
    and_minor="und",
    units={
        "°c": (["grad"], [None, "celsius"]),
        "°f": ("grad", [None, "fahrenheit"]),
        "°": "grad",
        "km/h": [
            "kilometer pro stunde",
            "stundenkilometer",
            "kilometer die stunde",
            "km h",
            "k m h",
        ],
        "m/s": "meter pro sekunde",
        "km": ["kilometer", "kilometern"],
        "cm": ["zentimeter", "zentimetern"],
        "mm": ["millimeter", "millimetern"],
        "m": ["meter", "metern"],
        "m²": ["quadratmeter", "quadratmetern"],
        "km²": ["quadratkilometer", "quadratkilometern"],
        "m³": ["kubikmeter", "kubikmetern"],
        "kg": ["kilogramm", "kilo"],
        "mg": "milligramm",
        "g": "gramm",
        "ml": "milliliter",
        "l": ["liter", "litern"],
        "ms": ["millisekunden", "millisekunde"],
        "min": ["minuten", "minute"],
        "std": ["stunden", "stunde"],
        "h": ["stunden", "stunde", "uhr"],
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
        "kwh": ["kilowattstunden", "kilowattstunde"],
    },
    symbols={
        "%": "prozent",
        "&": "und",
        "@": ["at", "ätt"],
        "+": ["plus", "und"],
        "=": ["gleich", "ist gleich", "ist"],
        "<": ["kleiner als", "ist kleiner als", "kleiner"],
        ">": ["größer als", "ist größer als", "größer"],
        "×": ["mal"],
        "÷": ["durch", "geteilt durch"],
        "#": ["nummer", "raute", "hashtag"],
        "№": "nummer",
        "§": ["paragraph", "paragraf"],
        "°": "grad",
    },
    to=["bis", "minus", "zu", "strich"],
    months=[
        "januar",
        "februar",
        "märz",
        "april",
        "mai",
        "juni",
        "juli",
        "august",
        "september",
        "oktober",
        "november",
        "dezember",
    ],
    ordinal_days=True,
    ordinal_dot=True,
    date=_date,
    fraction=_fraction,
    half=_half,
    scales={
        "mio": (10**6, ["millionen", "million"]),
        "mio.": (10**6, ["millionen", "million"]),
        "mrd": (10**9, ["milliarden", "milliarde"]),
        "mrd.": (10**9, ["milliarden", "milliarde"]),
        "tausend": (10**3, "tausend"),
        "million": (10**6, "million"),
        "millionen": (10**6, "millionen"),
        "milliarde": (10**9, "milliarde"),
        "milliarden": (10**9, "milliarden"),
    },
    decades=_decade,
    decade_mark="er",
    more_words="zwo hundert tausend million millionen milliarde milliarden minus",
    ambiguous="ein eine einen einem einer und acht",
)
