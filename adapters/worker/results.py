"""What a call of a model comes to: its answer and times, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from adapters import redaction
from adapters.interface import (
    Transcript,
)
from adapters.meters.peak_memory import PeakMemory

R = TypeVar("R")


class WorkerError(Exception):
    """A model failed to do what was asked.

    kind: "refused" (it said why), "raised", "wrong_type", "out_of_memory" (the process
    lives on: less at once may do), "exited", "crashed" or "hung". After the last three the
    process is gone. The message has no secret of the environment in it.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(redaction.redact(message))
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Timed(Generic[R]):
    """A result with the seconds that the engine's call took, measured inside the worker.

    waited_seconds: of these, waiting for a CPU that other processes held; None where the
    system does not tell.
    first_token_seconds, first_audio_seconds: until the first piece of text that can be
    shown and of audio that can be played; None where the answer came whole.
    joules: what the device drew meanwhile, by energy_method ("nvml" or "rapl"); None where no
    counter can be read.
    """

    result: R
    seconds: float
    first_token_seconds: float | None = None
    first_audio_seconds: float | None = None
    waited_seconds: float | None = None
    joules: float | None = None
    energy_method: str | None = None


#: The transcripts of a batch, in the order of its utterances, with what the one call took.
BatchTimed: TypeAlias = Timed[tuple[Transcript, ...]]


@dataclass(frozen=True, slots=True)
class MemoryPeaks:
    """The most memory in use: the process's resident set, and the device's where it has its own."""

    host: PeakMemory
    device: PeakMemory | None = None


@dataclass(frozen=True, slots=True)
class Packages:
    """What a worker runs on: the Python version, and package name to version."""

    python: str
    versions: Mapping[str, str]
