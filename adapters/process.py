"""The side of the harness: a model in a process of its own, and what can go wrong with it."""

from __future__ import annotations

import os
import shlex
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import execnet
import numpy as np
import psutil

from adapters import lifeline, secrets
from adapters.engines import EngineRef
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
from adapters.memory import PeakMemory
from adapters.messages import Message
from adapters.time_limits import allowed, spoken_seconds
from adapters.wire import Wire, listening
from adapters.worker import Worker

_PACKAGE = str(Path(__file__).parent)
R = TypeVar("R")

# Only this package goes to the worker: its environment may be another Python's, which must
# not find the harness's own packages.
_BOOTSTRAP = """
import importlib.util, sys
folder = channel.receive()
spec = importlib.util.spec_from_file_location(
    "adapters", folder + "/__init__.py", submodule_search_locations=[folder]
)
module = importlib.util.module_from_spec(spec)
sys.modules["adapters"] = module
spec.loader.exec_module(module)
from adapters.worker import serve
serve(channel)
"""
#: A new interpreter, and numpy: seconds, also on a busy machine.
_START_SECONDS = 60.0
#: What is asked for every utterance.
_OFTEN = ("transcribe", "transcribe_batch")
#: Longer audio travels in a file: as a message it would be in memory several times over.
_INLINE_BYTES = 8_000_000

# Nothing is ever downloaded unasked: engines that look for a hub find it offline.
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}


class WorkerError(Exception):
    """A model failed to do what was asked.

    kind: "refused" (it said why), "raised", "wrong_type", "out_of_memory" (the process
    lives on: less at once may do), "exited", "crashed" or "hung". After the last three the
    process is gone. The message has no secret of the environment in it.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(secrets.redact(message))
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
    """A worker process behind an execnet gateway.

    withheld: variables of the environment that the model does not get.
    """

    def __init__(
        self, threads: int, log: Path | None, python: Path | None, withheld: Sequence[str] = ()
    ) -> None:
        # Thread pools read these when their library is imported, so they are set before.
        environment = {
            **_OFFLINE,
            "OMP_NUM_THREADS": str(threads),
            "OPENBLAS_NUM_THREADS": str(threads),
            "MKL_NUM_THREADS": str(threads),
        }
        where = [f"python={shlex.quote(str(python))}"] if python is not None else []
        settings = [f"env:{key}={value}" for key, value in environment.items()]
        spec = "//".join(["popen", *where, *settings])
        self._group = execnet.Group()
        self._log = log
        self._log_start = log.stat().st_size if log is not None and log.exists() else 0
        self.alive = True
        self._process: psutil.Process | None = None
        self._wire: Wire | None = None
        try:
            with lifeline.deaf_children():
                gateway = self._group.makegateway(spec)
            self._channel = gateway.remote_exec(_BOOTSTRAP)
            self._channel.send(_PACKAGE)
            with listening() as listener:
                self._channel.send(
                    {
                        "wire": listener.told,
                        "log": str(log) if log is not None else "",
                        "withheld": list(withheld),
                        "parent": os.getpid(),
                        "by_kernel": threading.current_thread() is threading.main_thread(),
                    }
                )
                self._process = psutil.Process(self._receive(_START_SECONDS)["pid"])
                self._wire = listener.accept(_START_SECONDS)
        except (execnet.TimeoutError, execnet.RemoteError, EOFError, OSError) as error:
            self._kill()
            what = "hung" if isinstance(error, execnet.TimeoutError) else "exited"
            raise WorkerError(
                what, f"the worker did not start: {type(error).__name__}: {error}"
            ) from None
        except BaseException:
            self._kill()
            raise

    def ask(self, request: Message, limit_seconds: float) -> Message:
        try:
            assert self._wire is not None  # or else it did not start
            if request["op"] in _OFTEN:
                return self._wire.ask(request, limit_seconds)
            self._channel.send(request)
            self._wire.point_at_channel()
            return self._receive(limit_seconds)
        except (TimeoutError, self._channel.TimeoutError):
            self._kill()
            option = "--load-time-limit" if request["op"] == "load" else "--time-limit"
            for_a_minute = "" if request["op"] == "load" else " for a minute of audio or less"
            raise WorkerError(
                "hung",
                f"no answer to {request['op']!r} within {limit_seconds:g} s, so the worker was "
                f"killed ({option} sets the seconds allowed{for_a_minute})",
            ) from None
        except (EOFError, OSError):
            raise self._ended(request["op"]) from None
        except execnet.RemoteError as error:
            raise self._gave_up(error) from None
        except BaseException:
            # Ctrl-C, say: the answer is still to come, and would be taken for the next one's.
            self._kill()
            raise

    def stop(self) -> None:
        self.alive = False
        if self._wire is not None:
            self._wire.close()
        self._group.terminate(timeout=2.0)
        if self._log is not None:
            secrets.redact_file(self._log, self._log_start)

    def _receive(self, limit_seconds: float) -> Message:
        answer: Message = self._channel.receive(timeout=limit_seconds)
        return answer

    def _ended(self, op: str) -> WorkerError:
        """Why nobody answers any more."""
        try:
            self._channel.waitclose(timeout=1.0)
        except execnet.RemoteError as error:
            return self._gave_up(error)
        except (EOFError, OSError, self._channel.TimeoutError):
            pass
        return self._obituary(op)

    def _gave_up(self, error: Exception) -> WorkerError:
        """It could not send an answer, say."""
        self._kill()
        return WorkerError("exited", f"the worker gave up: {error}")

    def _kill(self) -> None:
        try:
            if self._process is not None:
                for child in self._process.children(recursive=True):
                    child.kill()
                self._process.kill()
        except psutil.NoSuchProcess:
            pass
        self.stop()

    def _obituary(self, op: str) -> WorkerError:
        """Why the process is gone, as far as its exit status and its last words tell."""
        assert self._process is not None
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
        self._transport: _Transport | None = None
        self.load_seconds = 0.0
        self.load_waited_seconds: float | None = None
        self.device_name: str | None = None
        self.loaded_from: str | None = None
        self.batch_size = 1
        self.load_memory = MemoryPeaks(PeakMemory(0, ""))

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
        self._transport = self._started() if self._isolated else _InProcess()
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
        self.load_seconds = answer["seconds"]
        self.device_name = answer["device_name"]
        self.load_waited_seconds = answer["waited_seconds"]
        self.load_memory = _memory(answer)
        self.loaded_from = answer["loaded_from"]
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
        silent = {"samples": b"", "sample_rate": 0}
        rows = [
            {
                "role": turn.role,
                "text": turn.text,
                **(_sound(turn.audio) if turn.audio is not None else silent),
            }
            for turn in turns
        ]
        together = sum(turn.audio.seconds for turn in turns if turn.audio is not None)
        answer = self._ask({"op": "reply", "turns": rows}, self._allowed(together))
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
        return _memory(self._ask({"op": "memory", "reset": reset}))

    def packages(self, modules: Sequence[str]) -> Packages:
        """The worker's Python, and the packages that bring these top-level modules there."""
        answer = self._ask({"op": "packages", "modules": list(modules)})
        return Packages(answer["python"], answer["packages"])

    def modules(self) -> Mapping[str, str]:
        """Path and SHA-256 of what the worker loaded from folders of engines outside the repo.

        Raises WorkerError.
        """
        if self.engine.file is None and not self.engine.adapter().engines(self.spec.options):
            return {}
        modules: Mapping[str, str] = self._ask({"op": "modules"})["modules"]
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

    def _allowed(self, audio_seconds: float) -> float:
        return allowed(self._time_limit, audio_seconds)

    def _started(self) -> _Gateway:
        try:
            needed = self.engine.adapter().secrets(self.spec.options)
        except ModelError as error:
            raise WorkerError("refused", str(error)) from None
        return _Gateway(self.spec.threads, self._log, self._python, secrets.withheld(needed))

    def _ask(self, request: Message, limit_seconds: float | None = None) -> Message:
        if self._transport is None or not self._transport.alive:
            raise WorkerError("exited", "the worker is not running")
        answer = self._transport.ask(request, limit_seconds or self._time_limit)
        if "error" in answer:
            raise WorkerError(answer["error"], answer["message"])
        return answer


def _memory(answer: Message) -> MemoryPeaks:
    device = answer["device"]
    return MemoryPeaks(PeakMemory(*answer["host"]), PeakMemory(*device) if device else None)


def _transcript(row: Message) -> Transcript:
    words = tuple(Word(*word) for word in row["words"])
    return Transcript(row["text"], row["language"], words)


def _sound(audio: Audio) -> Message:
    samples = np.ascontiguousarray(audio.samples, dtype=np.float32)
    return {"samples": samples.tobytes(), "sample_rate": audio.sample_rate}


@contextmanager
def _sent(audios: Sequence[Audio]) -> Iterator[Message]:
    """Audio of one rate, end to end, as part of a request; where it is long together, in a file
    that goes with the block.
    """
    sounds = [np.ascontiguousarray(audio.samples, dtype=np.float32) for audio in audios]
    parts: Message = {
        "sample_rate": audios[0].sample_rate,
        "lengths": [len(sound) for sound in sounds],
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
