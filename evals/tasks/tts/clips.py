"""The clips of a voice, and what makes one unusable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile

from evals.measures.sound.signal_quality import SignalQuality, signal_quality
from evals.records.spoken import Spoken
from evals.run.case_store import Stored
from fixtures.audio.read import Samples

#: Even noise is at 0.56 by its definition, voiced speech far below; see `signal_quality.flatness`.
NOISE_FLATNESS = 0.4
#: Slower than this nobody speaks: the voice does not find an end. Slow readers are at 8 and more.
SLOWEST_CHARACTERS_PER_SECOND = 2.0
#: A clip with more of its samples in flat tops is clipped.
CLIPPED_SHARE = 0.001


@dataclass(frozen=True)
class Clip:
    """What a voice said, with its sound."""

    line: Spoken
    samples: Samples
    sample_rate: int
    quality: SignalQuality


def clips(lines: Sequence[Spoken], run: Path) -> list[Clip]:
    """The clips of the lines that have one; run: the folder that their names are relative to."""
    found = []
    for line in lines:
        if line.audio is None:
            continue
        samples, rate = soundfile.read(run / line.audio, dtype="float32")
        quality = signal_quality(samples, rate, line.text)
        found.append(Clip(line, samples, rate, quality))
    return found


def stored_clips(stored: Stored, lines: Sequence[Spoken]) -> list[Clip]:
    """The clips of a case's lines, analysed once, whether they are rated first or only scored."""
    return stored.once("clips", lambda: clips(lines, stored.run))


def problem(clip: Clip) -> str | None:
    """What keeps a clip from being speech; None where nothing does."""
    quality = clip.quality
    if not len(clip.samples):
        return "no samples"
    if quality.bad_samples:
        return f"{quality.bad_samples} samples are NaN or infinite"
    if quality.silent or quality.active_seconds is None:
        return "silence"
    if quality.flatness is not None and quality.flatness > NOISE_FLATNESS:
        return f"noise (spectral flatness {quality.flatness:.2f})"
    rate = quality.characters_per_second
    if rate is not None and rate < SLOWEST_CHARACTERS_PER_SECOND and quality.seconds > 5:
        return f"no end: {quality.seconds:.0f} s for {len(clip.line.text)} characters"
    return None
