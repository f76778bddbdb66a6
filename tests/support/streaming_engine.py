"""An engine for tests that answers in pieces, at times that are known."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from adapters.interface import Adapter, Audio, LoadSpec, Options, Reply, ReplyPiece, Speech, Turn

RATE = 24_000


class Streaming(Adapter):
    """pause: seconds before each piece; mode: what it gives instead of what it should."""

    options: ClassVar[Options] = {"pause": 0.05, "mode": "right"}
    streams = ("asr", "tts", "chat")
    longest_audio = 3.0

    def load(self, spec: LoadSpec) -> None:
        self._pause: float = spec.options["pause"]
        self._mode: str = spec.options["mode"]
        self._understood: Any = 3 if self._mode == "misheard" else "second thought"

    def transcribe(self, audio: Audio) -> Iterator[str]:
        yield ""  # nothing to show yet
        for piece in (f"{len(audio.samples)}", " samples ", ""):
            time.sleep(self._pause)
            yield 3 if self._mode == "wrong" else piece  # type: ignore[misc]  # the fault

    def synthesize(self, text: str, voice: Options | None = None) -> Speech | Iterator[Audio]:
        return self._speak(text)

    def _speak(self, text: str) -> Iterator[Audio]:
        for number, word in enumerate(text.split()):
            time.sleep(self._pause)
            rate = RATE + number if self._mode == "rates" else RATE
            yield Audio(np.full(len(word), 0.5, np.float32), rate)

    def reply(self, turns: Sequence[Turn]) -> Reply | Iterator[ReplyPiece]:
        if self._mode == "whole":
            return Reply("all at once", heard="hello")
        return self._pieces(turns)

    def _pieces(self, turns: Sequence[Turn]) -> Iterator[ReplyPiece]:
        if self._mode == "wrong":
            value: Any = "text"
            yield value
        yield ReplyPiece(heard="first thought")
        yield ReplyPiece(heard=self._understood)
        for turn in turns:
            time.sleep(self._pause)
            seconds = f"{turn.audio.seconds:.1f} s" if turn.audio else "nothing"
            yield ReplyPiece(text=f"{turn.role} said {turn.text}, {seconds}. ")
            time.sleep(self._pause)
            yield ReplyPiece(audio=Audio(np.zeros(240, np.float32), RATE))


ADAPTER = Streaming
