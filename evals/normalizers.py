"""Text normalizers by name. Raw text is stored, normalized text is scored."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TypeAlias

Normalizer: TypeAlias = Callable[[str], str]


@cache
def normalizer(name: str) -> Normalizer:
    """The normalizer of that name: "whisper-english" or "whisper-basic".

    Both are those of the Whisper paper (Radford et al. 2022, appendix C), as
    packaged in whisper-normalizer.
    """
    if name == "whisper-english":
        from whisper_normalizer.english import EnglishTextNormalizer

        english: Normalizer = EnglishTextNormalizer()
        return _cached(english)
    if name == "whisper-basic":
        from whisper_normalizer.basic import BasicTextNormalizer

        basic: Normalizer = BasicTextNormalizer()
        return _cached(basic)
    raise ValueError(f"no normalizer is called {name!r}: whisper-english, whisper-basic")


def normalizer_for(language: str) -> str:
    """The default normalizer of a corpus: English has its own, all others share one."""
    return "whisper-english" if language == "en" else "whisper-basic"


def _cached(normalize: Normalizer) -> Normalizer:
    # Every model is scored on the same references, several times.
    known: dict[str, str] = {}

    def lookup(text: str) -> str:
        if text not in known:
            known[text] = normalize(text).strip()
        return known[text]

    return lookup
