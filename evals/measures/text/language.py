"""The language of a text by its script and its little words.

Enough to tell an answer in the wrong language, without a model to download. Its limits:
sixteen languages; a text of few words may have none of the little ones; close relatives
that are not listed (Ukrainian, Danish, Persian...) are taken for their neighbours.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping

#: The part of a text's letters that one script must have.
_MAJORITY = 0.8
#: Scripts that one listed language is written in. Kana decides for Japanese before this.
_BY_SCRIPT: Mapping[str, str] = {
    "ARABIC": "ar",
    "CJK": "zh",
    "CYRILLIC": "ru",
    "DEVANAGARI": "hi",
    "GREEK": "el",
    "HANGUL": "ko",
    "HEBREW": "he",
    "THAI": "th",
}
#: Function words, those left out that two of the languages share often.
_LISTS: Mapping[str, str] = {
    "de": (
        "der das und ist nicht ein eine einen einem ich sie wir ihr mit auf für von zu dem den "
        "im auch wie aber oder wird sind es bei nach aus kann haben hat mir mich"
    ),
    "en": (
        "the and is are of to it you that this was with not have for on be at i my your what "
        "will can do does there they we he she but or an from"
    ),
    "es": (
        "el los las y es una que por con para del está son pero muy como más lo se al hay su "
        "tiene puedo yo usted"
    ),
    "fr": (
        "le les et est une des que pour dans avec du pas je vous il elle nous sont ce cette qui "
        "sur au aux ne mais ou très j'ai c'est n'est"
    ),
    "it": (
        "il gli e è una che per non con del della di sono si ma questo nel alla dei più come lo "
        "ho io anche"
    ),
    "nl": (
        "de het een en van niet dat met voor zijn op aan ik je ook maar bij naar om er heeft "
        "wordt deze uit kan"
    ),
    "pt": (
        "o os e é uma que não com para do da em são mas mais como ao dos das você eu está no na "
        "por seu"
    ),
}
_LITTLE_WORDS = {lang: frozenset(words.split()) for lang, words in _LISTS.items()}
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


def language_of(text: str) -> str | None:
    """The language as in fixtures.dialogues.expectations.LANGUAGES; None where it cannot be told.

    Latin letters: the language with the most little words, if one has more than all others.
    """
    scripts = Counter(_script(c) for c in text if c.isalpha())
    total = scripts.total()
    if not total:
        return None
    kana = scripts["HIRAGANA"] + scripts["KATAKANA"]
    if kana and (kana + scripts["CJK"]) / total >= _MAJORITY:
        return "ja"
    script, count = scripts.most_common(1)[0]
    if count / total < _MAJORITY:
        return None
    if script != "LATIN":
        return _BY_SCRIPT.get(script)
    words = _WORD.findall(text.lower().replace("\u2019", "'"))
    hits = Counter({lang: sum(w in known for w in words) for lang, known in _LITTLE_WORDS.items()})
    (best, most), (_, second) = hits.most_common(2)
    return best if most > second else None


def _script(letter: str) -> str:
    """The first word of the letter's name in Unicode, which is its script."""
    return unicodedata.name(letter, "?").partition(" ")[0]
