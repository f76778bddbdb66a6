"""Non-speech: what it reports, and its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from evals.records.metric import Metric
from evals.records.predictions import Prediction
from evals.task import SCREENS, Column, Shares, Task

if TYPE_CHECKING:
    from evals.gate.evaluation import Evaluation
    from evals.run.case_store import Stored


def score(evaluation: Evaluation, stored: Stored) -> None:
    """From the predictions to figures."""
    from evals.records.non_speech import NON_SPEECH
    from evals.tasks.hallucination.scores import hallucination
    from evals.tasks.hallucination.texts import texts_in_non_speech

    figures = dict(hallucination(stored.read(Prediction), stored.normalizer))
    for name in ("leading_insertions", "trailing_insertions"):
        if not figures[name].n:  # the corpus has no text, so that no limit can hold for its ends
            reason = f"{figures[name].reason}: it has no utterance with text"
            evaluation.record_missing([name], "not_measured", reason, gated=False)
            del figures[name]
    evaluation.record(figures, normalizer=stored.normalizer)
    evaluation.attach(NON_SPEECH, texts_in_non_speech(stored.read(Prediction)))


def pair(lines: Sequence[Prediction], normalizer_name: str) -> Mapping[str, Shares]:
    """Words by minute, and clips with any word, of the clips without speech."""
    import numpy as np

    from evals.tasks.hallucination.phrases import spoken_words

    del normalizer_name  # raw texts are counted
    silent = np.array([not spoken_words(line.reference, line.lang) for line in lines], bool)
    counts = [float(len(spoken_words(line.hypothesis, line.lang))) for line in lines]
    words = np.array(counts) * silent
    minutes = np.array([(line.audio_seconds or 0.0) / 60 for line in lines]) * silent
    return {
        "hallucinated_words_per_minute": Shares(words, minutes),
        "hallucination_rate": Shares((words > 0).astype(float), silent.astype(float)),
    }


TASK = Task(
    name="hallucination",
    title="Words in non-speech",
    meaning="words heard where nobody spoke",
    corpus="speech",
    protocol="asr",
    lines=Prediction,
    own_metrics=(
        "hallucinated_words_per_minute",
        "hallucination_rate",
        "loops",
        "phantom_phrases",
        "annotations",
        Metric(
            "wordless_texts",
            "count",
            "max",
            'clips of non-speech with a text that has no word, as "...."',
        ),
        "leading_insertions",
        "trailing_insertions",
    ),
    score=score,
    counts_for="asr",
    columns=(
        Column("hallucinated_words_per_minute"),
        Column("hallucination_rate"),
        Column("loops"),
        Column("phantom_phrases", on=SCREENS),
        Column("leading_insertions", on=SCREENS),
        Column("trailing_insertions", on=SCREENS),
    ),
    row_name="non-speech",
    where_named=True,
    compared=("hallucinated_words_per_minute", "hallucination_rate"),
    pair=pair,
    wrong=True,
)
