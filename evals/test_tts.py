"""Speech synthesis: can it be understood, does it sound right, how fast is it?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from evals.dominant import name_dominant
from evals.evaluation import Evaluation
from evals.judging import Judge
from evals.kept_audio import hear_again
from evals.measurement import ALL
from evals.models import LoadedModel
from evals.spoken import Spoken
from evals.stored import Stored
from evals.synthesis import synthesize_corpus
from evals.tts_scores import (
    Listeners,
    answers,
    by_part,
    clips,
    heard_by,
    intelligibility,
    intonation,
    naturalness,
    ratings,
    signal,
    similarity,
    speaker_similarity,
    tts_speed,
)
from fixtures.sentences import Sentences


@pytest.mark.tts
def test_sentences(
    tts_model: LoadedModel | None,
    sentences: Sentences,
    text_scoring: str,
    judges: Sequence[Judge],
    judges_again: Callable[[], Sequence[Judge]],
    evaluation: Evaluation,
    stored: Stored,
    rated_clips: int,
    listeners: Listeners,
    progress: Callable[[int], Callable[[], None]],
) -> None:
    """Every sentence once; the audio is kept, and all figures are recorded before any limit."""
    with stored.lines(Spoken) as file:
        recordings = {row.id: row.recording for row in sentences if row.recording is not None}
        hear_again(file, Spoken, judges_again, stored.run, recordings)
    if tts_model is not None:  # else an earlier session has had it all spoken
        tts_model.start_peak()
        with stored.lines(Spoken) as file:
            synthesize_corpus(
                tts_model,
                sentences,
                judges,
                file,
                stored.run,
                contended=stored.is_contended,
                advance=progress(len(sentences)),
            )
        observed = {**tts_model.cold_figures(), **tts_model.memory_figures()}
        sounds = clips([*stored.read(Spoken)], stored.run)
        stored.keep(
            normalizer=text_scoring,
            content_hash=sentences.content_hash,
            judges=[judge.name for judge in judges],
            observed=observed,
            # They take networks, libraries and people's recordings, which need not be there later.
            listened={
                **intonation(sounds),
                **ratings(sounds, rated_clips),
                **naturalness(sounds, rated_clips, listeners.utmos),
                **similarity(sounds, sentences),
                **speaker_similarity(sounds, sentences, listeners.speakers, rated_clips),
            },
        )

    score(evaluation, stored)
    evaluation.check()


def score(evaluation: Evaluation, stored: Stored) -> None:
    """From what was said, and what recognizers heard of it, to figures."""
    lines = [*stored.read(Spoken)]
    evaluation.record(tts_speed(lines))
    evaluation.record(stored.figures())
    judges = stored.facts["judges"]
    for number, judge in enumerate(judges):
        part = f"judge={judge}" if number else ALL
        figures = intelligibility(lines, judge, stored.normalizer)
        evaluation.record(figures, normalizer=stored.normalizer, slice_name=part)
        if figures["wer"].value is not None:
            name_dominant(evaluation, heard_by(lines, judge, stored.normalizer), part)
    for name, figure in by_part(lines, judges[0], stored.normalizer).items():
        evaluation.record({"wer": figure}, normalizer=stored.normalizer, slice_name=name)
    sounds = clips(lines, stored.run)
    evaluation.record(answers(lines, sounds))
    evaluation.record(signal(sounds))
    evaluation.record(stored.figures("listened"))
