"""The tokens of plain text: words where words are spaced, grapheme clusters where they are not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files

import regex

from evals.measures.text.scoring.characters import fold

#: Scripts that are written without spaces between words.
UNSPACED_SCRIPTS = (
    "Han",
    "Hiragana",
    "Katakana",
    "Bopomofo",
    "Yi",
    "Thai",
    "Lao",
    "Khmer",
    "Myanmar",
    "Tai_Tham",
    "New_Tai_Lue",
    "Tai_Viet",
    "Javanese",
    "Balinese",
)
_OF_UNSPACED = "".join(rf"\p{{Script={script}}}" for script in UNSPACED_SCRIPTS) + "\u30fc\uff70"
#: Letters, marks and digits; an apostrophe between two of them is inside a word.
_WORD = regex.compile(
    rf"(?P<cluster>(?=[{_OF_UNSPACED}])\X)|[\p{{L}}\p{{M}}\p{{N}}--[{_OF_UNSPACED}]]+"
    rf"(?:'+[\p{{L}}\p{{M}}\p{{N}}--[{_OF_UNSPACED}]]+)*",
    regex.V1,
)
_UNSPACED = regex.compile(rf"[{_OF_UNSPACED}]")
#: "e.g.", "p.m.", "U.S.A.": letters that a dot follows each.
_DOTTED = regex.compile(
    r"(?<![\p{L}\p{M}\p{N}'.])(?:\p{L}\.){2,}\p{L}?(?![\p{L}\p{M}\p{N}])|(?<![\p{L}\p{M}\p{N}'.])\p{L}\.\p{L}(?![\p{L}\p{M}\p{N}.'])"
)

#: Languages in which what stands before an apostrophe is a word of its own: l'heure, dell'anno.
_ELIDING = frozenset(
    {"fr", "it", "ca", "oc", "co", "sc", "fur", "vec", "scn", "lmo", "pms", "wa", "frp", "mt"}
)
#: Languages in which an apostrophe is a letter, or changes one.
_APOSTROPHE_IS_LETTER = frozenset(
    {
        "uz",
        "haw",
        "sm",
        "to",
        "ty",
        "rap",
        "mi",
        "gn",
        "nv",
        "qu",
        "ay",
        "br",
        "yua",
        "quc",
        "mam",
        "tlh",
        "ha",
        "so",
        "om",
        "sw",
    }
)
#: English words that an apostrophe tells from others that sound differently.
_ENGLISH_APOSTROPHES = frozenset(
    [
        "we're",
        "we'll",
        "she'll",
        "he'll",
        "i'll",
        "i'd",
        "we'd",
        "she'd",
        "he'd",
        "can't",
        "won't",
        "who're",
        "you're",
        "they're",
        "it'll",
    ]
)
#: English that is written in several ways; each is said as the first.
_ENGLISH: Mapping[str, str] = {
    "ok": "okay",
    "mr": "mister",
    "mrs": "missus",
    "prof": "professor",
    "jr": "junior",
    "sr": "senior",
    "vs": "versus",
    "etc": "et cetera",
    "alright": "all right",
    "thru": "through",
    "til": "till",
    "oclock": "o clock",
    "grey": "gray",
    "tyre": "tire",
    "tyres": "tires",
    "pyjamas": "pajamas",
    "cheque": "check",
    "cheques": "checks",
    "kerb": "curb",
    "draught": "draft",
    "draughts": "drafts",
    "sceptical": "skeptical",
    "whisky": "whiskey",
    "yoghurt": "yogurt",
    "doughnut": "donut",
    "doughnuts": "donuts",
    "disc": "disk",
    "discs": "disks",
    "kilometre": "kilometer",
    "kilometres": "kilometers",
    "centimetre": "centimeter",
    "centimetres": "centimeters",
    "millimetre": "millimeter",
    "millimetres": "millimeters",
    "metre": "meter",
    "metres": "meters",
    "litre": "liter",
    "litres": "liters",
    "millilitre": "milliliter",
    "millilitres": "milliliters",
    "tonne": "ton",
    "tonnes": "tons",
}
#: In whisper-normalizer's list of British spellings, and words that are said differently.
_NOT_SPELLINGS = frozenset({"aluminium", "aeroplane", "aeroplanes"})
_GERMAN: Mapping[str, str] = {
    "dr": "doktor",
    "prof": "professor",
    "bzw": "beziehungsweise",
    "usw": "und so weiter",
    "ca": "circa",
    "nr": "nummer",
}
_WRITTEN: Mapping[str, Mapping[str, str]] = {
    "de": _GERMAN,
    "fr": {"mme": "madame", "mlle": "mademoiselle", "dr": "docteur", "etc": "et cetera"},
    "es": {
        "sr": "señor",
        "sra": "señora",
        "srta": "señorita",
        "dr": "doctor",
        "dra": "doctora",
        "ud": "usted",
        "uds": "ustedes",
    },
    "it": {"sig": "signor", "dott": "dottor", "ecc": "eccetera"},
    "pt": {"sr": "senhor", "sra": "senhora", "dr": "doutor", "dra": "doutora"},
    "nl": {"één": "een", "dhr": "de heer", "mevr": "mevrouw", "enz": "enzovoort", "dr": "doctor"},
}

#: Sounds of hesitation, which count on neither side.
FILLERS: Mapping[str, frozenset[str]] = {
    "en": frozenset(
        ["uh", "uhh", "um", "umm", "uhm", "er", "erm", "hm", "hmm", "hmmm", "mm", "mmm", "mhm"]
    ),
    "de": frozenset(
        ["äh", "ähh", "ähm", "ähmm", "öh", "öhm", "ehm", "hm", "hmm", "hmmm", "mhm", "mmm"]
    ),
    "fr": frozenset(["euh", "euhh", "heu", "hum", "hm", "hmm", "mm", "mmm"]),
    "es": frozenset(["eh", "ehm", "em", "hm", "hmm", "mm", "mmm"]),
    "it": frozenset(["ehm", "eh", "uhm", "mh", "hm", "hmm", "mm", "mmm"]),
    "pt": frozenset(["hum", "ahn", "hã", "uhm", "ehm", "hm", "hmm", "mm", "mmm"]),
    "nl": frozenset(["uh", "uhm", "eh", "ehm", "euh", "hm", "hmm", "mm", "mmm"]),
    "hi": frozenset(["हम्म", "उम्म", "हूँम"]),
    "ru": frozenset(["эээ", "ээ", "эм", "эмм", "хм", "ммм", "мм"]),
    "sv": frozenset(["öh", "öhm", "eh", "ehm", "hm", "hmm", "mm", "mmm"]),
    "da": frozenset(["øh", "øhm", "eh", "ehm", "hm", "hmm", "mm", "mmm"]),
    "nb": frozenset(["øh", "øhm", "eh", "ehm", "hm", "hmm", "mm", "mmm"]),
    "no": frozenset(["øh", "øhm", "eh", "ehm", "hm", "hmm", "mm", "mmm"]),
    "fi": frozenset(["öö", "ööh", "öhm", "hm", "hmm", "mm", "mmm"]),
    "pl": frozenset(["yyy", "eee", "hm", "hmm", "mm", "mmm"]),
    "tr": frozenset(["ııı", "eee", "hm", "hmm", "mm", "mmm"]),
    "zh": frozenset("呃"),
    "ja": frozenset(("えーと", "えっと", "えーっと", "あのー", "うーんと")),
    "ko": frozenset(("음", "으음", "흠")),
}
_OTHER_FILLERS = frozenset(["hm", "hmm", "hmmm", "mmm", "uhm"])


def is_unspaced(text: str) -> bool:
    """Whether any of a text is in a script that has no spaces between words."""
    return _UNSPACED.search(text) is not None


def fillers(code: str) -> frozenset[str]:
    """The hesitations of a language, folded."""
    return FILLERS.get(code, _OTHER_FILLERS)


@cache
def _filler_strings(code: str) -> regex.Pattern[str] | None:
    """Hesitations that stand without spaces between other words."""
    some = [w for w in fillers(code) if _UNSPACED.search(w)]
    longest = sorted(some, key=len, reverse=True)
    return regex.compile("|".join(longest)) if longest else None


def plain_tokens(text: str, code: str) -> list[str]:
    """The tokens of a standard text (`characters.standard`) without its hesitations."""
    found: list[str] = []
    if "." in text:
        text = _DOTTED.sub(lambda m: m[0].replace(".", "") + " ", text)
    strings = _filler_strings(code)
    if strings is not None:
        text = strings.sub(" ", text)
    if _UNSPACED.search(text):
        for match in _WORD.finditer(text):
            if match["cluster"]:
                found.append(fold(match[0], code))
            else:
                found.extend(_word(match[0], code))
    else:
        for match in _WORD.finditer(text):
            found.extend(_word(match[0], code))
    return found


@lru_cache(maxsize=65_536)
def _word(word: str, code: str) -> tuple[str, ...]:
    """The tokens of one spaced word, none where it is a hesitation."""
    folded = fold(word, code)
    if code in _ELIDING and "'" in folded:
        parts: Sequence[str] = [part for part in folded.split("'") if part]
    elif code in _APOSTROPHE_IS_LETTER:
        parts = [folded]
    elif code == "en":
        if folded in _ENGLISH_APOSTROPHES:
            return (folded,)
        plain = folded.replace("'", "")
        spelling = _english(plain)
        parts = spelling.split()
    else:
        plain = folded.replace("'", "")
        parts = _WRITTEN.get(code, {}).get(plain, plain).split()
    skipped = fillers(code)
    return tuple(part for part in parts if part not in skipped)


def _english(word: str) -> str:
    """One spelling of a word, as most of America writes it, and abbreviations in full."""
    if word in _NOT_SPELLINGS:
        return word
    return _ENGLISH.get(word) or _american().get(word, word)


@cache
def _american() -> Mapping[str, str]:
    """American spellings by British ones, from the list in whisper-normalizer."""
    table = files("whisper_normalizer").joinpath("normalizers/english.json")
    spellings: Mapping[str, str] = json.loads(table.read_text(encoding="utf-8"))
    return spellings
