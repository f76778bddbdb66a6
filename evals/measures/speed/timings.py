"""How long answers took, as numbers: everything that the figures of speed are made of."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from math import isfinite, nan
from sys import intern

import numpy as np
from numpy.typing import NDArray

from evals.measures.statistics.intervals import Floats
from evals.measures.statistics.speaker_ids import Speakers
from evals.records.predictions import Prediction


class Timings:
    """A column for each of a prediction's times, in s, and its energy; what is missing is NaN."""

    def __init__(self, predictions: Iterable[Prediction] = ()) -> None:
        self._audio = array("d")
        self._processing = array("d")
        self._waited = array("d")
        self._first_token = array("d")
        self._batch = array("d")
        self._joules = array("d")
        self._counted_by: list[str | None] = []
        self._speakers = Speakers()
        self.add(predictions)

    def add(self, predictions: Iterable[Prediction]) -> None:
        """The next predictions."""
        for p in predictions:
            self._audio.append(_number(p.audio_seconds))
            self._processing.append(_number(p.processing_seconds))
            self._waited.append(_number(p.waited_seconds))
            self._first_token.append(_number(p.first_token_seconds))
            self._batch.append(_number(p.batch_seconds))
            self._joules.append(_number(p.joules))
            # One text for all of them, however many lines it was read from.
            self._counted_by.append(intern(p.energy_method) if p.energy_method else None)
            self._speakers.add(p.speaker)

    @property
    def done(self) -> NDArray[np.bool_]:
        """Whether each was answered, and so has a time."""
        return ~np.isnan(self._processing)

    @property
    def audio(self) -> Floats:
        """Of each that is done, how long it is; NaN where nobody knows."""
        return np.array(self._audio)[self.done]

    @property
    def processing(self) -> Floats:
        """Of each that is done: of a call for several, its share."""
        return np.array(self._processing)[self.done]

    @property
    def waited(self) -> list[float | None]:
        """Of each that is done: of its processing, waiting for a CPU; None where nobody knows."""
        return _known(np.array(self._waited)[self.done])

    @property
    def calls(self) -> Floats:
        """Of each that is done, how long the call took that answered it, alone or with others."""
        batch = np.array(self._batch)[self.done]
        return np.where(np.isnan(batch), self.processing, batch)

    @property
    def waited_in_calls(self) -> list[float | None]:
        """Of each that is done: of its call, waiting for a CPU."""
        batch, waited = (np.array(column)[self.done] for column in (self._batch, self._waited))
        # What is kept is the share that the utterance has in its call, as of the processing.
        with np.errstate(divide="ignore", invalid="ignore"):
            of_all = waited * (batch / self.processing)
        return _known(np.where(np.isnan(batch), waited, of_all))

    @property
    def first_tokens(self) -> tuple[Floats, list[float | None]]:
        """Of each that was streamed, the time of its first piece; and of that, waiting for a CPU.

        Nobody tells when within its call an engine waited, so: all the time alike.
        """
        done = self.done
        times, waited = (np.array(column)[done] for column in (self._first_token, self._waited))
        streamed = ~np.isnan(times)
        with np.errstate(divide="ignore", invalid="ignore"):
            waits = waited / self.processing * times
        return times[streamed], _known(waits[streamed])

    @property
    def speakers(self) -> Sequence[int] | None:
        """The speaker of each that is done, where all are known."""
        return self._speakers.all(self.done)

    @property
    def energy(self) -> Iterable[tuple[float, float | None, str | None]]:
        """Of each that is done: seconds of audio, joules, and what counted these."""
        done = self.done
        methods = (m for m, it_is in zip(self._counted_by, done, strict=True) if it_is)
        joules = _known(np.array(self._joules)[done])
        return zip(self.audio.tolist(), joules, methods, strict=True)


def _number(seconds: float | None) -> float:
    return nan if seconds is None else seconds


def _known(column: Floats) -> list[float | None]:
    return [x if isfinite(x) else None for x in column.tolist()]
