"""The language of a text, read from the codes and names that people write for it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

#: What the error of a text that names no language says.
EXPECTED = "a language is named by a BCP 47 tag (en, pt-BR, zh-Hans) or in words (English, Deutsch)"

#: Words beside a language's name, and the subtag that they stand for.
_QUALIFIERS: Mapping[str, str] = {
    "american": "US",
    "us": "US",
    "usa": "US",
    "united states": "US",
    "british": "GB",
    "uk": "GB",
    "united kingdom": "GB",
    "australian": "AU",
    "australia": "AU",
    "canadian": "CA",
    "canada": "CA",
    "indian": "IN",
    "india": "IN",
    "irish": "IE",
    "ireland": "IE",
    "austrian": "AT",
    "austria": "AT",
    "swiss": "CH",
    "switzerland": "CH",
    "germany": "DE",
    "france": "FR",
    "belgium": "BE",
    "spain": "ES",
    "mexican": "MX",
    "mexico": "MX",
    "latin america": "419",
    "latin american": "419",
    "brazilian": "BR",
    "brazil": "BR",
    "brasil": "BR",
    "portugal": "PT",
    "european": "150",
    "italy": "IT",
    "netherlands": "NL",
    "taiwan": "TW",
    "china": "CN",
    "hong kong": "HK",
    "japan": "JP",
    "simplified": "Hans",
    "traditional": "Hant",
    "latin": "Latn",
    "cyrillic": "Cyrl",
    "arabic": "Arab",
}
#: Codes of countries that are often taken for their language's.
_COUNTRIES: Mapping[str, str] = {
    "cn": "zh",
    "cz": "cs",
    "dk": "da",
    "gr": "el",
    "jp": "ja",
    "kr": "ko",
    "ua": "uk",
    "us": "en",
    "vn": "vi",
}
#: Tags that say that the language is not known, not one, or none.
_NO_LANGUAGE = frozenset({"und", "mul", "mis", "zxx", "root"})
#: Codes of two letters, but those that BCP 47 has another for.
_SIMPLE = re.compile(r"(?!sh|tl|tw)[a-z]{2}$")
#: What POSIX adds to a locale: its encoding and a modifier.
_POSIX = re.compile(r"\.[\w-]+(?=@|$)")
_MODIFIERS = {"latin": "Latn", "cyrillic": "Cyrl", "euro": "", "valencia": "valencia"}
_IN_BRACKETS = re.compile(r"^(.*?)\s*[(\[]\s*(.*?)\s*[)\]]$")


@dataclass(frozen=True, slots=True)
class Language:
    """A language as BCP 47 has it.

    tag: the whole tag in its standard form, such as "pt-BR". code: the language alone, ISO
    639-1 where it has such a code; Mandarin is "zh". script, region: subtags, None where the
    text does not say.
    """

    tag: str
    code: str
    script: str | None = None
    region: str | None = None

    def __str__(self) -> str:
        return self.tag


@lru_cache(maxsize=1024)
def parse_language(text: str) -> Language:
    """The language that a text names. Raises ValueError where it names none.

    Understood are BCP 47 tags with hyphens or underscores in any case, ISO 639 codes of two
    and three letters, POSIX locales (de_DE.UTF-8, sr_RS@latin), and names in English or in the
    language itself (German, Deutsch, "Portuguese (Brazil)", "British English").
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{text!r} names no language: {EXPECTED}")
    written = " ".join(unicodedata.normalize("NFC", text).split())
    # Short texts are codes first: "Ga" is a language's name, "ga" is Irish.
    readers = (_tagged, _named) if len(written) <= 3 else (_named, _tagged)
    found = readers[0](written) or readers[1](written)
    if found is None:
        meant = _COUNTRIES.get(written.casefold())
        hint = f"; {written} is a country, whose language is {meant}" if meant else ""
        raise ValueError(f"{text!r} is no language: {EXPECTED}{hint}")
    return found


def _tagged(written: str) -> Language | None:
    """A tag or locale."""
    written = written.lower() if len(written) <= 3 else written
    locale, _, modifier = _POSIX.sub("", written).partition("@")
    tag = locale.replace("_", "-").replace(" ", "-")
    if modifier:
        subtag = _MODIFIERS.get(modifier.casefold())
        if subtag is None:
            return None
        parts = tag.split("-")
        tag = "-".join([parts[0], *([subtag] if subtag else []), *parts[1:]])
    return _from_tag(tag)


def _from_tag(tag: str) -> Language | None:
    if _SIMPLE.match(tag) and tag in _codes():
        return Language(tag, tag)
    # Half a second of tables, which most runs never need.
    from langcodes import Language as Tag
    from langcodes.tag_parser import LanguageTagError

    try:
        read = Tag.get(tag)
        if not read.is_valid():
            return None
    except LanguageTagError:
        return None
    code = read.language
    if not code or code in _NO_LANGUAGE:
        return None
    macro = read.prefer_macrolanguage()
    return Language(macro.to_tag(), macro.language or code, read.script, read.territory)


def _named(written: str) -> Language | None:
    """A name, alone or with a country or a script beside it."""
    names = _names()
    key = _key(written)
    if key in names:
        return _from_tag(names[key])
    if found := _IN_BRACKETS.match(written):
        return _qualified(_key(found[1]), found[2])
    first, _, rest = key.partition(" ")
    if rest and first in _QUALIFIERS and rest in names:
        return _qualified(rest, first)
    base, _, last = key.replace("_", "-").replace(" ", "-").rpartition("-")
    if base in names and last:
        return _qualified(base, last)
    return None


def _qualified(name: str, qualifier: str) -> Language | None:
    code = _names().get(name)
    if code is None:
        return None
    return _from_tag(f"{code}-{_QUALIFIERS.get(_key(qualifier), qualifier)}")


@cache
def _names() -> Mapping[str, str]:
    """Codes by name: in English and in the language itself, from Unicode's CLDR."""
    table = files(__package__).joinpath("language_names.tsv").read_text(encoding="utf-8")
    names: dict[str, str] = {}
    for line in table.splitlines():
        code, *written = line.split("\t")
        for name in written:
            names.setdefault(_key(name), code)
    return names


@cache
def _codes() -> frozenset[str]:
    return frozenset(_names().values())


def _key(name: str) -> str:
    """A name without case, accents of Latin letters and typography."""
    apart = unicodedata.normalize("NFKD", name.casefold().replace("\u2019", "'"))
    plain = "".join(c for c in apart if not "\u0300" <= c <= "\u036f")
    return " ".join(unicodedata.normalize("NFC", plain).split())
