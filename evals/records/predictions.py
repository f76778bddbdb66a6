"""What a model said for one utterance, raw, and the file that keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evals.records.jsonl_reader import read_lines
from evals.records.jsonl_writer import LineFile

__all__ = ["LineFile", "Prediction", "PredictionFile", "read_lines", "read_predictions"]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One line of `runs/<run>/<model>/<task>/<corpus>.jsonl`.

    reference, hypothesis: raw text. audio_seconds: length of the audio heard; None where the
    hypothesis was provided, and nobody tells.
    processing_seconds: the engine's call alone; None where it did not finish, or was made elsewhere
    and nobody tells.
    error: why there is no hypothesis, which is then empty and counts as all deletions.
    metadata: the manifest's other keys of the utterance.
    first_token_seconds: until the first piece of text; None where the engine does not stream.
    contended: other models shared the machine, so the time is not the model's own.
    waited_seconds: of the processing, waiting for a CPU that other processes held; None
    where the system does not tell, and in files from before it was asked.
    audio: the file that was heard; a condition's noise or codec is not in it. offset: where in
    it the utterance begins, in s.
    joules: what the device drew in the processing seconds, counted by energy_method ("nvml" or
    "rapl"); None where no counter can be read.
    index: its place in the corpus, from 0, in whatever order the lines were made.
    batch_seconds: of the call that answered batch_size utterances at once, which is how long
    this one took to come; processing_seconds is then its share, by length. None for a call of its
    own.
    lang: of the manifest; None where it names none, and in files from before it was kept.
    alone: of some utterances of batches, what is heard where they are the only one.
    attempts: how often it was tried, where the model's process died over it.
    alternatives: further references that are as right, raw; see `Utterance.alternatives`.
    """

    id: str
    reference: str
    hypothesis: str
    audio_seconds: float | None
    processing_seconds: float | None
    error: str | None = None
    speaker: str | None = None
    category: str | None = None
    contended: bool = False
    first_token_seconds: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    waited_seconds: float | None = None
    audio: str | None = None
    offset: float | None = None
    joules: float | None = None
    energy_method: str | None = None
    index: int | None = None
    batch_seconds: float | None = None
    batch_size: int | None = None
    attempts: int = 1
    alone: str | None = None
    lang: str | None = None
    alternatives: Sequence[str] = ()


PredictionFile = LineFile[Prediction]


def read_predictions(path: Path) -> Sequence[Prediction]:
    """The predictions in a file. Raises ValueError naming the line that is not one."""
    return read_lines(path, Prediction)
