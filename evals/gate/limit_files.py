"""The files that say what is good enough, and what they say together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from evals.gate.thresholds import DEFAULT, Thresholds, layers

#: What the limits of a run are kept under in its folder, those of several files as one.
KEPT = "thresholds.yaml"


class LimitFiles:
    """Files of thresholds, the last on top; none given is the project's own.

    Raises ConfigError where they cannot be read, or do not make thresholds together.
    """

    def __init__(self, *given: str | Path) -> None:
        self.paths = [Path(path) for path in given] or [DEFAULT]
        self._layers = layers(self.paths)
        self.thresholds: Thresholds = self._layers.load(Thresholds)
        #: What one file would hold in place of all, and its SHA-256.
        self.content = self._layers.content
        self.sha256 = hashlib.sha256(self.content).hexdigest()

    @property
    def names(self) -> str:
        """The files as they were named, the last on top."""
        return " + ".join(map(str, self.paths))

    def place(self, key: Sequence[str], *, short: bool = False) -> str:
        """The file and line of a key. short: the file without its folders."""
        place = self._layers.place(tuple(key))
        return Path(place).name if short else place
