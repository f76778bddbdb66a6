"""The sound of errors, put into the page for who asks for it: a page has no other files."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from fixtures.audio.paths import OPTION
from fixtures.audio.read import SAMPLE_RATE, AudioError, load_audio
from fixtures.fetch.cache import cache_dir

#: How much of the page sound may be, in MB (10^6 bytes).
DEFAULT_MB = 20.0
_SUBTYPE = "PCM_16"


class Sounds:
    """Clips as FLAC in base64, each once, until there is no more room.

    roots: the folders that what was heard may be in, beside the run's; None: anywhere.
    missed: why clips are not there, and how many.
    """

    def __init__(
        self, run: Path, megabytes: float = DEFAULT_MB, roots: Sequence[Path] | None = None
    ) -> None:
        self._roots = [root.resolve() for root in (run, *roots)] if roots is not None else None
        self.clips: list[str] = []
        self.missed: Counter[str] = Counter()
        self.megabytes = megabytes
        self._run = run.resolve()
        self._left = megabytes * 1e6
        self._known: dict[tuple[str, float | None, float | None], int | None] = {}

    def heard(self, path: str, offset: float | None, seconds: float) -> int | None:
        """What a recognizer heard: 16 kHz. offset, seconds: where in the file, and how long."""
        return self._add(path, offset, seconds)

    def made(self, path: str) -> int | None:
        """What a voice made, at its own rate; path: relative to the run's folder."""
        return self._add(path, None, None)

    def _add(self, path: str, offset: float | None, seconds: float | None) -> int | None:
        key = (path, offset, seconds)
        if key not in self._known:
            self._known[key] = self._encoded(*key)
        return self._known[key]

    def _encoded(self, path: str, offset: float | None, seconds: float | None) -> int | None:
        if self._left <= 0:
            self.missed[f"there is room for {self.megabytes:g} MB"] += 1
            return None
        try:
            samples, rate = self._read(path, offset, seconds)
        except (AudioError, OSError, ValueError, RuntimeError) as error:
            self.missed[f"a file that cannot be read, such as {path}: {error}"] += 1
            return None
        out = io.BytesIO()
        soundfile.write(out, samples, rate, format="FLAC", subtype=_SUBTYPE)
        text = base64.b64encode(out.getvalue()).decode("ascii")
        if len(text) > self._left:
            self._left = 0
            return self._encoded(path, offset, seconds)
        self._left -= len(text)
        self.clips.append(text)
        return len(self.clips) - 1

    def _read(
        self, path: str, offset: float | None, seconds: float | None
    ) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float32]], int]:
        if seconds is not None:
            self._refuse_outside(path)
            duration = seconds if offset is not None else None
            return load_audio(Path(path), offset=offset, duration=duration), SAMPLE_RATE
        inside = (self._run / path).resolve()
        if not inside.is_relative_to(self._run):
            raise ValueError("not in the run's folder")
        samples, rate = soundfile.read(inside, dtype="float32")
        # A voice may answer with what is no sound; whole numbers have no place for that.
        return np.clip(np.nan_to_num(samples, posinf=1.0, neginf=-1.0), -1.0, 1.0), rate

    def _refuse_outside(self, path: str) -> None:
        """A run from somebody else may name any file of this machine: a page is given away."""
        if self._roots is None:
            return
        inside = Path(path).resolve()
        if not any(inside.is_relative_to(root) for root in self._roots):
            raise ValueError(f"outside the folders that sound is taken from ({OPTION} adds one)")


def near() -> list[Path]:
    """Where sound may be taken from unasked: the built-in corpora's folder, and the present one."""
    return [cache_dir(), Path.cwd()]
