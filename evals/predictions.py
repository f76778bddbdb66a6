"""What a model said for one utterance, raw, and the file that keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TextIO, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True, slots=True)
class Prediction:
    """One line of `runs/<run>/<model>/<task>/<corpus>.jsonl`.

    reference, hypothesis: raw text. audio_seconds: length of the audio heard.
    processing_seconds: the engine's call alone; None where it did not finish.
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
    """

    id: str
    reference: str
    hypothesis: str
    audio_seconds: float
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


T = TypeVar("T", bound="DataclassInstance")


class LineFile(Generic[T]):
    """Appends lines as they are made, each flushed before the next one is begun."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = path.open("x", encoding="utf-8")

    def append(self, line: T) -> None:
        """Write one line."""
        self._file.write(json.dumps(asdict(line), ensure_ascii=False, allow_nan=False) + "\n")
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


PredictionFile = LineFile[Prediction]


def read_predictions(path: Path) -> Sequence[Prediction]:
    """The predictions in a file. Raises ValueError naming the line that is not one."""
    return read_lines(path, Prediction)


def read_lines(path: Path, kind: type[T]) -> Sequence[T]:
    """What a `LineFile` of that kind wrote. Raises ValueError naming the line that is none."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line:
            continue
        try:
            found.append(kind(**json.loads(line)))
        except (TypeError, ValueError) as error:
            what = kind.__name__.lower()
            raise ValueError(f"{path}:{number}: not a {what}: {error}") from None
    return found
