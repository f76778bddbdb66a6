"""One utterance with most of a corpus's word errors: which it is, and the WER without it.

A WER is a sum over utterances, and one loop of hundreds of words can be most of it. The WER then
says next to nothing of the other utterances.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import islice

import numpy as np

from evals.gate.evaluation import Evaluation
from evals.measures.text.error_counts import Scored
from evals.records.measurement import ALL

#: The name under which dominant utterances travel in user_properties.
DOMINANT = "model_lab.dominant"
#: An utterance with fewer word errors is never dominant: one of two errors is no news.
FEWEST_ERRORS = 5
#: Its share of the errors is at least so many times its share of the reference words: in a
#: corpus of a few long recordings, the longest has most of the errors as it has most of the words.
FACTOR = 2


@dataclass(frozen=True, slots=True)
class Dominant:
    """An utterance with more word errors than all others of its corpus together.

    errors: its word errors; insertions: how many of them are inserted words; words: of its
    reference. all_errors: the corpus's. share: errors / all_errors. wer: the corpus's;
    wer_without: that of the other utterances, None where their references hold no words.
    answered: false where the model gave no answer, so that every word counts as deleted.
    """

    id: str
    errors: int
    insertions: int
    words: int
    all_errors: int
    share: float
    wer: float
    wer_without: float | None
    answered: bool


def dominant(scored: Scored) -> Dominant | None:
    """The utterance with most of the word errors, where there is one.

    It has more than half of the corpus's word errors, FEWEST_ERRORS or more, and at least FACTOR
    times the share that it has of the reference words. `scored.predictions` is read once more, up
    to the utterance, and only where there is one.
    """
    counts = scored.words
    errors, words = counts[:, 1:].sum(axis=1), counts[:, :3].sum(axis=1)
    every, length = int(errors.sum()), int(words.sum())
    if not every or not length:
        return None
    place = int(np.argmax(errors))
    mine, own = int(errors[place]), int(words[place])
    if mine < FEWEST_ERRORS or 2 * mine <= every or mine * length < FACTOR * own * every:
        return None
    prediction = next(islice(scored.predictions, place, None))
    rest = length - own
    return Dominant(
        id=prediction.id,
        errors=mine,
        insertions=int(counts[place, 3]),
        words=own,
        all_errors=every,
        share=mine / every,
        wer=every / length,
        wer_without=(every - mine) / rest if rest else None,
        answered=bool(scored.answered[place]),
    )


def name_dominant(evaluation: Evaluation, scored: Scored, slice_name: str = ALL) -> None:
    """Attach the dominant utterance of what a WER was computed from, where there is one.

    slice_name: that of the WER. It changes no figure.
    """
    found = dominant(scored)
    if found is not None:
        row = {"task": evaluation.case.task, "slice": slice_name, **asdict(found)}
        evaluation.attach(DOMINANT, [row])
