"""What was heard where nobody spoke, in words: which texts, in which clips, by which models."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from evals.records.non_speech import clip_name
from reports.scorecard.parts import NonSpeechText, NonSpeechTexts

#: Texts, and clips of a text, that a line names.
SHOWN = 4
CLIPS = 2
#: A difference that chance makes less often is told.
_RARE = 0.05


def non_speech_line(found: NonSpeechTexts) -> str:
    """How many words in how many clips, then the commonest texts with their clips."""
    words = "1 word" if found.words == 1 else f"{found.words:,} words"
    where = f"in {found.with_words} of {found.clips} clips where nobody speaks"
    text = f"{found.model} on {found.corpus}: {words} {where}: "
    more = found.total - min(SHOWN, len(found.rows))
    shown = "; ".join(map(text_line, found.rows[:SHOWN]))
    return text + shown + (f"; and {more} more texts: `non_speech` in the scorecard" * (more > 0))


def text_line(row: NonSpeechText) -> str:
    """A text, how often it was written, and of which clips."""
    often = {1: "once", 2: "twice"}.get(row.count, f"{row.count} times")
    more = row.count - min(CLIPS, len(row.clips))
    clips = ", ".join(map(clip_name, row.clips[:CLIPS])) + (f" and {more} more" * (more > 0))
    return f"{row.text!r} {often} ({clips})"


def heard(found: Sequence[NonSpeechTexts]) -> Iterator[NonSpeechTexts]:
    """Those of which there is anything to tell."""
    return (one for one in found if one.rows)


def differences_in_non_speech(found: Sequence[NonSpeechTexts]) -> list[str]:
    """Which models hear words in more clips of a corpus than the best of them, beyond chance.

    By McNemar's exact test (1947; two-sided binomial) on the clips that one of both alone hears
    words in: p is how often chance alone makes so unequal counts.
    """
    said = []
    for corpus in dict.fromkeys(one.corpus for one in found):
        rows = sorted((one for one in found if one.corpus == corpus), key=lambda x: x.with_words)
        for other in rows[1:]:
            best = rows[0]
            p = chance(set(other.heard_in), set(best.heard_in))
            if p < _RARE and other.clips == best.clips:
                said.append(
                    f"{other.model} hears words in {other.with_words} of {other.clips} clips "
                    f"where nobody speaks, {best.model} in {best.with_words} (on {corpus}, "
                    f"p = {p:.1g})"
                )
    return said


def chance(ones: set[str], others: set[str]) -> float:
    """McNemar's exact p of two sets of the same clips."""
    only, alone = len(ones - others), len(others - ones)
    n = only + alone
    tail = sum(math.comb(n, k) for k in range(min(only, alone) + 1))
    return float(min(1.0, 2 * tail / 2**n))
