"""What a voice or an assistant does when it is first asked, and what is wrong with it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adapters.interface import Audio, Turn
from adapters.worker.results import WorkerError
from evals.models.loaded import LoadedModel
from evals.records.measurement import Figure

#: Sample rates of speech, from a telephone's to the highest that sound cards have, in Hz.
RATES = (8_000, 192_000)
#: Words that are spoken in a second: a slow reader has 1.5, an auctioneer 6.
WORDS_PER_SECOND = (0.5, 10.0)
#: A peak below it is silence, of full scale: -60 dB.
SILENT = 1e-3


@dataclass(frozen=True, slots=True)
class Attempt:
    """One answer: its text and sound, and what is wrong with it.

    sha256: of the samples, as 32-bit floats. seconds: of the sound; None where there is none.
    problem: None where it can be an answer.
    """

    text: str | None = None
    seconds: float | None = None
    sample_rate: int | None = None
    sha256: str | None = None
    problem: str | None = None


def speak(model: LoadedModel, text: str) -> Attempt:
    """A sentence, spoken."""
    try:
        audio = model.synthesize(text).result.audio
    except WorkerError as error:
        return Attempt(problem=str(error))
    return _heard(audio, wrong_with(audio, len(text.split())))


def answer(model: LoadedModel, turn: Audio) -> Attempt:
    """The answer to a spoken turn."""
    try:
        reply = model.reply([Turn("user", None, turn)]).result
    except WorkerError as error:
        return Attempt(problem=str(error))
    if reply.audio is None:
        silent = (
            None if any(map(str.isalnum, reply.text)) else "the answer has neither word nor sound"
        )
        return Attempt(reply.text, problem=silent)
    return _heard(reply.audio, wrong_with(reply.audio), reply.text)


def wrong_with(audio: Audio, words: int | None = None) -> str | None:
    """Why a sound cannot be speech, of so many words where that is known; None where it can."""
    least, most = RATES
    if not least <= audio.sample_rate <= most:
        return f"a sample rate of {audio.sample_rate} Hz: {least:,} to {most:,} are expected"
    if not len(audio.samples):
        return "the sound is empty"
    if not np.isfinite(audio.samples).all():
        return "the sound has samples that are not finite"
    if np.abs(audio.samples).max() < SILENT:
        return "the sound is silent"
    if words is not None:
        slow, fast = WORDS_PER_SECOND
        pace = words / audio.seconds
        if not slow <= pace <= fast:
            expected = f"{words / fast:.1f} to {words / slow:.0f} s are expected"
            return f"{words} words in {audio.seconds:.2f} s: {expected}"
    return None


def same(attempts: Sequence[Attempt]) -> Figure:
    """Whether all attempts have the same samples: 1 or 0, with what they have where not."""
    if any(attempt.sha256 is None for attempt in attempts):
        return Figure(None, len(attempts), reason="there are no two sounds to compare")
    if len({attempt.sha256 for attempt in attempts}) == 1:
        return Figure(1.0, len(attempts))
    lengths = " and ".join(f"{attempt.seconds:.2f} s" for attempt in attempts)
    return Figure(
        0.0,
        len(attempts),
        reason="not reproducible: the same sentence asked twice from the same seed is another "
        f"sound ({lengths}), so that figures differ by what was asked before, or by run",
    )


def first_problem(attempts: Sequence[Attempt]) -> str | None:
    """What is wrong with the first attempt that is no answer; None where all are."""
    return next((one.problem for one in attempts if one.problem is not None), None)


def _heard(audio: Audio, problem: str | None, text: str | None = None) -> Attempt:
    samples = np.ascontiguousarray(audio.samples, np.float32)
    return Attempt(
        text,
        audio.seconds,
        audio.sample_rate,
        hashlib.sha256(samples.tobytes()).hexdigest(),
        problem,
    )
