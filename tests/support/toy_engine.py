"""An engine for tests: it reads its transcript out of the samples, and fails on demand.

`toy_corpus` writes text into sound as one sample per byte, so this engine hears
perfectly, and every fault below is known to the last word.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import soundfile

from adapters.interface import Adapter, Audio, LoadSpec, ModelError, Options, Transcript

RATE = 16_000
_STEP = 64  # int16 steps between two byte values


def samples_of(text: str, seconds: float = 0.5) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Text as int16 samples: byte b is (b + 1) * 64, then silence."""
    codes = (np.frombuffer(text.encode(), np.uint8).astype(np.int16) + 1) * _STEP
    return np.pad(codes, (0, max(1, int(seconds * RATE) - len(codes))))


def text_of(audio: Audio) -> str:
    """What `samples_of` wrote; nothing for sound that it did not make."""
    codes = np.round(audio.samples * 32768 / _STEP).astype(int) - 1
    end = int(np.argmax(codes < 0)) if (codes < 0).any() else len(codes)
    if not np.allclose((codes[:end] + 1) * _STEP / 32768, audio.samples[:end]):
        return ""
    try:
        return bytes(codes[:end].tolist()).decode()
    except ValueError:
        return ""


def toy_corpus(
    folder: Path,
    texts: Sequence[str],
    *,
    seconds: float = 0.5,
    categories: Sequence[str] = (),
    **extra: Any,
) -> Path:
    """A manifest of those texts, spoken as this engine hears them.

    seconds: how long each utterance lasts, at least. categories: one for each text, or none.
    extra: further keys, the same in all rows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, text in enumerate(texts):
        soundfile.write(folder / f"{number}.wav", samples_of(text, seconds), RATE, subtype="PCM_16")
        row = {"id": f"u{number}", "audio_filepath": f"{number}.wav", "text": text, **extra}
        rows.append({**row, "category": categories[number]} if categories else row)
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return manifest


#: What `constant` says, of which nothing is in any reference here.
SENTENCE = "thank you for watching"
#: How `looping` ends: the last LOOP_WORDS words, LOOPS times more.
LOOP_WORDS, LOOPS = 2, 5
#: The last word of what `apart` hears in a batch.
APART = "together"


def shuffled(text: str, seed: int) -> str:
    """The words in another order, the same one each time: right words, wrong sentences."""
    words = text.split()
    random.Random(f"{seed} {text}").shuffle(words)
    return " ".join(words)


class Toy(Adapter):
    """mode: how it behaves; on: the word in an utterance that sets the fault off.

    Modes that are wrong and answer all the same: `silent`, `constant` (SENTENCE),
    `shuffled`, `looping`, `moody` (hears something else each time in sound without text), `drops` (misses a word in `drop_every`), `wrong` (hears word number
    `first`, counted over all utterances from 1, and from there on one in `every`, with an x at
    its end), `tongue` (hears the tag of the language that it is told). `english` is right, and says
    that it knows English alone. Right at a price: `slow` (sleeps `slow_seconds` in each utterance, not in sound
    without text), `leaking` (keeps `leak_mb` of memory more from each).
    batch_size: utterances at once. More than `room` at once (0: no bound) run out of memory, as
    torch and the interpreter say it: `memory` is "torch", "python", or "refusal" for an
    adapter that makes a sentence of it. In mode `apart` what it hears in a batch of more than
    one has another last word (APART); in mode `loses` a batch has an answer too few.
    """

    options: ClassVar[Options] = {
        "mode": "oracle",
        "on": "",
        "sleep": 0.0,
        "drop_every": 10,
        "first": 10,
        "every": 10,
        "slow_seconds": 0.05,
        "leak_mb": 1,
        "batch_size": 1,
        "room": 0,
        "memory": "torch",
    }

    @classmethod
    def batch_of(cls, options: Options) -> int:
        return int(options["batch_size"])

    def load(self, spec: LoadSpec) -> None:
        self._options = spec.options
        self._seed = spec.seed
        self._kept: list[np.ndarray[Any, np.dtype[np.uint8]]] = []
        if spec.options["mode"] == "unloadable":
            raise ModelError("the toy checkpoint is broken")
        if spec.options["mode"] == "english":
            self.languages = ["en"]
        if spec.options["mode"] == "dies-loading":
            os._exit(7)
        if spec.options["mode"] == "hangs-loading":
            time.sleep(3600)
        self._words = self._counter()

    @staticmethod
    def _counter() -> Iterator[int]:
        number = 0
        while True:
            number += 1
            yield number

    def transcribe(self, audio: Audio) -> Transcript:
        text = text_of(audio)
        if self._options["sleep"]:
            time.sleep(self._options["sleep"])
        if self._options["mode"] == "tongue":
            return Transcript(audio.language or "none")
        if self._options["mode"] == "constant":
            return Transcript(SENTENCE)
        if self._options["mode"] == "moody" and not text:
            return Transcript(f"mood {next(self._words)}")
        if self._options["on"] in text and text:
            return self._fault(text)
        return Transcript(text)

    def transcribe_batch(self, audios: Sequence[Audio]) -> Sequence[Transcript]:
        if 0 < self._options["room"] < len(audios):
            raise self._out_of_memory(len(audios))
        heard = [self.transcribe(audio) for audio in audios]
        if self._options["mode"] == "apart" and len(audios) > 1:
            return [Transcript(" ".join([*h.text.split()[:-1], APART])) for h in heard]
        if self._options["mode"] == "loses":
            return heard[1:]
        return heard

    def _out_of_memory(self, size: int) -> Exception:
        if self._options["memory"] == "python":
            return MemoryError()
        found = RuntimeError(f"CUDA out of memory. Tried to allocate {size}.00 GiB")
        if self._options["memory"] == "torch":
            return found
        refusal = ModelError("the toy cannot hear so much")
        refusal.__cause__ = found
        return refusal

    def _fault(self, text: str) -> Transcript:
        mode = self._options["mode"]
        if mode == "raises":
            raise RuntimeError("toy trouble")
        if mode == "none":
            return None  # type: ignore[return-value]  # the fault
        if mode == "number":
            return Transcript(17)  # type: ignore[arg-type]  # the fault
        if mode == "sys-exit":
            sys.exit(3)
        if mode == "exits":
            print("last words of the toy", flush=True)
            os._exit(3)
        if mode == "segfaults":
            ctypes.string_at(0)
        if mode == "hangs":
            time.sleep(3600)
        if mode == "seizes":
            # With the interpreter's lock held, so that no other thread of Python runs.
            print("seized", flush=True)
            ctypes.PyDLL(None).sleep(3600)
        if mode == "silent":
            return Transcript("")
        if mode == "drops":
            every = self._options["drop_every"]
            return Transcript(" ".join(w for w in text.split() if next(self._words) % every))
        if mode == "shuffled":
            return Transcript(shuffled(text, self._seed))
        if mode == "looping":
            return Transcript(" ".join([text, *text.split()[-LOOP_WORDS:] * LOOPS]))
        if mode == "wrong":
            return Transcript(" ".join(w + "x" * self._is_wrong() for w in text.split()))
        if mode == "slow":
            time.sleep(self._options["slow_seconds"])
        if mode == "leaking":
            # Ones, since a page that was never written to takes no memory.
            self._kept.append(np.ones(int(self._options["leak_mb"] * 1e6), np.uint8))
        return Transcript(text)

    def _is_wrong(self) -> bool:
        past = next(self._words) - self._options["first"]
        return bool(past >= 0 and past % self._options["every"] == 0)


ADAPTER = Toy
