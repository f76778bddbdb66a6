"""An engine for tests whose first answer is slow, and which works a known time on the CPU.

It answers with the number of answers that it has given since it was loaded, so that a
cold one is told by its text. Audio of a second or more is the death of it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import ClassVar

from adapters.interface import Adapter, Audio, LoadSpec, ModelError, Options, Transcript


class SlowStart(Adapter):
    """first: seconds that the first answer sleeps; work: of CPU time in every call.

    cpu: the only one to run on. stumbles: a file that makes the next call fail, once.
    """

    options: ClassVar[Options] = {"first": 0.0, "work": 0.0, "cpu": -1, "stumbles": ""}

    def load(self, spec: LoadSpec) -> None:
        self._options = spec.options
        self._answers = 0
        if spec.options["cpu"] >= 0:
            os.sched_setaffinity(0, {spec.options["cpu"]})

    def transcribe(self, audio: Audio) -> Transcript:
        if audio.seconds >= 1:
            os._exit(3)
        stone = Path(self._options["stumbles"])
        if stone.is_file():
            stone.unlink()
            raise ModelError("stumbled")
        if self._answers == 0:
            time.sleep(self._options["first"])
        until = time.thread_time() + self._options["work"]
        while time.thread_time() < until:
            pass
        self._answers += 1
        return Transcript(str(self._answers))


ADAPTER = SlowStart
