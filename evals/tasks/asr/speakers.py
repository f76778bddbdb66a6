"""Sessions in which several people speak, heard with a label for each: cpWER.

The hypothesis names who speaks ("[speaker 1] good morning", "SPK2: hello"), by labels of its own.
cpWER puts together what each person says and what each label has, tries every match between
people and labels, and takes the one with the fewest word errors (Watanabe et al. 2020, CHiME-6);
meeteval does it here, on tokens of the default scoring.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from evals.measures.statistics.rates import rate
from evals.measures.text.normalizers import words_of
from evals.measures.text.sessions import labelled, session_of
from evals.records.measurement import Figure
from evals.records.predictions import Prediction

MISSING = "meeteval is not installed, which computes it: pip install meeteval"


class Sessions:
    """Segments of sessions by who speaks and who was heard, as they come."""

    def __init__(self) -> None:
        self._segments: dict[str, list[Prediction]] = {}

    def add(self, prediction: Prediction) -> None:
        """The next prediction; only segments of sessions are kept."""
        if (name := session_of(prediction)) is not None:
            self._segments.setdefault(name, []).append(prediction)

    def cpwer(self, normalizer_name: str) -> Figure | None:
        """cpWER over the sessions with several speakers, None where no hypothesis has labels."""
        sessions = [
            sorted(segments, key=lambda p: (p.offset or 0.0, p.index or 0))
            for segments in self._segments.values()
            if len({p.speaker for p in segments} - {None}) > 1
        ]
        if not any(labelled(p.hypothesis)[1] for session in sessions for p in session):
            return None
        try:
            meeteval: Any = importlib.import_module("meeteval.wer")
        except ImportError:
            return Figure(None, len(sessions), reason=MISSING)
        errors, lengths = [], []
        for session in sessions:
            found = meeteval.cp_word_error_rate(
                _said(session, normalizer_name), _heard(session, normalizer_name)
            )
            errors.append(float(found.errors))
            lengths.append(float(found.length))
        return rate(np.array(errors), np.array(lengths), None, otherwise="nobody says a word")


def _said(session: Iterable[Prediction], name: str) -> Mapping[str, str]:
    """Each speaker's words of a session."""
    return _joined(((p.speaker or "", p.reference, p.lang) for p in session), name)


def _heard(session: Iterable[Prediction], name: str) -> Mapping[str, str]:
    """Each label's words of a session; words before the first label are of nobody's."""
    pieces = []
    label = ""
    for p in session:
        before, found = labelled(p.hypothesis)
        pieces.append((label, before, p.lang))
        for label, text in found:
            pieces.append((label, text, p.lang))
    return _joined(pieces, name)


def _joined(pieces: Iterable[tuple[str, str, str | None]], name: str) -> Mapping[str, str]:
    """Tokens by who says them, a space between two."""
    words: dict[str, list[str]] = {}
    for who, text, lang in pieces:
        if tokens := words_of(text, name, lang):
            words.setdefault(who, []).extend(tokens)
    return {who: " ".join(tokens) for who, tokens in words.items()}
