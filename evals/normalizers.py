"""Text normalizers by name. Raw text is stored, normalized text is scored."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TypeAlias

from fixtures.corpus import Corpus
from fixtures.sentences import Sentences

#: The manifest's key for the normalizer of its text.
KEY = "normalizer"
Normalizer: TypeAlias = Callable[[str], str]


#: The names, the stricter towards the end: each keeps more of what was written.
NORMALIZERS = ("whisper-english", "whisper-basic", "lower", "none")


#: whisper-normalizer spells these out, OpenAI's own does not, and published WERs used that one.
_NOT_OPENAIS = ("kinda", "sorta", "dunno", "cause")


@cache
def normalizer(name: str) -> Normalizer:
    """The normalizer of a name in NORMALIZERS. Raises ValueError for another.

    The Whispers' are those of their paper (Radford et al. 2022, appendix C), as packaged
    in whisper-normalizer; "lower" folds case, "none" leaves the text as it is.
    """
    if name == "whisper-english":
        from whisper_normalizer.english import EnglishTextNormalizer

        english = EnglishTextNormalizer()
        for word in _NOT_OPENAIS:
            english.replacers.pop(rf"\b{word}\b", None)
        return _cached(english)
    if name == "whisper-basic":
        from whisper_normalizer.basic import BasicTextNormalizer

        basic: Normalizer = BasicTextNormalizer()
        return _cached(basic)
    if name == "lower":
        return lambda text: " ".join(text.casefold().split())
    if name == "none":
        return lambda text: " ".join(text.split())
    raise ValueError(f"no normalizer is called {name!r}: {', '.join(NORMALIZERS)}")


def normalizer_of(corpus: Corpus | Sentences) -> str:
    """The normalizer that a corpus's rows name, else that of its language.

    English has its own, all other languages share one. Raises ValueError where the rows
    name several, or one that does not exist.
    """
    named = {str(u.metadata[KEY]) for u in corpus if KEY in u.metadata}
    if not named:
        return "whisper-english" if corpus.language == "en" else "whisper-basic"
    if len(named) > 1 or any(KEY not in u.metadata for u in corpus):
        raise ValueError(f"its rows do not agree on one {KEY}: {', '.join(sorted(named))}")
    (name,) = named
    normalizer(name)  # refuses a name that is none
    return name


def _cached(normalize: Normalizer) -> Normalizer:
    # Every model is scored on the same references, several times.
    known: dict[str, str] = {}

    def lookup(text: str) -> str:
        if text not in known:
            known[text] = normalize(text).strip()
        return known[text]

    return lookup
