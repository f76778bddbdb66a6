"""Spanish numbers, in both genders."""

from __future__ import annotations

from evals.measures.text.scoring.lattices.lattice import Expression
from evals.measures.text.scoring.numbers.grammar import Grammar

_ONES: list[Expression] = [
    "cero",
    ["uno", "un", "una"],
    "dos",
    "tres",
    "cuatro",
    "cinco",
    "seis",
    "siete",
    "ocho",
    "nueve",
    "diez",
    "once",
    "doce",
    "trece",
    "catorce",
    "quince",
    ["dieciséis", "dieciseis", "diez y seis"],
    ["diecisiete", "diez y siete"],
    ["dieciocho", "diez y ocho"],
    ["diecinueve", "diez y nueve"],
    "veinte",
    ["veintiuno", "veintiún", "veintiun", "veintiuna", "veinte y uno"],
    ["veintidós", "veintidos", "veinte y dos"],
    ["veintitrés", "veintitres", "veinte y tres"],
    ["veinticuatro", "veinte y cuatro"],
    ["veinticinco", "veinte y cinco"],
    ["veintiséis", "veintiseis", "veinte y seis"],
    ["veintisiete", "veinte y siete"],
    ["veintiocho", "veinte y ocho"],
    ["veintinueve", "veinte y nueve"],
]
_TENS = [
    "-",
    "-",
    "-",
    "treinta",
    "cuarenta",
    "cincuenta",
    "sesenta",
    "setenta",
    "ochenta",
    "noventa",
]
_HUNDREDS = [
    "-",
    "-",
    "doscient",
    "trescient",
    "cuatrocient",
    "quinient",
    "seiscient",
    "setecient",
    "ochocient",
    "novecient",
]
_ORDINALS = [
    "-",
    "primer",
    "segund",
    "tercer",
    "cuart",
    "quint",
    "sext",
    "séptim",
    "octav",
    "noven",
    "décim",
    "undécim",
    "duodécim",
]
_TENTHS = [
    "-",
    "décim",
    "vigésim",
    "trigésim",
    "cuadragésim",
    "quincuagésim",
    "sexagésim",
    "septuagésim",
    "octogésim",
    "nonagésim",
]


def cardinal(n: int) -> Expression:
    if n < 30:
        return _ONES[n]
    if n < 100:
        tens, one = divmod(n, 10)
        return (_TENS[tens], "y", _ONES[one]) if one else _TENS[tens]
    if n < 1000:
        many, rest = divmod(n, 100)
        if many == 1:
            return ("ciento", cardinal(rest)) if rest else ["cien", "ciento"]
        return ([_HUNDREDS[many] + "os", _HUNDREDS[many] + "as"], cardinal(rest) if rest else None)
    if n < 10**6:
        many, rest = divmod(n, 1000)
        head: Expression = "mil" if many == 1 else (cardinal(many), "mil")
        return (head, cardinal(rest) if rest else None)
    many, rest = divmod(n, 10**6)
    if many < 10**6:
        names: Expression = ["millón", "millon"] if many == 1 else "millones"
        options: list[Expression] = [(cardinal(many), names, cardinal(rest) if rest else None)]
        if rest and rest % 10**5 == 0:
            options.append((cardinal(many), ["coma", "punto"], cardinal(rest // 10**5), "millones"))
        return options
    many, rest = divmod(n, 10**12)
    return (
        cardinal(many),
        ["billón"] if many == 1 else "billones",
        cardinal(rest) if rest else None,
    )


def ordinal(n: int) -> Expression:
    if n in (1, 3):
        stem = _ORDINALS[n]
        return [stem + "o", stem, stem + "a", stem + "os", stem + "as"]
    if 0 < n < len(_ORDINALS):
        # Above ten these are one of several ways.
        if n > 10:
            return [
                *(_ORDINALS[n] + end for end in ("o", "a", "os", "as")),
                (["décimo", "décima"], [_ORDINALS[n - 10] + end for end in ("o", "a")]),
                *("decimo" + _ORDINALS[n - 10] + end for end in ("o", "a", "")),
                cardinal(n),
            ]
        return [_ORDINALS[n] + end for end in ("o", "a", "os", "as")]
    if not n < 100:
        return cardinal(n)
    tens, one = divmod(n, 10)
    stem = _TENTHS[tens]
    if not one:
        return [*(stem + end for end in ("o", "a", "os", "as")), cardinal(n)]
    last: Expression = [_ORDINALS[one] + end for end in ("o", "a")]
    joined: list[Expression] = [_plain(stem) + "o" + _ORDINALS[one] + end for end in ("o", "a", "")]
    return [([stem + "o", stem + "a"], last), *joined, cardinal(n)]


def _plain(stem: str) -> str:
    """A stem without its accent, which is lost in the middle of a word."""
    return stem.replace("é", "e")


def _clock(hour: int, minute: int) -> Expression:
    hours = _hours(hour)
    full: Expression = [hours, (hours, ["horas", "hora"])]
    if not minute:
        extra: list[Expression] = (
            ["mediodía"] if hour == 12 else ["medianoche"] if hour in (0, 24) else []
        )
        return [full, (hours, "en punto"), *extra]
    minutes: Expression = cardinal(minute)
    if minute < 10:
        minutes = [([None, "cero"], minutes)]
    near, following = _hours((hour - 1) % 12 + 1), _hours(hour % 12 + 1)
    options: list[Expression] = [(full, [None, "y", "con"], minutes, [None, "minutos"])]
    if minute == 30:
        options.append((near, "y media"))
    elif minute == 15:
        options.append((near, ["y cuarto", "y quince"]))
    elif minute == 45:
        options.append((following, "menos cuarto"))
    if minute < 30:
        options.append((near, "y", cardinal(minute)))
    elif minute > 30:
        options.append((following, "menos", cardinal(60 - minute)))
    return options


def _hours(hour: int) -> Expression:
    return ["una", "uno"] if hour == 1 else cardinal(hour)


def _fraction(n: int, d: int) -> Expression:
    count = cardinal(n)
    if d == 2:
        return [(count, ["medio", "media", "medios"]), *(["medio", "media"] if n == 1 else [])]
    if d == 3:
        return (count, ["tercio", "tercios"])
    options: list[Expression] = [(count, ["sobre", "entre", "de"], cardinal(d))]
    if d < 11:
        options.insert(0, (count, [_ORDINALS[d] + "o", _ORDINALS[d] + "os"]))
    return options


GRAMMAR = Grammar(
    code="es",
    cardinal=cardinal,
    ordinal=ordinal,
    digits=_ONES[:10],
    decimal=",",
    groups=". ",
    point=["coma", "punto"],
    minus="menos",
    plus="más",
    percent=["por ciento", "porciento"],
    repeats={2: "doble", 3: "triple"},
    clock=_clock,
    clock_words="h|hrs|horas",
    currencies={
        "€": (["euros", "euro"], ["céntimos", "céntimo", "centavos"]),
        "$": (["dólares", "dólar", "pesos", "peso"], ["centavos", "centavo"]),
        "£": (["libras", "libra"], ["peniques", "penique"]),
        "¥": (["yenes", "yen"], None),
        "₹": (["rupias", "rupia"], None),
    },
    and_minor=["con", "y"],
    units={
        "°c": (["grados", "grado"], [None, "celsius", "centígrados"]),
        "°f": ("grados", [None, "fahrenheit"]),
        "°": ["grados", "grado"],
        "km/h": ["kilómetros por hora", "kilómetros hora"],
        "km": ["kilómetros", "kilómetro"],
        "cm": ["centímetros", "centímetro"],
        "mm": ["milímetros", "milímetro"],
        "m": ["metros", "metro"],
        "m²": ["metros cuadrados", "metro cuadrado"],
        "m³": ["metros cúbicos", "metro cúbico"],
        "kg": ["kilos", "kilo", "kilogramos", "kilogramo"],
        "mg": ["miligramos", "miligramo"],
        "g": ["gramos", "gramo"],
        "ml": ["mililitros", "mililitro"],
        "l": ["litros", "litro"],
        "ms": ["milisegundos", "milisegundo"],
        "min": ["minutos", "minuto"],
        "h": ["horas", "hora"],
        "hz": ["hercios", "hertz"],
        "mhz": "megahercios",
        "ghz": "gigahercios",
        "mb": ["megabytes", "megabyte", "megas"],
        "gb": ["gigabytes", "gigabyte", "gigas"],
        "w": ["vatios", "watts"],
        "kw": ["kilovatios", "kilovatio"],
    },
    symbols={
        "%": "por ciento",
        "&": "y",
        "@": ["arroba"],
        "+": ["más", "y"],
        "=": ["igual a", "es igual a", "igual", "son"],
        "<": ["menor que", "es menor que"],
        ">": ["mayor que", "es mayor que"],
        "×": ["por"],
        "÷": ["entre", "dividido por", "dividido entre"],
        "#": ["número", "almohadilla", "numeral"],
        "№": "número",
        "§": "párrafo",
        "°": "grados",
    },
    to=["a", "al", "menos", "guion", "guión"],
    months=[
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
    ordinal_mark=r"\.?[ºª°]|er|ro|ra|do|da|to|ta",
    first_day=["primero"],
    date=lambda day, month, year: (
        [None, "el"],
        day,
        [None, "de"],
        month,
        [None, "de", "del"],
        year,
    ),
    fraction=_fraction,
    scales={
        "mil": (10**3, "mil"),
        "millón": (10**6, "millón"),
        "millones": (10**6, "millones"),
    },
    more_words="cien ciento mil millón millones menos",
    ambiguous="uno un una y a menos segundo segundos segunda media cuarto cuarta",
)
