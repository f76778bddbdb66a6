"""Text normalizers by name. Raw text is stored, normalized text is scored."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import TypeAlias

from evals.measures.text.whisper_english import whisper_english
from fixtures.corpora.corpus import Corpus
from fixtures.corpora.properties import NORMALIZER
from fixtures.corpora.sentences import Sentences

Normalizer: TypeAlias = Callable[[str], str]


#: The names, the stricter towards the end: each keeps more of what was written.
NORMALIZERS = ("whisper-english", "whisper-basic", "lower", "none")
#: Texts that a normalizer remembers: a few megabytes of sentences.
_KNOWN = 4_096


@cache
def normalizer(name: str) -> Normalizer:
    """The normalizer of a name in NORMALIZERS. Raises ValueError for another.

    The Whispers' are those of their paper (Radford et al. 2022, appendix C), as packaged
    in whisper-normalizer; "lower" folds case, "none" leaves the text as it is.
    """
    if name == "whisper-english":
        return _cached(whisper_english())
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
    named = corpus.traits.normalizers
    if not named:
        return "whisper-english" if corpus.language == "en" else "whisper-basic"
    if corpus.traits.unnamed or len(named) > 1:
        raise ValueError(f"its rows do not agree on one {NORMALIZER}: {', '.join(sorted(named))}")
    (name,) = named
    normalizer(name)  # refuses a name that is none
    return name


def _cached(normalize: Normalizer) -> Normalizer:
    # A good model's texts are their references, and every model is scored on the same of these.
    @lru_cache(maxsize=_KNOWN)
    def lookup(text: str) -> str:
        return normalize(text).strip()

    return lookup
