"""espeak-ng through ctypes: text to speech, and the voice of the synthesized corpora.

The shared library and its voices come in the `espeakng_loader` wheel. The
library keeps its state in globals, so one process has one binding, and calls
are serialized by a lock. Some of that state (flutter, wave phase) runs on from
one utterance to the next: the same *sequence* of calls in a fresh process gives
the same samples, a single call repeated gives nearly the same ones.
"""

from __future__ import annotations

import ctypes
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from adapters.interface import Adapter, Audio, LoadSpec, ModelError, Options, Speech, Word

_MODE_SYNCHRONOUS = 2  # mode 1 (retrieval) sleeps between buffers and is nine times slower
_OK = 0
_CHARS_UTF8 = 1
_RATE, _PITCH = 1, 3
_RATE_RANGE = (80, 450)  # words per minute
_PITCH_RANGE = (0, 99)
_EVENT_END, _EVENT_WORD, _EVENT_LIST_TERMINATED = 5, 1, 0


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    """`espeak_EVENT` of speak_lib.h, API revision 12."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),  # counts characters from 1
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),  # milliseconds
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True, slots=True)
class _Mark:
    """A WORD or END event: where in the text, when in the audio (milliseconds)."""

    kind: int
    position: int
    length: int
    milliseconds: int


class _Library:
    """The one binding of this process."""

    def __init__(self) -> None:
        try:
            import espeakng_loader
        except ImportError as error:
            raise ModelError("espeak-ng is not installed: install the extra 'espeak'") from error
        try:
            self._library = ctypes.CDLL(str(espeakng_loader.get_library_path()))
        except OSError as error:
            raise ModelError(f"espeak-ng's library cannot be loaded: {error}") from error
        data = str(espeakng_loader.get_data_path()).encode()
        self._library.espeak_Synth.argtypes = (
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint,
            ctypes.c_uint, ctypes.POINTER(ctypes.c_uint), ctypes.c_void_p,
        )  # fmt: skip
        self._library.espeak_SetVoiceByName.argtypes = (ctypes.c_char_p,)
        self._library.espeak_ng_SetRandSeed.argtypes = (ctypes.c_long,)
        self.sample_rate = int(self._library.espeak_Initialize(_MODE_SYNCHRONOUS, 0, data, 0))
        if self.sample_rate <= 0:
            raise ModelError(
                "espeak-ng does not start: its voices are missing or of another version"
            )
        self.lock = threading.Lock()
        self._pieces: list[bytes] = []
        self._marks: list[_Mark] = []
        self._callback = _Callback(self._receive)  # kept: the library holds a bare pointer to it
        self._library.espeak_SetSynthCallback(self._callback)

    def _receive(self, samples: Any, count: int, events: Any) -> int:
        # The buffer and the events are the library's own and are reused after this call.
        if samples and count > 0:
            self._pieces.append(ctypes.string_at(samples, count * 2))
        index = 0
        while events and events[index].type != _EVENT_LIST_TERMINATED:
            event = events[index]
            if event.type in (_EVENT_WORD, _EVENT_END):
                self._marks.append(
                    _Mark(event.type, event.text_position, event.length, event.audio_position)
                )
            index += 1
        return 0

    def set_voice(self, name: str) -> None:
        base, _, variant = name.partition("+")
        # An unknown variant is silently ignored by the library, so it is looked up here.
        known = self._library.espeak_SetVoiceByName(name.encode()) == _OK and bool(base)
        if not known or ("+" in name and not self._has_variant(variant)):
            raise ModelError(
                f"espeak-ng has no voice {name!r}; try 'en-us', 'en-gb-x-rp' or 'en-us+f3'"
            )

    @staticmethod
    def _has_variant(variant: str) -> bool:
        from pathlib import Path

        import espeakng_loader

        folder = Path(str(espeakng_loader.get_data_path())) / "voices" / "!v"
        return bool(variant) and variant in {path.name for path in folder.iterdir()}

    def speak(self, text: str, rate: int, pitch: int, seed: int) -> tuple[bytes, list[_Mark]]:
        """16-bit samples of `text` in the voice that is set, and its WORD and END events."""
        self._pieces, self._marks = [], []
        self._library.espeak_SetParameter(_RATE, rate, 0)
        self._library.espeak_SetParameter(_PITCH, pitch, 0)
        self._library.espeak_ng_SetRandSeed(seed)
        data = text.encode()
        status = self._library.espeak_Synth(data, len(data) + 1, 0, 1, 0, _CHARS_UTF8, None, None)
        if status != _OK:
            raise ModelError(f"espeak-ng cannot speak this text (status {status}): {text[:60]!r}")
        self._library.espeak_Synchronize()
        return b"".join(self._pieces), self._marks


_shared: _Library | None = None
_shared_lock = threading.Lock()


def _library() -> _Library:
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = _Library()
        return _shared


def _word_times(text: str, marks: list[_Mark], seconds: float) -> list[Word]:
    """The words of `text` (split at white space) with their times.

    espeak says short pairs as one ("on the") and long numbers in several parts:
    words without an event share the time of the one before by their letters.
    """
    tokens = list(re.finditer(r"\S+", text))
    starts: dict[int, float] = {}
    stops: list[float] = []
    for mark in marks:
        time = min(mark.milliseconds / 1000, seconds)
        if mark.kind == _EVENT_END:
            stops.append(time)
            continue
        before = [i for i, token in enumerate(tokens) if token.start() < mark.position]
        if before:
            starts.setdefault(before[-1], time)
    words: list[Word] = []
    heads = sorted(starts)
    for head, following in zip(heads, [*heads, len(tokens)][1:], strict=True):
        begin = starts[head]
        end = starts.get(following, seconds)
        end = max(begin, min([end, *(stop for stop in stops if stop > begin)]))
        group = [token.group() for token in tokens[head:following]]
        share = (end - begin) / sum(map(len, group))
        for word in group:
            words.append(Word(word, begin, begin + share * len(word)))
            begin += share * len(word)
    return words


class Espeak(Adapter):
    """espeak-ng as a Synthesizer: 22,050 Hz, hundreds of times faster than real time.

    Options: `voice` (a language, or language+variant such as "en-us+f3"), `rate` in
    words per minute, `pitch` from 0 to 99. The checkpoint is ignored: the voices
    come with the library.
    """

    extra: ClassVar[str | None] = "espeak"
    modules: ClassVar[Sequence[str]] = ("espeakng_loader",)
    devices: ClassVar[Sequence[str]] = ("cpu",)
    options: ClassVar[Options] = {"voice": "en-us", "rate": 160, "pitch": 50}

    def __init__(self) -> None:
        self._defaults: dict[str, Any] = dict(self.options)
        self._seed = 0

    def load(self, spec: LoadSpec) -> None:
        """Start the library and check the options. Raises ModelError."""
        self._defaults = _checked({**self.options, **spec.options})
        self._seed = spec.seed
        library = _library()
        with library.lock:
            library.set_voice(self._defaults["voice"])

    def synthesize(self, text: str, voice: Options | None = None) -> Speech:
        """`text` spoken, with the times of its words.

        voice: any of the options, for this utterance alone.
        Text without anything to say gives zero samples. Raises ModelError for an
        unknown voice or a bad option.
        """
        chosen = _checked({**self._defaults, **(voice or {})})
        library = _library()
        with library.lock:
            library.set_voice(chosen["voice"])
            if not text.strip():
                return Speech(Audio(np.zeros(0, np.float32), library.sample_rate))
            data, marks = library.speak(text, chosen["rate"], chosen["pitch"], self._seed)
        samples = np.frombuffer(data, np.int16).astype(np.float32) / np.float32(32768)
        audio = Audio(samples, library.sample_rate)
        return Speech(audio, _word_times(text, marks, audio.seconds))


def _checked(options: Options) -> dict[str, Any]:
    """`options` if each is known and in range, else ModelError."""
    unknown = sorted(set(options) - set(Espeak.options))
    if unknown:
        raise ModelError(f"espeak has no option {unknown[0]!r}; it has {', '.join(Espeak.options)}")
    if not isinstance(options["voice"], str):
        raise ModelError(f"espeak's voice must be a name, not {options['voice']!r}")
    for name, (low, high) in (("rate", _RATE_RANGE), ("pitch", _PITCH_RANGE)):
        value = options[name]
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ModelError(
                f"espeak's {name} must be an integer from {low} to {high}, not {value!r}"
            )
    return dict(options)


ADAPTER = Espeak
