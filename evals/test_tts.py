"""Speech synthesis: can it be understood, does it sound right, how fast is it?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from evals.gate.evaluation import Evaluation
from evals.judges.asr_judge import Judge
from evals.models.loaded import LoadedModel
from evals.records.spoken import Spoken
from evals.run.audio_files import hear_again
from evals.run.case_store import Stored
from evals.tasks.tts.clips import stored_clips
from evals.tasks.tts.provided import ProvidedVoice
from evals.tasks.tts.scores import (
    Listeners,
    intonation,
    naturalness,
    quality,
    ratings,
    similarity,
    speaker_similarity,
)
from evals.tasks.tts.second_voices import SecondVoices
from evals.tasks.tts.synthesize import synthesize_corpus
from evals.tasks.tts.task import TASK
from fixtures.corpora.sentences import Sentences


@pytest.mark.tts
def test_sentences(
    tts_model: LoadedModel | ProvidedVoice | None,
    sentences: Sentences,
    text_scoring: str,
    judges: Sequence[Judge],
    judges_again: Callable[[], Sequence[Judge]],
    second_voices: SecondVoices,
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
                second=second_voices,
                scoring=text_scoring,
                contended=stored.is_contended,
                advance=progress(len(sentences)),
            )
        observed = {**tts_model.cold_figures(), **tts_model.memory_figures()}
        sounds = stored_clips(stored, [*stored.read(Spoken)])
        stored.keep(
            normalizer=text_scoring,
            content_hash=sentences.content_hash,
            judges=[judge.name for judge in judges],
            second_voices=second_voices.names,
            **(tts_model.facts if isinstance(tts_model, ProvidedVoice) else {}),
            observed=observed,
            # They take networks, libraries and people's recordings, which need not be there later.
            listened={
                **intonation(sounds),
                **ratings(sounds, rated_clips),
                **quality(sounds, rated_clips),
                **naturalness(sounds, rated_clips, listeners.utmos),
                **similarity(sounds, sentences),
                **speaker_similarity(sounds, sentences, listeners.speakers, rated_clips),
            },
        )

    TASK.record(evaluation, stored)
    evaluation.check()
