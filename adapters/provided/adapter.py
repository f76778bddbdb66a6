"""Answers that were made elsewhere: the "checkpoint" is the file, or the folder, that holds them.

Nothing is loaded and nothing is asked. The harness reads the file itself (`adapters.provided`) and
puts its answers where those of a model that ran would stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NoReturn

from adapters.interface import Adapter, Audio, LoadSpec, ModelError, Options, Turn


class Predictions(Adapter):
    """It declares what can be provided, and answers nothing itself."""

    provided: ClassVar[bool] = True
    devices: ClassVar[Sequence[str]] = ()

    def load(self, spec: LoadSpec) -> None:
        _refuse()

    def transcribe(self, audio: Audio) -> NoReturn:
        """Raises ModelError."""
        _refuse()

    def synthesize(self, text: str, voice: Options | None = None) -> NoReturn:
        """Raises ModelError."""
        _refuse()

    def reply(self, turns: Sequence[Turn]) -> NoReturn:
        """Raises ModelError."""
        _refuse()


def _refuse() -> NoReturn:
    raise ModelError("its answers were made elsewhere: there is no model here that can be asked")


ADAPTER = Predictions
