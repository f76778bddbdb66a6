"""The side of the model: runs in the worker process and times the engine's calls.

It talks in plain dictionaries of numbers, text and bytes, which is all that
execnet carries. It must stay importable with nothing but numpy installed,
since an engine may run in an environment of its own.
"""

from __future__ import annotations

import faulthandler
import os
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from adapters.importing import load_adapter
from adapters.interface import (
    Adapter,
    Audio,
    LoadSpec,
    ModelError,
    Speech,
    Synthesizer,
    Transcriber,
    Transcript,
)
from adapters.memory import MemoryMeter

Message = dict[str, Any]


class WrongTypeError(Exception):
    """An adapter gave something else than its protocol says."""


class Worker:
    """One model's life: created, loaded, called, closed. Every answer is a message."""

    def __init__(self) -> None:
        self._memory = MemoryMeter()
        self._adapter: Adapter | None = None
        self._operations: Mapping[str, Callable[[Message], Message]] = {
            "load": self._load,
            "transcribe": self._transcribe,
            "synthesize": self._synthesize,
            "memory": self._peak_memory,
            "close": self._close,
        }

    def handle(self, request: Message) -> Message:
        """The answer to one request; an exception becomes an `error` message."""
        try:
            return self._operations[request["op"]](request)
        except ModelError as error:
            return {"error": "refused", "message": str(error)}
        except WrongTypeError as error:
            return {"error": "wrong_type", "message": str(error)}
        except (Exception, SystemExit) as error:
            # sys.exit() in an engine would end the thread that execnet runs, not tell anyone.
            traceback.print_exc()
            kind = "exited" if isinstance(error, SystemExit) else "raised"
            return {"error": kind, "message": _describe(error)}

    def _load(self, request: Message) -> Message:
        adapter = load_adapter(request["engine"], request["file"])()
        spec = LoadSpec(**request["spec"])
        self._memory.reset()
        start = time.perf_counter()
        adapter.load(spec)
        seconds = time.perf_counter() - start
        self._adapter = adapter
        return {"seconds": seconds, **self._peak_memory({"reset": True})}

    def _transcribe(self, request: Message) -> Message:
        transcriber = self._expect(Transcriber, "transcribe")
        audio = Audio(np.frombuffer(request["samples"], dtype=np.float32), request["sample_rate"])
        start = time.perf_counter()
        transcript = transcriber.transcribe(audio)
        seconds = time.perf_counter() - start
        if not isinstance(transcript, Transcript) or not isinstance(transcript.text, str):
            raise WrongTypeError(
                f"transcribe() gave {_type_of(transcript)}; a Transcript with text is expected"
            )
        return {
            "seconds": seconds,
            "text": transcript.text,
            "language": transcript.language,
            "words": [(w.text, float(w.start), float(w.end)) for w in transcript.words],
        }

    def _synthesize(self, request: Message) -> Message:
        synthesizer = self._expect(Synthesizer, "synthesize")
        start = time.perf_counter()
        speech = synthesizer.synthesize(request["text"], request["voice"])
        seconds = time.perf_counter() - start
        if not isinstance(speech, Speech):
            raise WrongTypeError(f"synthesize() gave {_type_of(speech)}; a Speech is expected")
        samples = speech.audio.samples
        if not isinstance(samples, np.ndarray) or samples.ndim != 1:
            raise WrongTypeError("synthesize() gave audio that is not a mono array of samples")
        return {
            "seconds": seconds,
            "samples": np.ascontiguousarray(samples, dtype=np.float32).tobytes(),
            "sample_rate": int(speech.audio.sample_rate),
            "words": [(w.text, float(w.start), float(w.end)) for w in speech.words],
        }

    def _peak_memory(self, request: Message) -> Message:
        peak = self._memory.peak()
        if request.get("reset"):
            self._memory.reset()
        return {"peak_memory_bytes": peak.bytes, "memory_method": peak.method}

    def _close(self, request: Message) -> Message:
        adapter, self._adapter = self._adapter, None
        if adapter is not None:
            adapter.close()
        return {}

    def _expect(self, protocol: type[Any], method: str) -> Any:
        if self._adapter is None:
            raise ModelError("the model is not loaded")
        if not isinstance(self._adapter, protocol):
            raise ModelError(f"{type(self._adapter).__name__} has no {method}()")
        return self._adapter


def serve(channel: Any) -> None:
    """The worker's main loop: one answer for each request, until the channel closes."""
    log = channel.receive()
    if log:
        # What engines print, and the stack of a segfault, go to the model's log.
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(file, 1)
        os.dup2(file, 2)
    faulthandler.enable(file=2)  # not sys.stderr: execnet may have replaced it
    channel.send({"pid": os.getpid()})
    worker = Worker()
    while True:
        try:
            request = channel.receive()
        except EOFError:
            return
        channel.send(worker.handle(request))


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _type_of(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
