"""Ways of scoring texts by name: ours, and published normalizers. Raw text is what is stored."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache, lru_cache
from typing import TypeAlias

from evals.measures.text.scoring import Scoring, scoring_for
from evals.measures.text.whisper_english import whisper_english
from fixtures.corpora.corpus import Corpus
from fixtures.corpora.languages import Language
from fixtures.corpora.properties import NORMALIZER
from fixtures.corpora.sentences import Sentences

Normalizer: TypeAlias = Callable[[str], str]

#: The default: the scoring of this project, row by row in the row's language.
SPOKEN = "spoken"
#: The names, the stricter towards the end: each keeps more of what was written.
NORMALIZERS = (SPOKEN, "whisper-english", "whisper-basic", "lower", "none")
#: Texts that a normalizer remembers: a few megabytes of sentences.
_KNOWN = 4_096
#: Of rows that name a language of which this version knows nothing: runs of older versions.
_UNKNOWN = Language("und", "und")


def check_name(name: str) -> str:
    """The name. Raises ValueError where it is none of NORMALIZERS."""
    if name not in NORMALIZERS:
        raise ValueError(f"no normalizer is called {name!r}: {', '.join(NORMALIZERS)}")
    return name


@cache
def normalizer(name: str) -> Normalizer:
    """The published normalizer of that name. Raises ValueError for another.

    The Whispers' are those of their paper (Radford et al. 2022, appendix C), as packaged
    in whisper-normalizer; "lower" folds case, "none" leaves the text as it is. SPOKEN is
    none of them, since it needs to know the language and both texts (`scoring_of`).
    """
    # Python 3.12 warns of an escape in the package's source, each time that it compiles it.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
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
    raise ValueError(f"no normalizer is called {name!r}: {', '.join(NORMALIZERS[1:])}")


@lru_cache(maxsize=256)
def scoring_of(lang: str | None) -> Scoring:
    """The default scoring of a row's language; of a row that names none, English.

    A language that does not exist is in lines of older versions alone: its texts are scored
    without what is special to a language.
    """
    try:
        return scoring_for(lang or "en")
    except ValueError:
        return scoring_for(_UNKNOWN)


def words_of(text: str, name: str, lang: str | None) -> list[str]:
    """The tokens of a text, one by one, as the scoring of that name has them.

    Raises ValueError for a name that is none of NORMALIZERS.
    """
    if name == SPOKEN:
        return list(scoring_of(lang).words(text))
    return normalizer(name)(text).split()


def normalizer_of(corpus: Corpus | Sentences) -> str:
    """The normalizer that a corpus's rows name, else SPOKEN.

    Raises ValueError where the rows name several, or one that does not exist.
    """
    named = corpus.traits.normalizers
    if not named:
        return SPOKEN
    if corpus.traits.unnamed or len(named) > 1:
        raise ValueError(f"its rows do not agree on one {NORMALIZER}: {', '.join(sorted(named))}")
    (name,) = named
    return check_name(name)


def _cached(normalize: Normalizer) -> Normalizer:
    # A good model's texts are their references, and every model is scored on the same of these.
    @lru_cache(maxsize=_KNOWN)
    def lookup(text: str) -> str:
        return normalize(text).strip()

    return lookup
