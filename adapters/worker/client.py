"""The side of the harness: a model in a process of its own, and what can go wrong with it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from adapters import redaction
from adapters.catalog.engine import EngineRef
from adapters.interface import (
    Audio,
    LoadSpec,
    ModelError,
    Reply,
    Speech,
    Transcript,
    Turn,
    Word,
)
from adapters.meters.peak_memory import PeakMemory
from adapters.worker.messages import Message
from adapters.worker.process import InProcess, Transport, WorkerProcess
from adapters.worker.results import BatchTimed, MemoryPeaks, Packages, Timed, WorkerError
from adapters.worker.time_limits import allowed, spoken_seconds

#: Longer audio travels in a file: as a message it would be in memory several times over.
_INLINE_BYTES = 8_000_000
#: What the worker answers itself, without the model, has at least so long: to list the packages
#: of a large environment takes seconds on a busy machine, and is not the model's doing.
_OWN_SECONDS = 60.0


class ModelProcess:
    """One model, loaded and called in isolation. Not thread-safe.

    After `load`: load_seconds and load_memory say what it took, load_waited_seconds how
    long it waited for a CPU, loaded_from the path where a checkpoint that was only a name
    was found; batch_size how many utterances `transcribe_batch` takes (1: it is not for it).

    time_limit: seconds that any one call may take over a minute of audio or less; longer audio and
    texts have as many more as they are longer. load_time_limit: that loading may take; None is ten
    times time_limit.
    log: where the worker's output goes.
    python: the interpreter of the environment to run in; None means the harness's own.
    """

    def __init__(
        self,
        engine: EngineRef,
        spec: LoadSpec,
        *,
        isolated: bool = True,
        time_limit: float = 120.0,
        load_time_limit: float | None = None,
        log: Path | None = None,
        python: Path | None = None,
    ) -> None:
        if python is not None and not isolated:
            raise ValueError("a model in another environment cannot run in this process")
        self.engine = engine
        self.spec = spec
        self._isolated = isolated
        self._time_limit = time_limit
        self._load_time_limit = 10 * time_limit if load_time_limit is None else load_time_limit
        self._log = log
        self._python = python
        self._transport: Transport | None = None
        #: What ended the present worker, so that later calls can say it; None while it lives.
        self._ended_by: str | None = None
        self.load_seconds = 0.0
        self.load_waited_seconds: float | None = None
        self.device_name: str | None = None
        self.loaded_from: str | None = None
        self.languages: list[str] | None = None
        self.batch_size = 1
        self.has_unbatched = False
        self.load_memory = MemoryPeaks(PeakMemory(0, ""))

    @property
    def alive(self) -> bool:
        return self._transport is not None and self._transport.alive

    def load(self) -> float:
        """Start the worker and load the model; returns the seconds that loading took.

        The time includes the import of the engine's libraries. Raises WorkerError.
        """
        self.close()
        self._ended_by = None
        if self._log is not None:
            self._log.parent.mkdir(parents=True, exist_ok=True)
        self._transport = self._started() if self._isolated else InProcess()
        answer = self._ask(
            {
                "op": "load",
                "engine": self.engine.name,
                "file": self.engine.file,
                "spec": {**asdict(self.spec), "options": dict(self.spec.options)},
            },
            self._load_time_limit,
        )
        self.batch_size = answer["batch_size"]
        self.has_unbatched = answer["unbatched"]
        self.load_seconds = answer["seconds"]
        self.device_name = answer["device_name"]
        self.load_waited_seconds = answer["waited_seconds"]
        self.load_memory = _memory(answer)
        self.loaded_from = answer["loaded_from"]
        self.languages = answer["languages"]
        return self.load_seconds

    def transcribe(self, audio: Audio) -> Timed[Transcript]:
        """Recognize one utterance. Raises WorkerError."""
        with _sent([audio]) as sound:
            answer = self._ask({"op": "transcribe", **sound}, self._allowed(audio.seconds))
        return Timed(
            _transcript(answer),
            answer["seconds"],
            answer["first_token_seconds"],
            waited_seconds=answer["waited_seconds"],
            joules=answer["joules"],
            energy_method=answer["energy_method"],
        )

    def transcribe_batch(self, audios: Sequence[Audio]) -> BatchTimed:
        """Recognize utterances of one sample rate in one call. Raises WorkerError for all of them.

        The times are the call's. As many as `batch_size` says, at most.
        """
        rates = {audio.sample_rate for audio in audios}
        if len(rates) != 1:
            raise ValueError(f"a batch of audio at one rate is expected, not at {sorted(rates)} Hz")
        with _sent(audios) as sound:
            together = sum(audio.seconds for audio in audios)
            answer = self._ask({"op": "transcribe_batch", **sound}, self._allowed(together))
        return Timed(
            tuple(_transcript(row) for row in answer["transcripts"]),
            answer["seconds"],
            waited_seconds=answer["waited_seconds"],
            joules=answer["joules"],
            energy_method=answer["energy_method"],
        )

    def transcribe_unbatched(self, audio: Audio) -> str:
        """The text of one utterance, with nothing done at once. Raises WorkerError."""
        with _sent([audio]) as sound:
            request = {"op": "transcribe_unbatched", **sound}
            return _transcript(self._ask(request, self._allowed(audio.seconds))).text

    def synthesize(self, text: str, voice: Mapping[str, Any] | None = None) -> Timed[Speech]:
        """Speak one utterance. Raises WorkerError."""
        voice = dict(voice) if voice else None
        request = {"op": "synthesize", "text": text, "voice": voice}
        answer = self._ask(request, self._allowed(spoken_seconds(text)))
        words = tuple(Word(*word) for word in answer["words"])
        return Timed(
            Speech(_received(answer), words),
            answer["seconds"],
            first_audio_seconds=answer["first_audio_seconds"],
            waited_seconds=answer["waited_seconds"],
            joules=answer["joules"],
            energy_method=answer["energy_method"],
        )

    def reply(self, turns: Sequence[Turn]) -> Timed[Reply]:
        """The assistant's next turn. Raises WorkerError."""
        rows = [
            {"role": turn.role, "text": turn.text, "sound": turn.audio is not None}
            for turn in turns
        ]
        sounds = [turn.audio for turn in turns if turn.audio is not None]
        together = sum(audio.seconds for audio in sounds)
        with _sent(sounds) as sound:
            answer = self._ask({"op": "reply", "turns": rows, **sound}, self._allowed(together))
        audio = _received(answer) if answer["sample_rate"] else None
        return Timed(
            Reply(answer["text"], audio, answer["heard"]),
            answer["seconds"],
            answer["first_token_seconds"],
            answer["first_audio_seconds"],
            answer["waited_seconds"],
        )

    def peak_memory(self, *, reset: bool = False) -> MemoryPeaks:
        """The worker's peaks since loading ended, or since the last reset."""
        return _memory(self._ask({"op": "memory", "reset": reset}, self._own_limit))

    def packages(self, modules: Sequence[str]) -> Packages:
        """The worker's Python, and the packages that bring these top-level modules there."""
        answer = self._ask({"op": "packages", "modules": list(modules)}, self._own_limit)
        return Packages(answer["python"], answer["packages"])

    def modules(self) -> Mapping[str, str]:
        """Path and SHA-256 of what the worker loaded from folders of engines outside the repo.

        Raises WorkerError.
        """
        if self.engine.file is None and not self.engine.adapter().engines(self.spec.options):
            return {}
        modules: Mapping[str, str] = self._ask({"op": "modules"}, self._own_limit)["modules"]
        return modules

    def close(self) -> None:
        """End the worker. Never raises: the model's results are in already."""
        transport, self._transport = self._transport, None
        if transport is None:
            return
        try:
            if transport.alive:
                transport.ask({"op": "close"}, self._time_limit)
        except WorkerError:
            pass  # a model that dies while it is closed has nothing left to lose
        finally:
            transport.stop()

    @property
    def _own_limit(self) -> float:
        return max(self._time_limit, _OWN_SECONDS)

    def _allowed(self, audio_seconds: float) -> float:
        return allowed(self._time_limit, audio_seconds)

    def _started(self) -> WorkerProcess:
        try:
            needed = self.engine.adapter().secrets(self.spec.options)
        except ModelError as error:
            raise WorkerError("refused", str(error)) from None
        return WorkerProcess(self.spec.threads, self._log, self._python, redaction.withheld(needed))

    def _ask(self, request: Message, limit_seconds: float | None = None) -> Message:
        if self._transport is None or not self._transport.alive:
            why = f": {self._ended_by}" if self._ended_by is not None else ""
            raise WorkerError("exited", f"the worker is not running{why}")
        try:
            answer = self._transport.ask(request, limit_seconds or self._time_limit)
        except WorkerError as error:
            self._ended_by = str(error)
            raise
        if "error" in answer:
            raise WorkerError(answer["error"], answer["message"])
        return answer


def _memory(answer: Message) -> MemoryPeaks:
    device = answer["device"]
    return MemoryPeaks(PeakMemory(*answer["host"]), PeakMemory(*device) if device else None)


def _transcript(row: Message) -> Transcript:
    words = tuple(Word(*word) for word in row["words"])
    return Transcript(row["text"], row["language"], words)


@contextmanager
def _sent(audios: Sequence[Audio]) -> Iterator[Message]:
    """Sounds, end to end, as part of a request; where they are long together, in a file that goes
    with the block.
    """
    sounds = [np.ascontiguousarray(audio.samples, dtype=np.float32) for audio in audios]
    parts: Message = {
        "sounds": [(len(audio.samples), audio.sample_rate, audio.language) for audio in audios],
    }
    if sum(sound.nbytes for sound in sounds) <= _INLINE_BYTES:
        yield {"samples": b"".join(sound.tobytes() for sound in sounds), **parts}
        return
    with tempfile.TemporaryDirectory(prefix="model-lab-") as folder:
        file = Path(folder) / "audio.f32"
        with file.open("wb") as stream:
            for sound in sounds:
                sound.tofile(stream)
        yield {"file": str(file), **parts}


def _received(answer: Message) -> Audio:
    return Audio(np.frombuffer(answer["samples"], dtype=np.float32), answer["sample_rate"])
