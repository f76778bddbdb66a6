"""Hindi numbers; those below a hundred are each a word of its own, from indic-numtowords."""

from __future__ import annotations

from functools import lru_cache

from evals.measures.text.scoring.lattices.lattice import Expression
from evals.measures.text.scoring.numbers.grammar import Grammar

_SCALES = ((10**9, "अरब"), (10**7, "करोड़"), (10**5, "लाख"), (10**3, "हज़ार"))
#: Spellings that the package does not have.
_MORE = {
    5: ["पांच"],
    6: ["छह", "छे", "छ"],
    16: ["सोलह"],
    19: ["उन्नीस"],
    29: ["उनतीस", "उन्तीस"],
    39: ["उनतालीस", "उन्तालीस"],
    48: ["अड़तालीस"],
    49: ["उनचास"],
    58: ["अट्ठावन", "अठावन"],
    59: ["उनसठ"],
    68: ["अड़सठ"],
    69: ["उनहत्तर"],
    78: ["अठहत्तर"],
    79: ["उन्यासी", "उनासी"],
    89: ["नवासी"],
}
_ORDINALS: dict[int, list[str]] = {
    1: ["पहला", "पहली", "पहले"],
    2: ["दूसरा", "दूसरी", "दूसरे"],
    3: ["तीसरा", "तीसरी", "तीसरे"],
    4: ["चौथा", "चौथी", "चौथे"],
    6: ["छठा", "छठी", "छठे", "छठवाँ", "छठवां"],
}


@lru_cache(maxsize=128)
def _word(n: int) -> tuple[str, ...]:
    from indic_numtowords import num2words

    words = [str(word) for word in num2words(n, lang="hi", variations=True)]
    return tuple(dict.fromkeys(s for w in [*words, *_MORE.get(n, [])] for s in _spellings(w)))


def _spellings(word: str) -> list[str]:
    """A nasal vowel has two signs, and the dot below a letter is often left out."""
    found = [word, word.replace("ँ", "ं")]
    found += [w.replace("\u093c", "") for w in found]
    return found


def _named(word: str) -> Expression:
    return [*dict.fromkeys(_spellings(word))]


def cardinal(n: int) -> Expression:
    if n < 100:
        return [*_word(n)]
    if n < 1000:
        return _hundreds(n)
    options: list[Expression] = []
    for size, name in _SCALES:
        if n >= size:
            many, rest = divmod(n, size)
            head: Expression = (
                [(cardinal(1), _named(name)), _named(name)]
                if many == 1
                else (cardinal(many), _named(name))
            )
            options.append((head, cardinal(rest) if rest else None))
            break
    if 1100 <= n < 10_000 and n // 100 % 10:
        options.append(_hundreds(n))
    return options


def _hundreds(n: int) -> Expression:
    many, rest = divmod(n, 100)
    head: Expression = [(cardinal(1), "सौ"), "सौ"] if many == 1 else (cardinal(many), "सौ")
    return (head, cardinal(rest) if rest else None)


def ordinal(n: int) -> Expression:
    if n in _ORDINALS:
        return [*_ORDINALS[n]]
    if not 0 < n < 100:
        return None
    return [word + end for word in _word(n) for end in ("वाँ", "वां", "वीं", "वें")]


def _clock(hour: int, minute: int) -> Expression:
    here, following = cardinal(hour), cardinal(hour % 12 + 1)
    near = cardinal((hour - 1) % 12 + 1)
    if not minute:
        return [here, (here, "बजे")]
    options: list[Expression] = [
        (here, ["बजकर", "बज के", "बज कर"], cardinal(minute), [None, "मिनट"]),
        (here, "बजे", cardinal(minute)),
        (here, cardinal(minute), "बजे"),
    ]
    end: Expression = [None, "बजे"]
    if minute == 30:
        options.append((_named("साढ़े"), near, end))
        if hour in (1, 13):
            options.append((_named("डेढ़"), end))
        if hour in (2, 14):
            options.append(("ढाई", end))
    elif minute == 15:
        options.append(("सवा", near, end))
    elif minute == 45:
        options.append(("पौने", following, end))
    return options


def _fraction(n: int, d: int) -> Expression:
    if (n, d) == (1, 2):
        return ["आधा", "आधी", "आधे"]
    return (cardinal(n), ["बटा", "बटे"], cardinal(d))


def _half(n: int) -> Expression:
    if n == 1:
        return _named("डेढ़")
    return "ढाई" if n == 2 else (_named("साढ़े"), cardinal(n))


def grammar() -> Grammar:
    """Made when it is wanted, for the package behind it is read then."""
    return Grammar(
        code="hi",
        cardinal=cardinal,
        ordinal=ordinal,
        digits=[[*_word(n), *(["ज़ीरो", "जीरो"] if not n else [])] for n in range(10)],
        decimal=".",
        groups=",",
        point=["दशमलव", "पॉइंट", "पॉइन्ट", "प्वाइंट"],
        minus=["माइनस", "ऋण"],
        plus=["प्लस", "धन"],
        percent=["प्रतिशत", "फीसदी", "फ़ीसदी", "परसेंट", "पर्सेंट"],
        repeats={2: "डबल", 3: "ट्रिपल"},
        clock=_clock,
        clock_words="बजे",
        currencies={
            "₹": (["रुपये", "रुपए", "रुपया", "रूपये", "रूपए"], ["पैसे", "पैसा"]),
            "$": (["डॉलर"], ["सेंट"]),
            "€": (["यूरो"], ["सेंट"]),
            "£": (["पाउंड"], ["पेंस"]),
        },
        and_minor="और",
        units={
            "°c": ("डिग्री", [None, "सेल्सियस", "सेंटीग्रेड"]),
            "°": "डिग्री",
            "km/h": "किलोमीटर प्रति घंटा",
            "km": ["किलोमीटर", "किमी"],
            "cm": ["सेंटीमीटर", "सेमी"],
            "m": "मीटर",
            "kg": ["किलो", "किलोग्राम"],
            "g": "ग्राम",
            "l": "लीटर",
            "ml": "मिलीलीटर",
            "gb": ["जीबी", "गीगाबाइट"],
            "mb": ["एमबी", "मेगाबाइट"],
        },
        symbols={
            "%": ["प्रतिशत", "परसेंट"],
            "&": ["और", "एंड"],
            "@": ["एट", "ऐट"],
            "+": ["प्लस", "जमा"],
            "=": ["बराबर", "इक्वल"],
            "#": ["नंबर", "हैश"],
            "°": "डिग्री",
        },
        to=["से", "माइनस", "डैश"],
        months=[
            "जनवरी",
            "फ़रवरी",
            "मार्च",
            "अप्रैल",
            "मई",
            "जून",
            "जुलाई",
            "अगस्त",
            "सितंबर",
            "अक्टूबर",
            "नवंबर",
            "दिसंबर",
        ],
        date=lambda day, month, year: (day, month, year),
        fraction=_fraction,
        half=_half,
        more_words="सौ हज़ार हजार लाख करोड़ अरब माइनस",
        ambiguous="एक नौ",
    )
