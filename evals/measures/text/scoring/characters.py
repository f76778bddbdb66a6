"""Texts whose characters differ only in writing made the same: Unicode, typography and case."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import regex

#: Optional points, which readers know without: Arabic vowels, shadda and Quranic signs; Hebrew
#: points and cantillation. The marks of hamza and madda are no points but part of a letter.
_ARABIC_POINTS = (
    "\u0610-\u061a\u064b-\u0652\u0656-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"
    "\u08d3-\u08e1\u08e3-\u08ff\u0640"
)
_HEBREW_POINTS = "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
_POINTS = regex.compile(f"[{_ARABIC_POINTS}{_HEBREW_POINTS}]")
#: Written with points that tell words apart: Kashmiri in Arabic letters, Yiddish in Hebrew ones.
_POINTED = frozenset({"ks", "yi", "ji", "lad"})
_INVISIBLE = regex.compile(r"[\p{Cf}\p{Variation_Selector}\p{Cn}\p{Co}--[\n\r\t]]", regex.V1)

#: Malayalam's and Bengali's letters that were once written with an invisible joiner.
_OLD_LETTERS = {
    "\u0d23\u0d4d\u200d": "\u0d7a",
    "\u0d28\u0d4d\u200d": "\u0d7b",
    "\u0d30\u0d4d\u200d": "\u0d7c",
    "\u0d32\u0d4d\u200d": "\u0d7d",
    "\u0d33\u0d4d\u200d": "\u0d7e",
    "\u0d15\u0d4d\u200d": "\u0d7f",
    "\u09a4\u09cd\u200d": "\u09ce",
}
#: One character each, before compatibility forms are looked up.
_SINGLE: dict[str, str] = {
    **dict.fromkeys(
        "\u2018\u2019\u201a\u201b\u2032\u02b9\u02bc\u02bb\u00b4\u0060\uff07\u05f3", "'"
    ),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\u05f4\u2039\u203a", '"'),
    **dict.fromkeys("\u2010\u2011\u2043\ufe63\uff0d\u05be", "-"),
    **dict.fromkeys("\u2014\u2015\u2e3a\u2e3b\ufe58", " \u2014 "),
    **dict.fromkeys("\u2122\u2120\u00ae\u00a9\u2117", ""),
    "\u2012": "\u2013",
    "\u2026": "... ",
    "\u22ef": "... ",
    "\u00b7": " ",
    "\u30fb": " ",
    "\u066b": ".",
    "\u066c": ",",
    "\u066a": "%",
    "\u2044": "/",
    "\u2215": "/",
    "\u00a0": "\u00a0",
    "\u2007": "\u00a0",
    "\u202f": "\u00a0",
}
#: Compatibility forms that stay: Thai's and Lao's vowel am is one letter, whose parts look like
#: two; superscripts would become digits.
_KEPT = frozenset(
    "\u2116\u0e33\u0eb3\u00b2\u00b3\u00b9\u00bc\u00bd\u00be\u00ba\u00aa\u00a0\u2153\u2154"
)
_TURKIC = frozenset({"tr", "az", "crh", "gag"})
_TURKIC_CAPITALS = str.maketrans({"I": "\u0131", "\u0130": "i"})
_CYRILLIC_STRESS = regex.compile(r"(?<=\p{Cyrillic})[\u0300\u0301]")
_LATIN_MARKS = regex.compile(r"(?<=\p{Latin}\p{M}*)\p{Mn}")
#: Letters of Arabic keyboards in words of languages whose own they stand for.
_PERSIAN = str.maketrans({"\u064a": "\u06cc", "\u0649": "\u06cc", "\u0643": "\u06a9"})
_ARABIC = str.maketrans({"\u06cc": "\u064a", "\u06a9": "\u0643"})
_GREEK_ACCENTS = regex.compile(r"(?<=\p{Greek}\p{M}*)[\u0300\u0301\u0342\u0308]")
_NOT_DECOMPOSED = {"\u0131": "i", "\u00f8": "o", "\u00e6": "ae", "\u0153": "oe", "\u0142": "l"}


def standard(text: str, code: str) -> str:
    """The text in one Unicode form, cased as written, without what is not seen or not meant.

    code: the language's. NFC; full-width forms, ligatures and the like as their letters;
    digits of any script as 0 to 9; apostrophes, quotes and hyphens each as one; without
    format characters, trademark signs and the optional vowel points of Arabic and Hebrew.
    """
    if text.isascii():
        return text.replace("`", "'")
    for old, new in _OLD_LETTERS.items():
        if old in text:
            text = text.replace(old, new)
    text = "".join(map(_character, text))
    text = _INVISIBLE.sub("", text)
    if code not in _POINTED:
        text = _POINTS.sub("", text)
    if code in ("fa", "ur", "ps", "sd", "pnb"):
        text = text.translate(_PERSIAN)
    elif code == "ar":
        text = text.translate(_ARABIC)
    if code in ("ru", "uk", "be", "bg", "sr", "mk"):
        text = _CYRILLIC_STRESS.sub("", unicodedata.normalize("NFC", text))
    return unicodedata.normalize("NFC", text)


@lru_cache(maxsize=65_536)
def _character(character: str) -> str:
    if character.isascii():
        return "'" if character == "`" else character
    if character in _SINGLE:
        return _SINGLE[character]
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.digit(character))
    if character in _KEPT or category.startswith("M"):
        return character
    plain = unicodedata.normalize("NFKC", character)
    # A spacing accent would become a space and a mark on it.
    return character if plain.startswith(" ") else plain


def fold(text: str, code: str) -> str:
    """A standard text without case, in the way of the language of that code.

    English has no accents either: those of its loans are optional. Russian's yo is its ye.
    """
    if code == "en" and text.isascii():
        return text.lower()
    if code in _TURKIC:
        text = text.translate(_TURKIC_CAPITALS)
    if code == "hy":
        text = text.replace("\u0587", "\u0565\u057e")
    text = text.casefold()
    if code != "lt":
        text = text.replace("i\u0307", "i")
    if code == "en":
        apart = unicodedata.normalize("NFD", text)
        text = _LATIN_MARKS.sub("", apart)
        for letter, plain in _NOT_DECOMPOSED.items():
            text = text.replace(letter, plain)
    elif code in ("fr", "la", "it"):
        text = text.replace("\u0153", "oe").replace("\u00e6", "ae")
    elif code == "ru":
        text = text.replace("\u0451", "\u0435")
    return unicodedata.normalize("NFC", text)


def without_greek_accents(text: str) -> str:
    """A text as Greek capitals have it, which are written without accents."""
    return unicodedata.normalize("NFC", _GREEK_ACCENTS.sub("", unicodedata.normalize("NFD", text)))
