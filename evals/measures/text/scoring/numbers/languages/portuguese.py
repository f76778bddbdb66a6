"""Portuguese numbers, of Brazil and Portugal, in both genders."""

from __future__ import annotations

from evals.measures.text.scoring.lattices.lattice import Expression
from evals.measures.text.scoring.numbers.grammar import Grammar

_ONES: list[Expression] = [
    "zero",
    ["um", "uma"],
    ["dois", "duas"],
    "três",
    "quatro",
    "cinco",
    "seis",
    "sete",
    "oito",
    "nove",
    "dez",
    "onze",
    "doze",
    "treze",
    ["catorze", "quatorze"],
    "quinze",
    ["dezesseis", "dezasseis"],
    ["dezessete", "dezassete"],
    "dezoito",
    ["dezenove", "dezanove"],
]
_TENS = [
    "-",
    "-",
    "vinte",
    "trinta",
    "quarenta",
    "cinquenta",
    "sessenta",
    "setenta",
    "oitenta",
    "noventa",
]
_HUNDREDS = [
    "-",
    "-",
    "duzent",
    "trezent",
    "quatrocent",
    "quinhent",
    "seiscent",
    "setecent",
    "oitocent",
    "novecent",
]
_ORDINALS = [
    "-",
    "primeir",
    "segund",
    "terceir",
    "quart",
    "quint",
    "sext",
    "sétim",
    "oitav",
    "non",
    "décim",
]
_TENTHS = [
    "-",
    "décim",
    "vigésim",
    "trigésim",
    "quadragésim",
    "quinquagésim",
    "sexagésim",
    "septuagésim",
    "octogésim",
    "nonagésim",
]
_SCALES = (
    (10**12, ["trilhão", "bilião"], ["trilhões", "biliões"]),
    (10**9, ["bilhão", "mil milhões"], ["bilhões", "mil milhões"]),
    (10**6, ["milhão"], ["milhões"]),
)
_AND: Expression = ["e", None]


def cardinal(n: int) -> Expression:
    if n < 20:
        return _ONES[n]
    if n < 100:
        tens, one = divmod(n, 10)
        return (_TENS[tens], "e", _ONES[one]) if one else _TENS[tens]
    if n < 1000:
        many, rest = divmod(n, 100)
        if many == 1:
            return ("cento", "e", cardinal(rest)) if rest else ["cem", "cento"]
        head: Expression = [_HUNDREDS[many] + "os", _HUNDREDS[many] + "as"]
        return (head, "e", cardinal(rest)) if rest else head
    if n < 10**6:
        many, rest = divmod(n, 1000)
        head = [("um", "mil"), "mil"] if many == 1 else (cardinal(many), "mil")
        return (head, _AND, cardinal(rest)) if rest else head
    for size, one_name, more in _SCALES:
        if n >= size:
            many, rest = divmod(n, size)
            names: Expression = [*(one_name if many == 1 else more)]
            tail: Expression = (_AND, cardinal(rest)) if rest else None
            options: list[Expression] = [(cardinal(many), names, tail)]
            if rest and rest * 10 % size == 0:
                plural: Expression = [*one_name, *more]
                options.append(
                    (cardinal(many), ["vírgula", "ponto"], cardinal(rest * 10 // size), plural)
                )
            return options
    raise ValueError(n)


def ordinal(n: int) -> Expression:
    if not 0 < n < 100:
        return None
    tens, one = divmod(n, 10)
    if n <= 10:
        return [_ORDINALS[n] + end for end in ("o", "a", "os", "as")]
    head = [_TENTHS[tens] + end for end in ("o", "a")]
    if not one:
        return [*head]
    return ([*head], [_ORDINALS[one] + end for end in ("o", "a")])


def _clock(hour: int, minute: int) -> Expression:
    hours: Expression = ["uma", "um"] if hour == 1 else cardinal(hour)
    full: Expression = [hours, (hours, ["horas", "hora"])]
    if not minute:
        extra: list[Expression] = (
            ["meio dia"] if hour == 12 else ["meia noite"] if hour in (0, 24) else []
        )
        return [full, (full, "em ponto"), *extra]
    minutes: Expression = cardinal(minute)
    if minute < 10:
        minutes = [([None, "zero"], minutes)]
    near, following = _hours((hour - 1) % 12 + 1), _hours(hour % 12 + 1)
    options: list[Expression] = [(full, [None, "e"], minutes, [None, "minutos"])]
    if minute == 30:
        options.append(([near, hours], "e meia"))
        if hour == 12:
            options.append("meio dia e meia")
    elif minute == 15:
        options.append(([near, hours], "e um quarto"))
    if minute > 30:
        options.append((cardinal(60 - minute), ["para as", "para a", "para"], following))
        options.append(
            (
                following,
                "menos",
                [cardinal(60 - minute), "um quarto"] if minute == 45 else cardinal(60 - minute),
            )
        )
    return options


def _hours(hour: int) -> Expression:
    return ["uma", "um"] if hour == 1 else cardinal(hour)


def _fraction(n: int, d: int) -> Expression:
    count = cardinal(n)
    if d == 2:
        return [(count, ["meio", "meia", "meios"]), *(["meio", "meia", "metade"] if n == 1 else [])]
    if d == 3:
        return (count, ["terço", "terços"])
    options: list[Expression] = [
        (count, ["sobre", "por", "de"], cardinal(d)),
        (count, cardinal(d), ["avos", "avo"]),
    ]
    if d <= 10:
        options.insert(0, (count, [_ORDINALS[d] + "o", _ORDINALS[d] + "os"]))
    return options


GRAMMAR = Grammar(
    code="pt",
    cardinal=cardinal,
    ordinal=ordinal,
    digits=[*_ONES[:6], ["seis", "meia"], *_ONES[7:10]],
    decimal=",",
    groups=". ",
    point=["vírgula", "ponto"],
    minus=["menos"],
    plus="mais",
    percent=["por cento", "porcento"],
    repeats={2: "duplo", 3: "triplo"},
    clock=_clock,
    clock_words="h|horas",
    currencies={
        "€": (["euros", "euro"], ["cêntimos", "cêntimo", "centavos"]),
        "R$": (["reais", "real"], ["centavos", "centavo"]),
        "$": (["dólares", "dólar"], ["centavos", "centavo", "cêntimos"]),
        "£": (["libras", "libra"], ["pence", "pêni"]),
        "¥": (["ienes", "iene"], None),
        "₹": (["rupias", "rupia"], None),
    },
    and_minor=["e", "com"],
    units={
        "°c": (["graus", "grau"], [None, "celsius", "centígrados"]),
        "°f": ("graus", [None, "fahrenheit"]),
        "°": ["graus", "grau"],
        "km/h": ["quilômetros por hora", "quilómetros por hora"],
        "km": ["quilômetros", "quilômetro", "quilómetros", "quilómetro"],
        "cm": ["centímetros", "centímetro"],
        "mm": ["milímetros", "milímetro"],
        "m": ["metros", "metro"],
        "m²": ["metros quadrados", "metro quadrado"],
        "m³": ["metros cúbicos", "metro cúbico"],
        "kg": ["quilos", "quilo", "quilogramas", "quilograma"],
        "mg": ["miligramas", "miligrama"],
        "g": ["gramas", "grama"],
        "ml": ["mililitros", "mililitro"],
        "l": ["litros", "litro"],
        "ms": ["milissegundos", "milissegundo"],
        "min": ["minutos", "minuto"],
        "h": ["horas", "hora"],
        "hz": "hertz",
        "mhz": "megahertz",
        "ghz": "gigahertz",
        "mb": ["megabytes", "megabyte", "megas"],
        "gb": ["gigabytes", "gigabyte", "gigas"],
        "w": ["watts", "watt"],
        "kw": ["quilowatts", "quilowatt"],
    },
    symbols={
        "%": "por cento",
        "&": "e",
        "@": "arroba",
        "+": ["mais", "e"],
        "=": ["igual a", "é igual a", "igual"],
        "<": ["menor que", "é menor que", "menor do que"],
        ">": ["maior que", "é maior que", "maior do que"],
        "×": ["vezes"],
        "÷": ["dividido por"],
        "#": ["número", "jogo da velha", "cardinal"],
        "№": "número",
        "§": "parágrafo",
        "°": "graus",
    },
    to=["a", "até", "menos", "traço", "hífen"],
    months=[
        "janeiro",
        "fevereiro",
        "março",
        "abril",
        "maio",
        "junho",
        "julho",
        "agosto",
        "setembro",
        "outubro",
        "novembro",
        "dezembro",
    ],
    ordinal_mark=r"\.?[ºª°]|o|a",
    first_day=["primeiro"],
    date=lambda day, month, year: (
        [None, "o", "dia"],
        day,
        [None, "de"],
        month,
        [None, "de"],
        year,
    ),
    fraction=_fraction,
    scales={
        "mil": (10**3, "mil"),
        "milhão": (10**6, "milhão"),
        "milhões": (10**6, "milhões"),
        "bilhão": (10**9, "bilhão"),
        "bilhões": (10**9, "bilhões"),
    },
    more_words="cem cento mil milhão milhões bilhão bilhões menos",
    ambiguous="um uma e a meia menos segundo segunda segundos terceira quarta quinta sexta",
)
