"""Running a speech recognizer over a corpus: the one place where predictions are made."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from adapters.interface import Audio
from adapters.process import WorkerError
from evals.models import LoadedModel
from evals.predictions import Prediction, PredictionFile
from fixtures.audio import SAMPLE_RATE, Samples
from fixtures.corpus import Corpus, Utterance

#: A model that keeps dying is given up after this many deaths on one corpus.
MAX_DEATHS = 3


def transcribe_corpus(
    model: LoadedModel,
    corpus: Corpus,
    file: PredictionFile,
    *,
    clip: Audio,
    contended: bool = False,
    advance: Callable[[], None] = lambda: None,
    sound: Callable[[Utterance], Samples] = Utterance.load,
) -> Sequence[Prediction]:
    """One prediction per utterance, in the corpus's order, appended to `file` as made.

    An utterance on which the model fails is a prediction with its error. Where
    the model's process dies it is started anew (warmed up on `clip`); after
    MAX_DEATHS the remaining utterances are errors too, so that none is dropped.
    sound: what is heard of an utterance, shape (n,) at 16 kHz.
    """
    predictions: list[Prediction] = []
    deaths = 0
    given_up: str | None = None
    for utterance in corpus:
        audio = Audio(sound(utterance), SAMPLE_RATE)
        error = given_up
        if error is None:
            try:
                if not model.alive:
                    model.restart(clip)
                timed = model.transcribe(audio)
                prediction = _prediction(
                    utterance,
                    audio,
                    timed.result.text,
                    timed.seconds,
                    waited=timed.waited_seconds,
                    first_token=timed.first_token_seconds,
                    contended=contended,
                )
            except WorkerError as failure:
                error = str(failure)
                if not model.alive:
                    deaths += 1
                    if deaths >= MAX_DEATHS:
                        given_up = f"not tried: the model's process died {deaths} times: {error}"
        if error is not None:
            prediction = _prediction(utterance, audio, "", None, error=error, contended=contended)
        file.append(prediction)
        predictions.append(prediction)
        advance()
    return predictions


def _prediction(
    utterance: Utterance,
    audio: Audio,
    hypothesis: str,
    seconds: float | None,
    *,
    waited: float | None = None,
    first_token: float | None = None,
    error: str | None = None,
    contended: bool,
) -> Prediction:
    return Prediction(
        id=utterance.id,
        reference=utterance.text,
        hypothesis=hypothesis,
        audio_seconds=audio.seconds,
        processing_seconds=seconds,
        error=error,
        speaker=utterance.speaker,
        category=utterance.category,
        contended=contended,
        first_token_seconds=first_token,
        metadata=dict(utterance.metadata),
        waited_seconds=waited,
    )
