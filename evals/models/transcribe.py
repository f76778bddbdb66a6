"""Running a speech recognizer over a corpus: the one place where its predictions are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from adapters.interface import Audio, Transcript
from adapters.worker.results import BatchTimed, Timed, WorkerError
from evals.models.batching import batches
from evals.models.loaded import LoadedModel
from evals.models.prefetch import ahead
from evals.models.retry import Answered, Patience, ask_once
from evals.records.predictions import Prediction, PredictionFile
from fixtures.audio.read import SAMPLE_RATE, AudioError, Samples
from fixtures.corpora.corpus import Corpus, Utterance
from fixtures.safe_text import one_line

#: Utterances that are decoded before the model is ready for them, and the bytes that they may take.
_AHEAD = 16
_AHEAD_BYTES = 64_000_000
#: An utterance that is heard sooner than this is not worth a thread.
_WORTH_SECONDS = 0.002
#: Batches of like length are picked from so many batches' worth of utterances...
_LOOK_AHEAD = 8
#: ...that last no longer than this together: 115 MB.
_HELD_SECONDS = 1800.0
#: So many utterances of a model that does several at once are heard without that as well, to tell
#: whether it changes their text...
_COMPARED = 20
#: ...of so many seconds together, but for the first one.
_COMPARED_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Heard:
    """An utterance with its sound."""

    utterance: Utterance
    audio: Audio


@dataclass
class Asking:
    """How a model is asked: how many utterances at once, and how often it has died.

    compared: how many utterances were heard without batching as well; seconds: of their audio.
    """

    size: int
    compared: int = 0
    seconds: float = 0.0
    patience: Patience = field(default_factory=Patience)


def transcribe_corpus(
    model: LoadedModel,
    corpus: Corpus,
    file: PredictionFile,
    *,
    contended: bool = False,
    advance: Callable[[], None] = lambda: None,
    sound: Callable[[Utterance], Samples] = Utterance.load,
) -> None:
    """One prediction for each utterance that `file` has none of, appended as made.

    They come in the corpus's order, or in batches of like length where the model takes several
    utterances at once. One on which the model fails is a prediction with its error, and so are
    those that are not tried after it died too often, and, in the end, those whose audio cannot be
    read: the files were looked through before, and have changed or gone since.
    sound: what is heard of an utterance, shape (n,) at 16 kHz. May raise AudioError.
    """
    unreadable: list[tuple[Utterance, str]] = []

    def missing() -> Iterator[Heard]:
        for utterance in corpus:
            if utterance.id in file:
                continue
            try:
                samples = sound(utterance)
            except AudioError as error:
                where = f"{utterance.where(corpus.manifest)}: {utterance.path}"
                unreadable.append((utterance, one_line(f"{where} {error}")))
                continue
            yield Heard(utterance, Audio(samples, SAMPLE_RATE, utterance.lang))

    if file.begun:
        for utterance in corpus:
            if utterance.id in file:
                advance()
    decoded = ahead(
        missing(), most=_AHEAD, size=_bytes, most_bytes=_AHEAD_BYTES, worth_seconds=_WORTH_SECONDS
    )
    try:
        for prediction in transcribe_all(model, decoded, contended=contended):
            file.append(prediction)
            advance()
        for utterance, why in unreadable:
            file.append(_unheard(utterance, why))
            advance()
    finally:
        decoded.close()


def transcribe_all(
    model: LoadedModel,
    utterances: Iterable[Heard],
    *,
    contended: bool = False,
    asking: Asking | None = None,
) -> Iterator[Prediction]:
    """A prediction for each utterance, as it is made.

    asking: how the model has been asked before, where these are not the first of a corpus.
    """
    asking = asking or Asking(max(1, model.batch_size))
    if asking.size == 1:
        for heard in utterances:
            yield _alone(model, heard, asking, contended)
        return
    for batch in batches(
        utterances,
        size=lambda: asking.size,
        seconds=lambda heard: heard.audio.seconds,
        look_ahead=_LOOK_AHEAD * asking.size,
        most_seconds=_HELD_SECONDS,
    ):
        yield from _together(model, batch, asking, contended)


def _alone(model: LoadedModel, heard: Heard, asking: Asking, contended: bool) -> Prediction:
    made = prediction_of(
        ask_once(model, heard, lambda one: model.transcribe(one.audio), asking.patience), contended
    )
    # Its windows may be heard at once all the same.
    if model.has_unbatched and made.error is None:
        return _compared(model, heard, made, asking)
    return made


def _together(
    model: LoadedModel, batch: Sequence[Heard], asking: Asking, contended: bool
) -> Iterator[Prediction]:
    """The predictions of a batch; of halves of it where memory runs out, else one by one."""
    if len(batch) == 1 or asking.patience.over is not None:
        for heard in batch:
            yield _alone(model, heard, asking, contended)
        return
    try:
        if not model.alive:
            model.restart()
        answer = model.transcribe_batch([heard.audio for heard in batch])
    except WorkerError as failure:
        if failure.kind == "out_of_memory":
            half = (len(batch) + 1) // 2
            asking.size = min(asking.size, half)
            for smaller in (batch[:half], batch[half:]):
                yield from _together(model, smaller, asking, contended)
        else:
            # Whose fault it is shows when each is asked alone.
            for heard in batch:
                yield _alone(model, heard, asking, contended)
        return
    asking.patience.survived()
    for heard, timed in zip(batch, _shared_out(answer, batch), strict=True):
        made = prediction_of(Answered(heard, timed), contended, answer.seconds, len(batch))
        # The shortest comes last: it is padded most, which is what may change a text.
        yield _compared(model, heard, made, asking) if heard is batch[-1] else made


def _compared(model: LoadedModel, heard: Heard, made: Prediction, asking: Asking) -> Prediction:
    """The prediction with the text that the model hears without batching, for the first ones.

    None is that of an utterance over which the model fails then.
    """
    seconds = asking.seconds + heard.audio.seconds
    if asking.compared >= _COMPARED or (asking.compared and seconds > _COMPARED_SECONDS):
        return made
    asking.compared, asking.seconds = asking.compared + 1, seconds
    try:
        if model.has_unbatched:
            return replace(made, alone=model.transcribe_unbatched(heard.audio))
        return replace(made, alone=model.transcribe(heard.audio).result.text)
    except WorkerError:
        return made


def _shared_out(answer: BatchTimed, batch: Sequence[Heard]) -> Iterator[Timed[Transcript]]:
    """Of a call's time and energy, each utterance's by its length, so that sums stay the call's."""
    seconds = [heard.audio.seconds for heard in batch]
    total = sum(seconds)
    for transcript, length in zip(answer.result, seconds, strict=True):
        share = length / total if total else 1 / len(batch)
        yield Timed(
            transcript,
            answer.seconds * share,
            waited_seconds=_times(answer.waited_seconds, share),
            joules=_times(answer.joules, share),
            energy_method=answer.energy_method,
        )


def _times(value: float | None, share: float) -> float | None:
    return None if value is None else value * share


def _unheard(utterance: Utterance, why: str) -> Prediction:
    """The line of an utterance that no model got to hear."""
    silence = Audio(np.zeros(0, np.float32), SAMPLE_RATE, utterance.lang)
    return prediction_of(Answered(Heard(utterance, silence), why, 0), contended=False)


def prediction_of(
    asked: Answered[Heard, Transcript],
    contended: bool,
    batch_seconds: float | None = None,
    batch_size: int | None = None,
) -> Prediction:
    """The line of an answer. batch_seconds: of the call, where it answered batch_size at once."""
    utterance, answer = asked.item.utterance, asked.answer
    timed = answer if isinstance(answer, Timed) else None
    return Prediction(
        id=utterance.id,
        reference=utterance.text,
        hypothesis=timed.result.text if timed else "",
        audio_seconds=asked.item.audio.seconds,
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
        index=utterance.index,
        batch_seconds=batch_seconds,
        batch_size=batch_size,
        attempts=asked.attempts,
        lang=utterance.lang,
        alternatives=list(utterance.alternatives),
    )


def _bytes(heard: Heard) -> int:
    return heard.audio.samples.nbytes
