"""A conversation out of parts: a recogniser, something that answers text, a synthesizer.

The parts are engines of this package in one process, called through their own adapters.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, ClassVar

from adapters.catalog.engine import EngineRef, known_engines
from adapters.devices import place
from adapters.engines.cascade import rule_assistant
from adapters.interface import (
    PROTOCOLS,
    Adapter,
    Audio,
    LoadSpec,
    ModelError,
    Options,
    Reply,
    ReplyPiece,
    Speech,
    Turn,
)

#: The engine's own name, which no component may have.
_NAME = "cascade"
NONE = "none"
ASSISTANT = "assistant"
#: What each part must do, as a task.
_TASKS: Mapping[str, str] = {"asr": "asr", "responder": "chat", "tts": "tts"}
_KEYS = ("engine", "file", "checkpoint", "revision", "options")
_UNPACKED = ("embedded:", "package:")
_RATE = 16_000
#: What was heard of so many turns is kept: more than any conversation has.
_KEPT = 1024
#: The end of a sentence that more text follows.
_SENTENCE_END = re.compile(r"[.!?\u2026][\"')\u201d\u2019\]]*\s+")


@dataclass(frozen=True, slots=True)
class Part:
    """One part, ready to be loaded: an engine with what its catalogue entry says."""

    engine: EngineRef
    checkpoint: str
    revision: str | None
    options: Options

    def as_option(self) -> Mapping[str, Any]:
        """The part in plain words, as `Cascade.prepare` leaves it for the worker."""
        return {
            "engine": self.engine.name,
            "file": self.engine.file,
            "checkpoint": self.checkpoint,
            "revision": self.revision,
            "options": dict(self.options),
        }


class Cascade(Adapter):
    """Recognition, an answer in text, and its speech, one after the other.

    asr: hears the user; "none" takes the text of the turns instead, as a recogniser without
    mistakes would. responder: answers; "assistant" is the rule-based one
    (`rule_assistant`).
    tts: speaks the answer, sentence by sentence as it comes; "none" leaves it written.
    Each part is a name of the catalogue, ENGINE:CHECKPOINT, or a mapping with engine,
    checkpoint, revision and options. The checkpoint of the cascade itself means nothing.

    A turn is heard once: in later turns of its conversation the cascade goes by what it heard
    then. The last turn is always heard anew, so that repeating one measures all of its work.
    A part that cannot use the device of the session runs on the CPU.
    """

    devices = ("cuda", "mps", "cpu")
    device_memory = "nvml"  # a cascade need not have torch
    streams = ("chat",)
    options: ClassVar[Options] = {"asr": NONE, "responder": ASSISTANT, "tts": NONE}
    components: ClassVar[Mapping[str, Sequence[str]]] = {
        "asr": (NONE,),
        "responder": (ASSISTANT, NONE),
        "tts": (NONE,),
    }

    @classmethod
    def check(cls, options: Options) -> None:
        for name in _TASKS:
            _check_form(name, options[name])

    @classmethod
    def prepare(cls, options: Options) -> Options:
        """`options` with each part as a mapping.

        Raises ModelError for an engine that is none, or a part that does not do its task.
        """
        prepared = dict(options)
        for name in _TASKS:
            part = _part(name, options[name])
            prepared[name] = part.as_option() if part is not None else options[name]
        return prepared

    @classmethod
    def engines(cls, options: Options) -> Mapping[str, EngineRef]:
        parts = {name: _part(name, options[name]) for name in _TASKS}
        return {name: part.engine for name, part in parts.items() if part is not None}

    @classmethod
    def secrets(cls, options: Options) -> Sequence[str]:
        parts = (_part(name, options[name]) for name in _TASKS if name in options)
        return [
            variable
            for part in parts
            if part is not None
            for variable in part.engine.adapter().secrets(part.options)
        ]

    def load(self, spec: LoadSpec) -> None:
        options = {**self.options, **spec.options}
        self.check(options)
        parts = {name: _part(name, options[name]) for name in _TASKS}
        self._heard: dict[str, str] = {}
        with ExitStack() as loaded:
            self._asr = _loaded("asr", parts["asr"], spec, loaded)
            self._responder = _loaded("responder", parts["responder"], spec, loaded)
            self._tts = _loaded("tts", parts["tts"], spec, loaded)
            self._parts = loaded.pop_all()

    def start_over(self) -> None:
        for part in (self._asr, self._responder, self._tts):
            if part is not None:
                part.start_over()

    def close(self) -> None:
        self._parts.close()

    def reply(self, turns: Sequence[Turn]) -> Iterator[ReplyPiece]:
        conversation = self._conversation(turns)
        # Of value only beside the answer: it is neither text nor sound for the user.
        yield ReplyPiece(heard=conversation[-1].text)
        unspoken = ""
        for piece in self._answer(conversation):
            yield ReplyPiece(text=piece)
            if self._tts is None:
                continue
            unspoken += piece
            while (end := _SENTENCE_END.search(unspoken)) is not None:
                yield from self._speech(unspoken[: end.end()].strip())
                unspoken = unspoken[end.end() :]
        if unspoken.strip():
            yield from self._speech(unspoken.strip())

    def _conversation(self, turns: Sequence[Turn]) -> list[Turn]:
        """The turns in text, the user's as they were heard. Raises ModelError."""
        if not turns or turns[-1].role != "user":
            raise ModelError("the last turn of a conversation must be the user's")
        written = []
        for index, turn in enumerate(turns):
            if turn.role == "user":
                text = self._hear(turn, again=index == len(turns) - 1)
            elif turn.role in ("system", "assistant") and turn.text is not None:
                text = turn.text
            else:
                raise ModelError(f"turn {index + 1}, of the {turn.role}, has no text")
            written.append(Turn(turn.role, text))
        return written

    def _hear(self, turn: Turn, *, again: bool) -> str:
        if self._asr is None or turn.audio is None:
            if turn.text is None:
                without = "is without text" if self._asr is not None else "needs text: asr is none"
                raise ModelError(f"a turn of the user without audio {without}")
            return turn.text
        audio = turn.audio
        key = hashlib.sha256(f"{audio.sample_rate}:".encode() + audio.samples.tobytes()).hexdigest()
        if again or key not in self._heard:
            self._heard.pop(key, None)
            self._heard[key] = self._transcribed(audio)
            if len(self._heard) > _KEPT:
                del self._heard[next(iter(self._heard))]
        return self._heard[key]

    def _transcribed(self, audio: Audio) -> str:
        longest = type(self._asr).longest_audio
        if audio.sample_rate != _RATE:
            raise ModelError(f"the user's audio has {audio.sample_rate} Hz, {_RATE} are expected")
        if longest is not None and audio.seconds > longest:
            raise ModelError(
                f"the turn lasts {audio.seconds:.1f} s and the recogniser takes {longest:g} s"
            )
        assert self._asr is not None
        found = self._asr.transcribe(audio)
        return ("".join(found) if isinstance(found, Iterator) else str(found.text)).strip()

    def _answer(self, conversation: Sequence[Turn]) -> Iterator[str]:
        """The answer's text, in pieces where the responder gives them."""
        if self._responder is None:
            said = [turn.text or "" for turn in conversation if turn.role == "user"]
            yield rule_assistant.respond(said)
            return
        answer = self._responder.reply(conversation)
        if isinstance(answer, Reply):
            yield answer.text
            return
        yield from (piece.text for piece in answer if piece.text)

    def _speech(self, text: str) -> Iterator[ReplyPiece]:
        if self._tts is None:
            return
        speech = self._tts.synthesize(text)
        pieces = [speech.audio] if isinstance(speech, Speech) else speech
        for audio in pieces:
            if len(audio.samples):
                yield ReplyPiece(audio=audio)


def _check_form(name: str, value: object) -> None:
    """Raise ModelError where an option can be no part, whatever the catalogue holds."""
    if isinstance(value, Mapping):
        unknown = sorted(set(value) - set(_KEYS))
        if unknown:
            raise ModelError(f"{name}: unknown key {unknown[0]!r}; a part has {', '.join(_KEYS)}")
        if not isinstance(value.get("engine"), str):
            raise ModelError(f"{name}: a part needs an engine")
        if not value.get("file"):
            _engine(name, value["engine"])
        if not isinstance(value.get("options", {}), Mapping):
            raise ModelError(f"{name}: the options of a part are a mapping")
        return
    if not isinstance(value, str) or not value:
        raise ModelError(
            f"{name}: a model's name, ENGINE:CHECKPOINT or a mapping is expected, not {value!r} "
            f"(the word {NONE} in quotes where there is to be none)"
        )
    engine, colon, checkpoint = value.partition(":")
    if colon:
        _engine(name, engine)
        if not checkpoint:
            raise ModelError(f"{name}: a checkpoint is expected after {engine}:")
    if name == "responder" and value == NONE:
        raise ModelError(f"{name}: something must answer; {ASSISTANT!r} is always there")


def _part(name: str, value: Any) -> Part | None:
    """The part that an option names; None for those that are no engine. Raises ModelError."""
    _check_form(name, value)
    if value == NONE or (name == "responder" and value == ASSISTANT):
        return None
    if isinstance(value, Mapping):
        ref = EngineRef(value["engine"], value.get("file"))
        part = Part(
            ref,
            value.get("checkpoint") or "builtin",
            value.get("revision"),
            {**ref.adapter().options, **value.get("options", {})},
        )
    elif ":" in value:
        engine, _, checkpoint = value.partition(":")
        ref = EngineRef(engine)
        part = Part(ref, checkpoint, None, dict(ref.adapter().options))
    else:
        word = ASSISTANT if name == "responder" else NONE
        raise ModelError(
            f"{name}: no model is called {value!r} in the catalogue. ENGINE:CHECKPOINT, {word!r} "
            f"and the models that do {_TASKS[name]!r} are possible"
        )
    if part.engine.name == _NAME and part.engine.file is None:
        raise ModelError(f"{name}: a cascade is no part of a cascade")
    if _TASKS[name] not in part.engine.tasks():
        raise ModelError(f"{name}: {part.engine.name} does not do {_TASKS[name]!r}")
    try:
        part.engine.adapter().check(part.options)
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from None
    return part


def _engine(name: str, engine: str) -> None:
    if engine not in known_engines():
        raise ModelError(
            f"{name}: no engine is called {engine!r}. Engines: {', '.join(known_engines())}"
        )


def _loaded(name: str, part: Part | None, spec: LoadSpec, loaded: ExitStack) -> Any:
    """The part's adapter, loaded, to be closed with the others; None where there is no part."""
    if part is None:
        return None
    missing = part.engine.missing()
    if missing is not None:
        raise ModelError(f"{name}: {missing}")
    for key, value in {"checkpoint": part.checkpoint, **part.options}.items():
        if isinstance(value, str) and value.startswith(_UNPACKED):
            raise ModelError(f"{name}: {key} {value!r} has not been unpacked for the worker")
    cls = part.engine.adapter()
    device = place(spec.device, cls.devices, part.engine.name).device
    refusal = part.engine.refusal(device, part.options)
    if refusal is not None:
        raise ModelError(f"{name}: {refusal}")
    adapter = cls()
    assert isinstance(adapter, PROTOCOLS[_TASKS[name]])
    try:
        adapter.load(
            LoadSpec(
                checkpoint=part.checkpoint,
                revision=part.revision,
                device=device,
                threads=spec.threads,
                seed=spec.seed,
                options=part.options,
            )
        )
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from None
    loaded.callback(adapter.close)
    return adapter


ADAPTER = Cascade
