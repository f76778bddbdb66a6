"""Speech synthesis: can it be understood, does it sound right, how fast is it?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from evals.evaluation import Evaluation
from evals.judging import Judge
from evals.models import LoadedModel
from evals.predictions import LineFile
from evals.spoken import Spoken
from evals.synthesis import synthesize_corpus
from evals.tts_scores import answers, clips, intelligibility, ratings, signal, similarity, tts_speed
from fixtures.sentences import Sentences


@pytest.mark.tts
def test_sentences(
    tts_model: LoadedModel,
    sentences: Sentences,
    text_scoring: str,
    judges: Sequence[Judge],
    evaluation: Evaluation,
    predictions_path: Path,
    run_folder: Path,
    rated_clips: int,
    progress: Callable[[int], Callable[[], None]],
) -> None:
    """Every sentence once; the audio is kept, and all figures are recorded before any limit."""
    tts_model.start_peak()
    with LineFile[Spoken](predictions_path) as file:
        lines = synthesize_corpus(
            tts_model,
            sentences,
            judges,
            file,
            run_folder,
            contended=evaluation.contended,
            advance=progress(len(sentences)),
        )

    evaluation.record(tts_speed(lines))
    evaluation.record({**tts_model.cold_figures(), **tts_model.memory_figures()})
    for number, judge in enumerate(judges):
        evaluation.record(
            intelligibility(lines, judge.name, text_scoring),
            normalizer=text_scoring,
            **({"slice_name": f"judge={judge.name}"} if number else {}),
        )
    sounds = clips(lines, run_folder)
    evaluation.record(answers(lines, sounds))
    evaluation.record(signal(sounds))
    evaluation.record(ratings(sounds, rated_clips))
    evaluation.record(similarity(sounds, sentences))
    evaluation.check()
