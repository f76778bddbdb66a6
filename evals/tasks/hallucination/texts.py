"""What was heard where nobody spoke: which texts, how often, and in which clips."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evals.measures.text.normalizers import scoring_of
from evals.records.predictions import Prediction
from evals.tasks.hallucination.phrases import spoken_words
from evals.tasks.hallucination.scores import is_wordless_text

#: Texts and clips of a text that are kept.
_TEXTS, _CLIPS, _LONG = 20, 30, 200


@dataclass(frozen=True, slots=True)
class Text:
    """A text, as it was first written. count: of clips that it was heard in; clips: the first."""

    text: str
    words: int
    count: int
    clips: Sequence[str]


def texts_in_non_speech(predictions: Iterable[Prediction]) -> dict[str, Any]:
    """The texts heard where nobody spoke, the commonest first, as JSON.

    clips: of non-speech that were answered. with_words: how many have a word; heard_in: which.
    words: in all of them. total: how many texts there are; rows: the first of them.
    """
    clips, words = 0, 0
    heard_in: list[str] = []
    found: dict[str, tuple[str, int, list[str]]] = {}
    for prediction in predictions:
        lang = prediction.lang
        if prediction.error is not None or spoken_words(prediction.reference, lang):
            continue
        clips += 1
        count = len(spoken_words(prediction.hypothesis, lang))
        words += count
        if count:
            heard_in.append(prediction.id)
        elif not is_wordless_text(prediction):
            continue
        text = prediction.hypothesis.strip()
        key = " ".join(scoring_of(lang).words(text)) or text
        found.setdefault(key, (text[:_LONG], count, []))[2].append(prediction.id)
    rows = [Text(text, n, len(ids), ids[:_CLIPS]) for text, n, ids in found.values()]
    rows.sort(key=lambda row: -row.count)
    return {
        "clips": clips,
        "words": words,
        "with_words": len(heard_in),
        "heard_in": heard_in,
        "total": len(rows),
        "rows": [asdict(row) for row in rows[:_TEXTS]],
    }
