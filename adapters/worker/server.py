"""The side of the model: runs in the worker process and times the engine's calls.

It talks in plain dictionaries of what JSON carries, and bytes of sound. It must stay importable
with nothing but numpy installed, since an engine may run in an environment of its own.
"""

from __future__ import annotations

import faulthandler
import platform
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from adapters.catalog.load_adapter import engine_modules, load_adapter
from adapters.interface import (
    Adapter,
    Audio,
    BatchTranscriber,
    Converser,
    LoadSpec,
    ModelError,
    Reply,
    ReplyPiece,
    Speech,
    Synthesizer,
    Transcriber,
    Transcript,
    Turn,
    Unbatched,
)
from adapters.meters.accelerator import Accelerator, accelerator
from adapters.meters.cpu_wait import CpuWait
from adapters.meters.energy import EnergyMeter, device_name
from adapters.meters.peak_memory import MemoryMeter
from adapters.worker import out_of_memory, parent_watch
from adapters.worker.answers import (
    WrongTypeError,
    audios_of,
    batch_size,
    check_audio,
    check_length,
    check_transcript,
    does_several,
    joined,
    row,
    sound_row,
    type_of,
    word_rows,
)
from adapters.worker.connection import wire_of
from adapters.worker.installed import versions_of
from adapters.worker.messages import GAVE_UP, Message
from adapters.worker.one_line import raised


class _Clock:
    """Seconds since an engine was called, read only when its device is done."""

    def __init__(self, device: Accelerator, wait: CpuWait, energy: EnergyMeter) -> None:
        self._device = device
        self._wait = wait
        self._energy = energy
        device.synchronize()  # what came before is not this call's
        energy.start()
        wait.start()
        self._start = time.perf_counter()

    def seconds(self) -> float:
        self._device.synchronize()
        return time.perf_counter() - self._start

    def whole(self) -> Message:
        """The call is over: its time, how long it waited in that for a CPU, and its energy."""
        seconds = self.seconds()
        waited = self._wait.within(seconds)
        spent = self._energy.spent()
        return {
            "seconds": seconds,
            "waited_seconds": waited,
            "joules": spent.joules if spent else None,
            "energy_method": spent.method if spent else None,
        }


class Worker:
    """One model's life: created, loaded, called, closed. Every answer is a message."""

    def __init__(self) -> None:
        self._memory = MemoryMeter()
        self._wait = CpuWait()
        self._adapter: Adapter | None = None
        #: The methods that the adapter was found to have.
        self._able: set[str] = set()
        self._device = accelerator("cpu")
        self._energy = EnergyMeter("cpu")
        self._operations: Mapping[str, Callable[[Message], Message]] = {
            "load": self._load,
            "transcribe": self._transcribe,
            "transcribe_batch": self._transcribe_batch,
            "transcribe_unbatched": self._transcribe_unbatched,
            "synthesize": self._synthesize,
            "reply": self._reply,
            "memory": self._peak_memory,
            "packages": self._packages,
            "modules": self._modules,
            "close": self._close,
        }

    def handle(self, request: Message) -> Message:
        """The answer to one request; an exception becomes an `error` message."""
        answer = self._tried(request)
        if answer.get("error") == "out_of_memory":
            out_of_memory.free()  # now that the exception is gone, and with it what it held
        return answer

    def _tried(self, request: Message) -> Message:
        try:
            return self._operations[request["op"]](request)
        except WrongTypeError as error:
            return {"error": "wrong_type", "message": str(error)}
        except (Exception, SystemExit) as error:
            kind = _kind(error)
            if kind != "refused":
                traceback.print_exc()
            return {
                "error": kind,
                "message": str(error) if isinstance(error, ModelError) else _describe(error),
            }

    def _load(self, request: Message) -> Message:
        adapter = load_adapter(request["engine"], request["file"])()
        spec = LoadSpec(**request["spec"])
        self._memory.reset()
        self._wait.start()
        start = time.perf_counter()
        device = accelerator(spec.device, adapter.device_memory)
        device.check()
        adapter.load(spec)
        device.synchronize()
        seconds = time.perf_counter() - start
        waited = self._wait.within(seconds)
        self._adapter, self._device = adapter, device
        self._able.clear()
        self._energy = EnergyMeter(spec.device)
        return {
            "seconds": seconds,
            "waited_seconds": waited,
            "loaded_from": adapter.loaded_from,
            "languages": list(adapter.languages) if adapter.languages is not None else None,
            "batch_size": batch_size(adapter, spec),
            "unbatched": isinstance(adapter, Unbatched) and does_several(adapter, spec),
            "device_name": device_name(spec.device),
            **self._peak_memory({"reset": True}),
        }

    def _transcribe(self, request: Message) -> Message:
        transcriber = self._expect(Transcriber, "transcribe")
        (audio,) = audios_of(request)
        check_length(transcriber, audio)
        transcriber.start_over()
        first: float | None = None
        clock = _Clock(self._device, self._wait, self._energy)
        heard = transcriber.transcribe(audio)
        if isinstance(heard, Iterator):
            pieces: list[str] = []
            for piece in heard:
                if not isinstance(piece, str):
                    raise WrongTypeError(f"transcribe() yielded {type_of(piece)}, not text")
                if piece and first is None:
                    first = clock.seconds()
                pieces.append(piece)
            heard = Transcript("".join(pieces).strip())
        times = clock.whole()
        check_transcript(heard, "transcribe() gave")
        return {**times, "first_token_seconds": first, **row(heard)}

    def _transcribe_batch(self, request: Message) -> Message:
        transcriber = self._expect(BatchTranscriber, "transcribe_batch")
        audios = audios_of(request)
        for audio in audios:
            check_length(transcriber, audio)
        transcriber.start_over()
        clock = _Clock(self._device, self._wait, self._energy)
        heard = transcriber.transcribe_batch(audios)
        times = clock.whole()
        if not isinstance(heard, Sequence) or isinstance(heard, str):
            raise WrongTypeError(
                f"transcribe_batch() gave {type_of(heard)}; a list of Transcripts is expected"
            )
        if len(heard) != len(audios):
            raise WrongTypeError(
                f"transcribe_batch() gave {len(heard)} transcripts for {len(audios)} utterances"
            )
        for transcript in heard:
            check_transcript(transcript, "transcribe_batch() gave, among others,")
        return {**times, "transcripts": [row(transcript) for transcript in heard]}

    def _transcribe_unbatched(self, request: Message) -> Message:
        transcriber = self._expect(Unbatched, "transcribe_unbatched")
        (audio,) = audios_of(request)
        transcriber.start_over()
        heard = transcriber.transcribe_unbatched(audio)
        check_transcript(heard, "transcribe_unbatched() gave")
        return row(heard)

    def _synthesize(self, request: Message) -> Message:
        synthesizer = self._expect(Synthesizer, "synthesize")
        first: float | None = None
        synthesizer.start_over()
        clock = _Clock(self._device, self._wait, self._energy)
        speech = synthesizer.synthesize(request["text"], request["voice"])
        if isinstance(speech, Iterator):
            pieces: list[Audio] = []
            for piece in speech:
                check_audio(piece, "synthesize() yielded")
                if len(piece.samples) and first is None:
                    first = clock.seconds()
                pieces.append(piece)
            if not pieces:
                raise ModelError("the engine gave no audio at all for this text")
            speech = Speech(joined(pieces))
        times = clock.whole()
        if not isinstance(speech, Speech):
            raise WrongTypeError(f"synthesize() gave {type_of(speech)}; a Speech is expected")
        check_audio(speech.audio, "synthesize() gave")
        return {
            **times,
            "first_audio_seconds": first,
            **sound_row(speech.audio),
            "words": word_rows(speech.words),
        }

    def _reply(self, request: Message) -> Message:
        converser = self._expect(Converser, "reply")
        sounds_heard = iter(audios_of(request))
        turns = [
            Turn(turn["role"], turn["text"], next(sounds_heard) if turn["sound"] else None)
            for turn in request["turns"]
        ]
        converser.start_over()
        first_token: float | None = None
        first_audio: float | None = None
        understood: str | None = None
        clock = _Clock(self._device, self._wait, self._energy)
        reply = converser.reply(turns)
        if isinstance(reply, Iterator):
            text: list[str] = []
            sounds: list[Audio] = []
            for piece in reply:
                if not isinstance(piece, ReplyPiece):
                    raise WrongTypeError(f"reply() yielded {type_of(piece)}, not a ReplyPiece")
                if piece.heard is not None:
                    understood = piece.heard
                if piece.text:
                    first_token = clock.seconds() if first_token is None else first_token
                    text.append(piece.text)
                if piece.audio is not None:
                    check_audio(piece.audio, "reply() yielded")
                    if len(piece.audio.samples) and first_audio is None:
                        first_audio = clock.seconds()
                    sounds.append(piece.audio)
            sound_said = joined(sounds) if sounds else None
            reply = Reply("".join(text).strip(), sound_said, understood)
        times = clock.whole()
        if not isinstance(reply, Reply) or not isinstance(reply.text, str):
            raise WrongTypeError(f"reply() gave {type_of(reply)}; a Reply with text is expected")
        if not isinstance(reply.heard, str | None):
            raise WrongTypeError(f"reply() heard {type_of(reply.heard)}; text is expected")
        sound: Message = {"samples": b"", "sample_rate": 0}
        if reply.audio is not None:
            check_audio(reply.audio, "reply() gave")
            sound = sound_row(reply.audio)
        return {
            **times,
            "first_token_seconds": first_token,
            "first_audio_seconds": first_audio,
            "text": reply.text,
            "heard": reply.heard,
            **sound,
        }

    def _packages(self, request: Message) -> Message:
        """The versions that this process would import, for the scorecard's provenance."""
        packages = versions_of(request["modules"])
        return {"python": platform.python_version(), "packages": dict(packages)}

    def _modules(self, request: Message) -> Message:
        """What was loaded that no version tells apart."""
        return {"modules": engine_modules()}

    def _peak_memory(self, request: Message) -> Message:
        peak = self._memory.peak()
        of_device = self._device.peak()
        if request.get("reset"):
            self._memory.reset()
            self._device.reset_peak()
        return {
            "host": (peak.bytes, peak.method),
            "device": (of_device.bytes, of_device.method) if of_device is not None else None,
        }

    def _close(self, request: Message) -> Message:
        self._wait.close()
        adapter, self._adapter = self._adapter, None
        if adapter is not None:
            adapter.close()
        return {}

    def _expect(self, protocol: type[Any], method: str) -> Any:
        if self._adapter is None:
            raise ModelError("the model is not loaded")
        if method not in self._able:  # which takes long to find out
            if not isinstance(self._adapter, protocol):
                raise ModelError(f"{type(self._adapter).__name__} has no {method}()")
            self._able.add(method)
        return self._adapter


def serve(told: Message) -> None:
    """The worker's main loop: one answer for each request, until the harness lets go of the wire.

    told: "wire", as `wire_of` has it; "parent", the process id of the harness; "by_kernel", as
    `parent_watch.tie_to` has it. The first message goes to the harness: here we are.
    """
    # Ctrl-C goes to the whole group: the harness decides what comes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent_watch.tie_to(told["parent"], by_kernel=told["by_kernel"])
    faulthandler.enable()
    wire = wire_of(told["wire"])
    wire.send({})
    worker = Worker()
    while True:
        try:
            wire.send(worker.handle(wire.receive()))
        except (EOFError, OSError):
            return
        except BaseException:  # an answer that no message carries, or what no engine may raise
            traceback.print_exc()
            wire.send({GAVE_UP: traceback.format_exc()})
            return


def _kind(error: BaseException) -> str:
    if out_of_memory.is_out_of_memory(error):
        return "out_of_memory"
    if isinstance(error, ModelError):
        return "refused"
    # sys.exit() in an engine would end the worker and tell nobody why.
    return "exited" if isinstance(error, SystemExit) else "raised"


def _describe(error: BaseException) -> str:
    """An engine's own processes may hand their tracebacks on: the log has them whole."""
    said = str(error)
    if "Traceback (most recent call last)" in said:
        said = raised(said)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
