"""Running a speech recognizer over a corpus: the one place where its predictions are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from adapters.interface import Audio, Transcript
from adapters.process import Timed
from evals.asking import ask_each
from evals.models import LoadedModel
from evals.predictions import Prediction, PredictionFile
from fixtures.audio import SAMPLE_RATE, Samples
from fixtures.corpus import Corpus, Utterance


def transcribe_corpus(
    model: LoadedModel,
    corpus: Corpus,
    file: PredictionFile,
    *,
    contended: bool = False,
    advance: Callable[[], None] = lambda: None,
    sound: Callable[[Utterance], Samples] = Utterance.load,
) -> Sequence[Prediction]:
    """One prediction per utterance, in the corpus's order, appended to `file` as made.

    An utterance on which the model fails is a prediction with its error, and so are those that
    are not tried after it died too often.
    sound: what is heard of an utterance, shape (n,) at 16 kHz.
    """

    def heard() -> Iterator[tuple[Utterance, Audio]]:
        for utterance in corpus:
            yield utterance, Audio(sound(utterance), SAMPLE_RATE)

    predictions: list[Prediction] = []
    for (utterance, audio), answer in ask_each(
        model, heard(), lambda pair: model.transcribe(pair[1])
    ):
        prediction = _prediction(utterance, audio, answer, contended)
        file.append(prediction)
        predictions.append(prediction)
        advance()
    return predictions


def _prediction(
    utterance: Utterance, audio: Audio, answer: Timed[Transcript] | str, contended: bool
) -> Prediction:
    timed = answer if isinstance(answer, Timed) else None
    return Prediction(
        id=utterance.id,
        reference=utterance.text,
        hypothesis=timed.result.text if timed else "",
        audio_seconds=audio.seconds,
        processing_seconds=timed.seconds if timed else None,
        error=answer if isinstance(answer, str) else None,
        speaker=utterance.speaker,
        category=utterance.category,
        contended=contended,
        first_token_seconds=timed.first_token_seconds if timed else None,
        metadata=dict(utterance.metadata),
        waited_seconds=timed.waited_seconds if timed else None,
        audio=str(utterance.path),
        offset=utterance.offset,
        joules=timed.joules if timed else None,
        energy_method=timed.energy_method if timed else None,
    )
