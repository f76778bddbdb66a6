"""French numbers, those of Belgium and Switzerland among them."""

from __future__ import annotations

from evals.measures.text.scoring.lattices.lattice import Expression
from evals.measures.text.scoring.numbers.grammar import Grammar

_ONES = [
    "zéro",
    "un",
    "deux",
    "trois",
    "quatre",
    "cinq",
    "six",
    "sept",
    "huit",
    "neuf",
    "dix",
    "onze",
    "douze",
    "treize",
    "quatorze",
    "quinze",
    "seize",
]
_TENS = ["-", "dix", "vingt", "trente", "quarante", "cinquante", "soixante"]
_SCALES = (
    (10**12, "billion", "billions"),
    (10**9, "milliard", "milliards"),
    (10**6, "million", "millions"),
)


def cardinal(n: int) -> Expression:
    if n == 1:
        return ["un", "une"]
    if n <= 16:
        return _ONES[n]
    if n < 20:
        return f"dix {_ONES[n - 10]}"
    if n < 100:
        return _below_hundred(n)
    if n < 1000:
        return _hundreds(n)
    if n < 10**6:
        many, rest = divmod(n, 1000)
        options: list[Expression] = [(None if many == 1 else cardinal(many), "mille", _rest(rest))]
        if 1100 <= n < 2000:
            options.append(_hundreds(n))
        return options
    for size, one, more in _SCALES:
        if n >= size:
            many, rest = divmod(n, size)
            options = [(cardinal(many), [one, more] if many == 1 else [more, one], _rest(rest))]
            if rest and rest * 10 % size == 0:
                options.append(
                    (cardinal(many), "virgule", cardinal(rest * 10 // size), [more, one])
                )
            return options
    raise ValueError(n)


def _rest(n: int) -> Expression:
    return cardinal(n) if n else None


def _below_hundred(n: int) -> Expression:
    tens, one = divmod(n, 10)
    if tens <= 6:
        return _tens(_TENS[tens], one)
    if tens == 7:
        return [
            ("soixante et onze" if one == 1 else ("soixante", cardinal(10 + one))),
            _tens("septante", one),
        ]
    local = [_tens(name, one) for name in (("huitante", "octante") if tens == 8 else ("nonante",))]
    if n == 80:
        return [["quatre vingts", "quatre vingt"], *local]
    return [(["quatre vingt", "quatre vingts"], cardinal(n - 80)), *local]


def _tens(name: str, one: int) -> Expression:
    if not one:
        return name
    return (name, "et", ["un", "une"]) if one == 1 else f"{name} {_ONES[one]}"


def _hundreds(n: int) -> Expression:
    many, rest = divmod(n, 100)
    head: Expression = "cent" if many == 1 else (cardinal(many), ["cents", "cent"])
    return (head, _rest(rest))


def ordinal(n: int) -> Expression:
    if not 0 < n < 100:
        return None
    if n == 1:
        return ["premier", "première", "premiers", "premières"]
    options: list[Expression] = []
    for words in _strings(cardinal(n)):
        *before, last = words.split()
        if last in ("une", "vingts"):
            continue
        stem = {"cinq": "cinqu", "neuf": "neuv"}.get(last, last.rstrip("e"))
        options.append(" ".join([*before, stem + "ième"]))
    if n == 2:
        options += ["second", "seconde"]
    return options


def _strings(expression: Expression) -> list[str]:
    if isinstance(expression, str):
        return [expression]
    if isinstance(expression, list):
        return [text for option in expression for text in _strings(option)]
    if isinstance(expression, tuple):
        found = [""]
        for part in expression:
            found = [f"{a} {b}".strip() for a in found for b in _strings(part)]
        return found
    return [""]


def _clashes(a: int, b: int) -> bool:
    """quatre + vingt is 80, vingt-quatre + vingt is 20 80, soixante + dix is 70."""
    return (a % 10 == 4 and 20 <= b < 100) or (a in (60, 80) and 1 <= b < 20)


def _clock(hour: int, minute: int) -> Expression:
    hours: Expression = (
        (["une", "un"], "heure") if hour == 1 else (cardinal(hour), ["heures", "heure", "h"])
    )
    names: list[Expression] = [hours]
    if hour == 12:
        names.append("midi")
    elif hour in (0, 24):
        names.append("minuit")
    if not minute:
        return [*names, (hours, "zéro zéro")]
    minutes: Expression = cardinal(minute)
    if minute < 10:
        minutes = [([None, "zéro"], minutes)]
    options: list[Expression] = [(names, minutes, [None, "minutes"])]
    following: list[Expression] = [(cardinal((hour + 1) % 24), ["heures", "heure"])]
    if hour >= 12:
        following.append((cardinal((hour - 11) % 24), ["heures", "heure"]))
        near: Expression = (cardinal((hour - 12) or 12), ["heures", "heure"])
        names = [*names, near]
    if hour in (11, 23):
        following.append("midi" if hour == 11 else "minuit")
    if minute == 30:
        options.append((names, ["et demie", "et demi"]))
    elif minute == 15:
        options.append((names, ["et quart", "un quart"]))
    elif minute == 45:
        options.append((following, ["moins le quart", "moins quart"]))
    if minute > 30:
        options.append((following, "moins", cardinal(60 - minute)))
    return options


def _fraction(n: int, d: int) -> Expression:
    count = cardinal(n)
    names: dict[int, Expression] = {
        2: ["demi", "demie", "demis"],
        3: ["tiers"],
        4: ["quart", "quarts"],
    }
    if d in names:
        return [(count, names[d]), *(["demi", "demie"] if d == 2 and n == 1 else [])]
    said = ordinal(d)
    options: list[Expression] = [(count, "sur", cardinal(d))]
    if isinstance(said, list):
        options = [(count, [*said, *(f"{s}s" for s in said if isinstance(s, str))]), *options]
    return options


GRAMMAR = Grammar(
    code="fr",
    cardinal=cardinal,
    ordinal=ordinal,
    digits=["zéro", ["un", "une"], *_ONES[2:10]],
    decimal=",",
    groups=" .'",
    point=["virgule", "point"],
    minus="moins",
    plus="plus",
    percent=["pour cent", "pourcent"],
    clashes=_clashes,
    repeats={2: "double", 3: "triple"},
    clock=_clock,
    clock_words="heures?",
    currencies={
        "€": (["euros", "euro"], ["centimes", "centime", "cents", "cent"]),
        "$": (["dollars", "dollar"], ["cents", "cent"]),
        "£": (["livres", "livre", "livres sterling"], ["pence", "penny"]),
        "¥": (["yens", "yen"], None),
        "₹": (["roupies", "roupie"], None),
        "CHF": (["francs", "franc", "francs suisses"], ["centimes", "centime"]),
    },
    and_minor="et",
    units={
        "°c": (["degrés", "degré"], [None, "celsius"]),
        "°f": ("degrés", [None, "fahrenheit"]),
        "°": ["degrés", "degré"],
        "km/h": ["kilomètres heure", "kilomètres par heure", "kilomètres à l'heure", "km h"],
        "km": ["kilomètres", "kilomètre"],
        "cm": ["centimètres", "centimètre"],
        "mm": ["millimètres", "millimètre"],
        "m": ["mètres", "mètre"],
        "m²": ["mètres carrés", "mètre carré"],
        "m³": ["mètres cubes", "mètre cube"],
        "kg": ["kilos", "kilo", "kilogrammes", "kilogramme"],
        "mg": ["milligrammes", "milligramme"],
        "g": ["grammes", "gramme"],
        "ml": ["millilitres", "millilitre"],
        "l": ["litres", "litre"],
        "ms": ["millisecondes", "milliseconde"],
        "min": ["minutes", "minute"],
        "h": ["heures", "heure"],
        "hz": "hertz",
        "khz": "kilohertz",
        "mhz": "mégahertz",
        "ghz": "gigahertz",
        "ko": ["kilooctets", "kilooctet"],
        "mo": ["mégaoctets", "mégaoctet", "mégas"],
        "go": ["gigaoctets", "gigaoctet", "gigas"],
        "w": ["watts", "watt"],
        "kw": ["kilowatts", "kilowatt"],
        "kwh": ["kilowattheures", "kilowattheure"],
    },
    symbols={
        "%": ["pour cent", "pourcent"],
        "&": "et",
        "@": ["arobase", "at"],
        "+": ["plus", "et"],
        "=": ["égale", "égal", "égal à", "est égal à"],
        "<": ["inférieur à", "est inférieur à", "plus petit que"],
        ">": ["supérieur à", "est supérieur à", "plus grand que"],
        "×": ["fois"],
        "÷": ["divisé par", "sur"],
        "#": ["numéro", "dièse", "hashtag"],
        "№": "numéro",
        "§": "paragraphe",
        "°": "degrés",
    },
    to=["à", "moins", "tiret", "contre"],
    months=[
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
    ordinal_mark="ères?|res?|ers?|ièmes?|èmes?|emes?|ndes?|nds?|es?",
    first_day=["premier"],
    date=lambda day, month, year: ([None, "le"], day, month, year),
    fraction=_fraction,
    scales={
        "mille": (10**3, "mille"),
        "million": (10**6, "million"),
        "millions": (10**6, "millions"),
        "milliard": (10**9, "milliard"),
        "milliards": (10**9, "milliards"),
    },
    more_words="cent cents mille million millions milliard milliards moins vingts",
    ambiguous="un une et second seconde moins plus point virgule",
)
