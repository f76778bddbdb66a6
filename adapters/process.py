"""The side of the harness: a model in a process of its own, and what can go wrong with it."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import execnet
import numpy as np
import psutil

from adapters.engines import EngineRef
from adapters.interface import Audio, LoadSpec, Speech, Transcript, Word
from adapters.memory import PeakMemory
from adapters.worker import Message, Worker

ROOT = str(Path(__file__).parents[1])
R = TypeVar("R")

_BOOTSTRAP = """
import sys
sys.path.insert(0, channel.receive())
from adapters.worker import serve
serve(channel)
"""

# Nothing is ever downloaded unasked: engines that look for a hub find it offline.
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}


class WorkerError(Exception):
    """A model failed to do what was asked.

    kind: "refused" (it said why), "raised", "wrong_type", "exited", "crashed"
    or "hung". After the last three the process is gone.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Timed(Generic[R]):
    """A result with the seconds that the engine's call took, measured inside the worker."""

    result: R
    seconds: float


class _Transport(Protocol):
    def ask(self, request: Message, limit_seconds: float) -> Message: ...
    def stop(self) -> None: ...
    @property
    def alive(self) -> bool: ...


class _InProcess:
    """`--isolation none`: the model in the harness's own process, for a debugger."""

    alive = True

    def __init__(self) -> None:
        self._worker = Worker()

    def ask(self, request: Message, limit_seconds: float) -> Message:
        return self._worker.handle(request)

    def stop(self) -> None:
        self.alive = False


class _Gateway:
    """A worker process behind an execnet gateway."""

    def __init__(self, threads: int, log: Path | None) -> None:
        # Thread pools read these when their library is imported, so they are set before.
        environment = {
            **_OFFLINE,
            "OMP_NUM_THREADS": str(threads),
            "OPENBLAS_NUM_THREADS": str(threads),
            "MKL_NUM_THREADS": str(threads),
        }
        spec = "//".join(["popen", *(f"env:{key}={value}" for key, value in environment.items())])
        self._group = execnet.Group()
        self._log = log
        self._log_start = log.stat().st_size if log is not None and log.exists() else 0
        gateway = self._group.makegateway(spec)
        self._channel = gateway.remote_exec(_BOOTSTRAP)
        self._channel.send(ROOT)
        self._channel.send(str(log) if log is not None else "")
        self._process = psutil.Process(self._receive(60.0)["pid"])
        self.alive = True

    def ask(self, request: Message, limit_seconds: float) -> Message:
        try:
            self._channel.send(request)
            return self._receive(limit_seconds)
        except self._channel.TimeoutError:
            self._kill()
            raise WorkerError(
                "hung",
                f"no answer to {request['op']!r} within {limit_seconds:g} s, so the worker was "
                "killed (--time-limit sets the seconds allowed)",
            ) from None
        except (EOFError, OSError):
            raise self._obituary(request["op"]) from None

    def stop(self) -> None:
        self.alive = False
        self._group.terminate(timeout=2.0)

    def _receive(self, limit_seconds: float) -> Message:
        answer: Message = self._channel.receive(timeout=limit_seconds)
        return answer

    def _kill(self) -> None:
        try:
            for child in self._process.children(recursive=True):
                child.kill()
            self._process.kill()
        except psutil.NoSuchProcess:
            pass
        self.stop()

    def _obituary(self, op: str) -> WorkerError:
        """Why the process is gone, as far as its exit status and its last words tell."""
        try:
            status = self._process.wait(timeout=5.0)
        except (psutil.TimeoutExpired, psutil.NoSuchProcess):
            status = None
        self._kill()
        if status is not None and status < 0:
            name = signal.Signals(-status).name
            hint = " (out of memory?)" if name == "SIGKILL" else ""
            what, kind = f"was ended by {name}{hint}", "crashed"
        else:
            what = "ended" + (f" with exit status {status}" if status is not None else "")
            kind = "exited"
        return WorkerError(kind, f"the worker {what} during {op!r}{self._last_words()}")

    def _last_words(self) -> str:
        if self._log is None or not self._log.exists():
            return ""
        with self._log.open("rb") as file:
            file.seek(self._log_start)
            said = file.read().decode("utf-8", "replace").strip()
        return f"; its output is in {self._log}" if said else ""


class ModelProcess:
    """One model, loaded and called in isolation. Not thread-safe.

    time_limit: seconds that any one call may take; loading may take ten times as long.
    log: where the worker's output goes.
    """

    def __init__(
        self,
        engine: EngineRef,
        spec: LoadSpec,
        *,
        isolated: bool = True,
        time_limit: float = 120.0,
        log: Path | None = None,
    ) -> None:
        self.engine = engine
        self.spec = spec
        self._isolated = isolated
        self._time_limit = time_limit
        self._log = log
        self._transport: _Transport | None = None
        self.load_seconds = 0.0
        self.load_memory = PeakMemory(0, "")

    @property
    def alive(self) -> bool:
        return self._transport is not None and self._transport.alive

    def load(self) -> float:
        """Start the worker and load the model; returns the seconds that loading took.

        The time includes the import of the engine's libraries. Raises WorkerError.
        """
        self.close()
        if self._log is not None:
            self._log.parent.mkdir(parents=True, exist_ok=True)
        self._transport = _Gateway(self.spec.threads, self._log) if self._isolated else _InProcess()
        answer = self._ask(
            {
                "op": "load",
                "engine": self.engine.name,
                "file": self.engine.file,
                "spec": {**asdict(self.spec), "options": dict(self.spec.options)},
            },
            10 * self._time_limit,
        )
        self.load_seconds = answer["seconds"]
        self.load_memory = _memory(answer)
        return self.load_seconds

    def transcribe(self, audio: Audio) -> Timed[Transcript]:
        """Recognize one utterance. Raises WorkerError."""
        answer = self._ask(
            {
                "op": "transcribe",
                "samples": np.ascontiguousarray(audio.samples, dtype=np.float32).tobytes(),
                "sample_rate": audio.sample_rate,
            }
        )
        words = tuple(Word(*word) for word in answer["words"])
        transcript = Transcript(answer["text"], answer["language"], words)
        return Timed(transcript, answer["seconds"])

    def synthesize(self, text: str, voice: Mapping[str, Any] | None = None) -> Timed[Speech]:
        """Speak one utterance. Raises WorkerError."""
        voice = dict(voice) if voice else None
        answer = self._ask({"op": "synthesize", "text": text, "voice": voice})
        samples = np.frombuffer(answer["samples"], dtype=np.float32)
        words = tuple(Word(*word) for word in answer["words"])
        return Timed(Speech(Audio(samples, answer["sample_rate"]), words), answer["seconds"])

    def peak_memory(self, *, reset: bool = False) -> PeakMemory:
        """The worker's peak resident set since loading ended, or since the last reset."""
        return _memory(self._ask({"op": "memory", "reset": reset}))

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

    def _ask(self, request: Message, limit_seconds: float | None = None) -> Message:
        if self._transport is None or not self._transport.alive:
            raise WorkerError("exited", "the worker is not running")
        answer = self._transport.ask(request, limit_seconds or self._time_limit)
        if "error" in answer:
            raise WorkerError(answer["error"], answer["message"])
        return answer


def _memory(answer: Message) -> PeakMemory:
    return PeakMemory(answer["peak_memory_bytes"], answer["memory_method"])
