"""The sound of errors, put into the page for who asks for it: a page has no other files."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from fixtures.audio.paths import OPTION
from fixtures.audio.read import SAMPLE_RATE, AudioError, opened, read_audio
from fixtures.fetch.cache import cache_dir

#: How much of the page sound may be, in MB (10^6 bytes).
DEFAULT_MB = 20.0
_SUBTYPE = "PCM_16"


@dataclass(frozen=True, slots=True)
class Clip:
    """Where a sound is: a file that a recognizer heard a part of, or one that a voice made.

    offset, seconds: the part of the file; seconds: None for what a voice made, whose path is
    relative to the run's folder. channel: the only one that was heard, from 0; None for all.
    """

    path: str
    offset: float | None = None
    seconds: float | None = None
    channel: int | None = None


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
        self._known: dict[Clip, int | None] = {}

    def add(self, clip: Clip) -> int | None:
        """The place of a clip among `clips`: at 16 kHz, or at a voice's own rate."""
        if clip not in self._known:
            self._known[clip] = self._encoded(clip)
        return self._known[clip]

    def _encoded(self, clip: Clip) -> int | None:
        if self._left <= 0:
            self.missed[f"there is room for {self.megabytes:g} MB"] += 1
            return None
        try:
            samples, rate = self._read(clip)
        except (AudioError, OSError, ValueError, RuntimeError) as error:
            self.missed[f"a file that cannot be read, such as {clip.path}: {error}"] += 1
            return None
        out = io.BytesIO()
        soundfile.write(out, samples, rate, format="FLAC", subtype=_SUBTYPE)
        text = base64.b64encode(out.getvalue()).decode("ascii")
        if len(text) > self._left:
            self._left = 0
            return self._encoded(clip)
        self._left -= len(text)
        self.clips.append(text)
        return len(self.clips) - 1

    def _read(self, clip: Clip) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float32]], int]:
        if clip.seconds is not None:
            self._refuse_outside(clip.path)
            duration = clip.seconds if clip.offset is not None else None
            with opened(Path(clip.path)) as file:
                samples = read_audio(
                    file, offset=clip.offset, duration=duration, channel=clip.channel
                )
            return samples, SAMPLE_RATE
        inside = (self._run / clip.path).resolve()
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
