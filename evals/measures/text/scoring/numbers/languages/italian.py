"""Italian numbers: one word up to a million, which some write apart."""

from __future__ import annotations

from evals.measures.text.scoring.lattices.lattice import Compound, Expression
from evals.measures.text.scoring.numbers.grammar import Grammar

_ONES = [
    "zero",
    "uno",
    "due",
    "tre",
    "quattro",
    "cinque",
    "sei",
    "sette",
    "otto",
    "nove",
    "dieci",
    "undici",
    "dodici",
    "tredici",
    "quattordici",
    "quindici",
    "sedici",
    "diciassette",
    "diciotto",
    "diciannove",
]
_TENS = [
    "-",
    "-",
    "venti",
    "trenta",
    "quaranta",
    "cinquanta",
    "sessanta",
    "settanta",
    "ottanta",
    "novanta",
]
_SCALES = (
    (10**12, "bilione", "bilioni"),
    (10**9, "miliardo", "miliardi"),
    (10**6, "milione", "milioni"),
)
_ORDINALS = [
    "-",
    "prim",
    "second",
    "terz",
    "quart",
    "quint",
    "sest",
    "settim",
    "ottav",
    "non",
    "decim",
]


def _parts(n: int) -> list[tuple[str, ...]]:
    """The parts of a number below a million, in each spelling."""
    if n < 20:
        return [(_ONES[n],)]
    if n < 100:
        tens, one = divmod(n, 10)
        if one in (1, 8):
            stem = _TENS[tens][:-1] + _ONES[one]
            return [(stem,), (stem[:-1],)] if one == 1 else [(stem,)]
        if one == 3:
            return [(_TENS[tens] + "tré",), (_TENS[tens], "tre")]
        return [(_TENS[tens], _ONES[one]) if one else (_TENS[tens],)]
    if n < 1000:
        many, rest = divmod(n, 100)
        head = ("cento",) if many == 1 else (_ONES[many], "cento")
        if not rest:
            return [head]
        found = [(*head, *part) for part in _parts(rest)]
        if rest == 3:
            found.append((*head, "tré"))
        if rest == 8 or 80 <= rest < 90:
            found += [(*head[:-1], "cent" + part[0], *part[1:]) for part in _parts(rest)]
        return found
    many, rest = divmod(n, 1000)
    heads = [("mille",)] if many == 1 else [(*part, "mila") for part in _parts(many)]
    rests = _parts(rest) if rest else [()]
    return [(*head, *part) for head in heads for part in rests]


def cardinal(n: int) -> Expression:
    if n == 1:
        return ["uno", "un", "una"]
    if n < 10**6:
        return [Compound(parts) for parts in _parts(n)]
    for size, one, more in _SCALES:
        if n >= size:
            many, rest = divmod(n, size)
            head: Expression = ("un", one) if many == 1 else (cardinal(many), more)
            options: list[Expression] = [
                (head, [None, "e"] if rest else None, cardinal(rest) if rest else None)
            ]
            if rest and rest * 10 % size == 0:
                options.append(
                    (cardinal(many), ["virgola", "punto"], cardinal(rest * 10 // size), more)
                )
            return options
    raise ValueError(n)


def ordinal(n: int) -> Expression:
    if not 0 < n < 10**6:
        return None
    if n <= 10:
        stems: list[tuple[str, ...]] = [(_ORDINALS[n],)]
    else:
        stems = []
        for parts in _parts(n):
            last = parts[-1]
            if last.endswith("un") or last.endswith("tré"):
                continue
            stem = last if last in ("tre", "sei") and n > 20 else last[:-1]
            stems.append((*parts[:-1], stem + "esim"))
    return [Compound((*stem[:-1], stem[-1] + end)) for stem in stems for end in "oaie"]


def _clock(hour: int, minute: int) -> Expression:
    hours: Expression = ["una", "uno"] if hour == 1 else cardinal(hour)
    full: Expression = [hours, ("ore", hours)]
    if not minute:
        extra: list[Expression] = (
            ["mezzogiorno"] if hour == 12 else ["mezzanotte"] if hour in (0, 24) else []
        )
        return [full, (full, "in punto"), *extra]
    minutes: Expression = cardinal(minute)
    if minute < 10:
        minutes = [([None, "zero"], minutes)]
    near, following = _hours((hour - 1) % 12 + 1), _hours(hour % 12 + 1)
    options: list[Expression] = [(full, [None, "e"], minutes, [None, "minuti"])]
    if minute == 30:
        options.append(([near, hours], ["e mezza", "e mezzo"]))
    elif minute == 15:
        options.append(([near, hours], ["e un quarto", "e quarto"]))
    elif minute == 45:
        options += [(following, ["meno un quarto", "meno quarto"]), (near, "e tre quarti")]
    if minute < 30:
        options.append((near, "e", cardinal(minute)))
    elif minute > 30:
        options.append((following, "meno", cardinal(60 - minute)))
    return options


def _hours(hour: int) -> Expression:
    return ["una", "uno"] if hour == 1 else cardinal(hour)


def _fraction(n: int, d: int) -> Expression:
    count = cardinal(n)
    if d == 2:
        return [(count, ["mezzo", "mezza", "mezzi"]), *(["mezzo", "mezza"] if n == 1 else [])]
    return [(count, ordinal(d)), (count, ["su", "fratto"], cardinal(d))]


GRAMMAR = Grammar(
    code="it",
    cardinal=cardinal,
    ordinal=ordinal,
    digits=["zero", ["uno", "una", "un"], *_ONES[2:10]],
    decimal=",",
    groups=".' ",
    point=["virgola", "punto"],
    minus="meno",
    plus="più",
    percent=["per cento", "percento"],
    clashes=lambda a, b: 2 <= a < 10 and b == 100,
    repeats={2: "doppio"},
    clock=_clock,
    currencies={
        "€": (["euro", "euri"], ["centesimi", "centesimo", "cent"]),
        "$": (["dollari", "dollaro"], ["centesimi", "centesimo", "cent"]),
        "£": (["sterline", "sterlina"], ["penny", "pence"]),
        "¥": ("yen", None),
        "₹": (["rupie", "rupia"], None),
    },
    and_minor="e",
    units={
        "°c": (["gradi", "grado"], [None, "celsius", "centigradi"]),
        "°f": ("gradi", [None, "fahrenheit"]),
        "°": ["gradi", "grado"],
        "km/h": ["chilometri orari", "chilometri all'ora", "chilometri l'ora"],
        "km": ["chilometri", "chilometro"],
        "cm": ["centimetri", "centimetro"],
        "mm": ["millimetri", "millimetro"],
        "m": ["metri", "metro"],
        "m²": ["metri quadrati", "metri quadri", "metro quadrato"],
        "m³": ["metri cubi", "metro cubo"],
        "kg": ["chili", "chilo", "chilogrammi", "chilogrammo"],
        "mg": ["milligrammi", "milligrammo"],
        "g": ["grammi", "grammo"],
        "ml": ["millilitri", "millilitro"],
        "l": ["litri", "litro"],
        "ms": ["millisecondi", "millisecondo"],
        "min": ["minuti", "minuto"],
        "h": ["ore", "ora"],
        "hz": "hertz",
        "mhz": "megahertz",
        "ghz": "gigahertz",
        "mb": ["megabyte", "mega"],
        "gb": ["gigabyte", "giga"],
        "w": "watt",
        "kw": "chilowatt",
    },
    symbols={
        "%": ["per cento", "percento"],
        "&": "e",
        "@": ["chiocciola", "at"],
        "+": ["più", "e"],
        "=": ["uguale", "è uguale a", "uguale a", "fa"],
        "<": ["minore di", "è minore di"],
        ">": ["maggiore di", "è maggiore di"],
        "×": ["per"],
        "÷": ["diviso"],
        "#": ["numero", "cancelletto", "hashtag"],
        "№": "numero",
        "§": "paragrafo",
        "°": "gradi",
    },
    to=["a", "meno", "trattino"],
    months=[
        "gennaio",
        "febbraio",
        "marzo",
        "aprile",
        "maggio",
        "giugno",
        "luglio",
        "agosto",
        "settembre",
        "ottobre",
        "novembre",
        "dicembre",
    ],
    ordinal_mark="[ºª°]",
    first_day=["primo"],
    date=lambda day, month, year: ([None, "il"], day, month, [None, "del"], year),
    fraction=_fraction,
    scales={
        "mila": (10**3, "mila"),
        "milione": (10**6, "milione"),
        "milioni": (10**6, "milioni"),
        "miliardo": (10**9, "miliardo"),
        "miliardi": (10**9, "miliardi"),
    },
    more_words="cento mille mila milione milioni miliardo miliardi meno",
    ambiguous="uno un una e meno secondo seconda prima secondi sei",
)
