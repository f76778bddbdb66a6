"""What can be said of a synthesized clip from its samples alone, with no reference and no model.

Sound and silence are told apart relative to the clip's own level, so that a quiet voice is
not silence: see `active_frames`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from evals.measures.sound.optional import NotMeasured, attempt, library

Samples = NDArray[np.float32]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

FRAME_SECONDS = 0.01
#: A frame is sound where its power is at most this far below the clip's own level.
ACTIVE_DB = 30.0
#: A clip whose own level is below this, relative to full scale, is silence.
SILENT_DB = -60.0
#: Gaps as short as the closure of a plosive belong to the sound, and clicks do not.
_SHORTEST_GAP_SECONDS = 0.1
_SHORTEST_SOUND_SECONDS = 0.05

#: A flat top is this many samples in a row at the clip's extreme, within a step of 16 bits, and
#: this long: the crests of low tones are flat for some samples at high rates.
_FLAT_SAMPLES = 3
_FLAT_SECONDS = 0.0001
_STEP = 1.0 / 32768
#: A side of the wave that hardly leaves its middle is at its extreme when nothing is heard.
_SIDE_SHARE = 0.25

#: BS.1770's gating block and its absolute gate.
_BLOCK_SECONDS = 0.4
_GATE_LUFS = -70.0

_FLATNESS_SECONDS = 0.032
#: Where voiced speech shows its harmonics, and noise of any usual colour is nearly even.
_FLATNESS_HZ = (100.0, 4000.0)


@dataclass(frozen=True, slots=True)
class SignalQuality:
    """The figures of one clip. None: it could not be measured, and `reasons` says why.

    seconds: length of the audio, the silences with it.
    bad_samples: how many are NaN or infinite. Nothing else is measured then.
    silent: whether nothing can be heard (`SILENT_DB`).
    peak: largest magnitude; above 1.0 the clip distorts when it is played or stored.
    clipped_share: of the samples, those in flat tops; clipped_runs: the number of these.
    dc_offset: mean of the samples, in parts of full scale.
    leading_silence, trailing_silence, longest_pause: seconds; the pause is inside the speech.
    active_seconds: length of the sound without the silences.
    loudness: integrated, in LUFS.
    flatness: 0 (tones) to 1 (even noise), the median of the active frames: see `flatness`.
    characters_per_second, words_per_second: of the text, over active_seconds.
    """

    seconds: float
    sample_rate: int
    bad_samples: int
    silent: bool | None
    peak: float | None
    clipped_share: float | None
    clipped_runs: int | None
    dc_offset: float | None
    leading_silence: float | None
    trailing_silence: float | None
    longest_pause: float | None
    active_seconds: float | None
    loudness: float | None
    flatness: float | None
    characters_per_second: float | None
    words_per_second: float | None
    reasons: Mapping[str, str] = field(default_factory=dict)


def signal_quality(samples: Samples, sample_rate: int, text: str) -> SignalQuality:
    """Everything about one clip.

    samples: shape (n,), mono, [-1, 1] is full scale. text: what the clip should say, as it is
    spoken where the speaking rate is to be compared ("ten past two", not "2:10").
    Raises ValueError where the samples are not of that shape or the rate is not above 0.
    """
    if samples.ndim != 1:
        raise ValueError(f"samples must have the shape (n,), not {samples.shape}")
    if sample_rate <= 0:
        raise ValueError(f"a sample rate must be above 0, not {sample_rate}")
    wave = samples.astype(np.float64)
    bad = int(np.count_nonzero(~np.isfinite(wave)))
    reasons: dict[str, str] = {}

    def usable() -> Floats:
        return _usable(wave)

    def audible() -> Floats:
        if is_silent(usable(), sample_rate):
            raise NotMeasured("the clip is silent")
        return wave

    def sounding() -> Mask:
        return active_frames(audible(), sample_rate)

    clipping = attempt(reasons, "clipped_share", lambda: flat_tops(audible(), sample_rate))
    if clipping is None:
        reasons["clipped_runs"] = reasons["clipped_share"]
    seconds = len(samples) / sample_rate
    pauses = attempt(reasons, "leading_silence", lambda: silences(sounding(), seconds))
    if pauses is None:
        for name in ("trailing_silence", "longest_pause", "active_seconds"):
            reasons[name] = reasons["leading_silence"]
    leading, trailing, longest, active = pauses if pauses is not None else (None,) * 4
    return SignalQuality(
        seconds=seconds,
        sample_rate=sample_rate,
        bad_samples=bad,
        silent=attempt(reasons, "silent", lambda: is_silent(usable(), sample_rate)),
        peak=attempt(reasons, "peak", lambda: float(np.abs(usable()).max())),
        clipped_share=clipping[0] / len(wave) if clipping else None,
        clipped_runs=clipping[1] if clipping else None,
        dc_offset=attempt(reasons, "dc_offset", lambda: float(usable().mean())),
        leading_silence=leading,
        trailing_silence=trailing,
        longest_pause=longest,
        active_seconds=active,
        loudness=attempt(reasons, "loudness", lambda: loudness(audible(), sample_rate)),
        flatness=attempt(reasons, "flatness", lambda: flatness(audible(), sample_rate)),
        characters_per_second=attempt(
            reasons,
            "characters_per_second",
            lambda: _rate(sum(c.isalnum() for c in text), _seconds_of(sounding(), seconds)),
        ),
        words_per_second=attempt(
            reasons,
            "words_per_second",
            lambda: _rate(
                sum(any(c.isalnum() for c in word) for word in text.split()),
                _seconds_of(sounding(), seconds),
            ),
        ),
        reasons=reasons,
    )


def own_level(powers: Floats) -> float:
    """The level of a clip whose frames have these powers, in dB relative to full scale.

    It is the mean power, each frame weighted by its power: what the sound has where its
    energy is, however much silence is around it. -inf for digital silence.
    """
    total = float(powers.sum())
    if total <= 0:
        return -np.inf
    return float(10 * np.log10((powers**2).sum() / total))


def is_silent(wave: Floats, sample_rate: int) -> bool:
    """Whether the clip's own level, a constant offset taken off, is below `SILENT_DB`."""
    return own_level(_powers(wave, sample_rate)) < SILENT_DB


def active_frames(wave: Floats, sample_rate: int) -> Mask:
    """Which frames of `FRAME_SECONDS` hold sound; a last frame may be shorter.

    A frame does where its power is at most `ACTIVE_DB` below the clip's own level. Gaps under
    0.1 s are filled after that, then stretches of sound under 0.05 s, which are clicks, are
    dropped. Background noise that is closer to the voice than `ACTIVE_DB` counts as sound.
    """
    powers = _powers(wave, sample_rate)
    level = own_level(powers)
    if level == -np.inf:
        return np.zeros(len(powers), bool)
    active = powers >= 10 ** ((level - ACTIVE_DB) / 10)
    for start, end in _runs(~active):
        inner = start > 0 and end < len(active)
        if inner and (end - start) * FRAME_SECONDS < _SHORTEST_GAP_SECONDS - 1e-9:
            active[start:end] = True
    for start, end in _runs(active):
        if (end - start) * FRAME_SECONDS < _SHORTEST_SOUND_SECONDS - 1e-9:
            active[start:end] = False
    return active


def silences(active: Mask, seconds: float) -> tuple[float, float, float, float]:
    """Leading, trailing and longest inner silence, and the length of the sound, in seconds.

    active: shape (n,), of the frames of a clip of that many seconds.
    Raises NotMeasured where there is no sound.
    """
    runs = [
        (start * FRAME_SECONDS, min(end * FRAME_SECONDS, seconds)) for start, end in _runs(active)
    ]
    if not runs:
        raise NotMeasured(f"no sound of the clip lasts {_SHORTEST_SOUND_SECONDS:g} s")
    gaps = [after[0] - before[1] for before, after in pairwise(runs)]
    sound = sum(end - start for start, end in runs)
    return runs[0][0], seconds - runs[-1][1], max(gaps, default=0.0), sound


def flat_tops(wave: Floats, sample_rate: int) -> tuple[int, int]:
    """How many samples are in flat tops, and how many flat tops there are.

    A flat top is 3 or more samples in a row, and 0.1 ms or more, at the clip's own highest or
    lowest value, within one step of 16 bits, so that clipping shows after the clip was made
    quieter.
    What lies above full scale counts as at it. Not seen: a clipped signal that was filtered,
    resampled or coded with loss afterwards, which has no flat tops left.
    """
    heard = np.clip(wave, -1.0, 1.0)
    middle = float(np.median(heard))
    up, down = float(np.max(heard)) - middle, middle - float(np.min(heard))
    shortest = max(_FLAT_SAMPLES, int(np.ceil(_FLAT_SECONDS * sample_rate)))
    clipped = runs = 0
    for side, reach in ((heard, up), (-heard, down)):
        if reach <= _STEP or reach < _SIDE_SHARE * max(up, down):
            continue
        for start, end in _runs(side >= np.max(side) - _STEP):
            if end - start >= shortest:
                clipped += end - start
                runs += 1
    return clipped, runs


def loudness(wave: Floats, sample_rate: int) -> float:
    """Integrated loudness in LUFS: ITU-R BS.1770-4, by pyloudnorm.

    Raises NotMeasured for a clip shorter than one gating block (0.4 s) or wholly below the
    absolute gate, LibraryMissing without pyloudnorm.
    """
    if len(wave) < _BLOCK_SECONDS * sample_rate:
        raise NotMeasured(
            f"the clip is shorter than a block of BS.1770 ({_BLOCK_SECONDS:g} s): "
            f"{len(wave) / sample_rate:.2f} s"
        )
    pyloudnorm = library("pyloudnorm")
    measured = float(pyloudnorm.Meter(sample_rate).integrated_loudness(wave))
    if not np.isfinite(measured):
        raise NotMeasured(f"no block is above BS.1770's gate of {_GATE_LUFS:g} LUFS")
    return measured


def flatness(wave: Floats, sample_rate: int) -> float:
    """How much like noise the sound is: the median spectral flatness of its active frames.

    Spectral flatness is the geometric over the arithmetic mean of a power spectrum (Gray and
    Markel 1974), here of single frames of 32 ms under a Hann window from 100 to 4000 Hz (or
    half the rate). White noise is at exp(-0.5772) = 0.56, since a single frame of it is not
    even; voiced speech is far below. Raises NotMeasured without a whole active frame.
    """
    size = round(_FLATNESS_SECONDS * sample_rate)
    hop = size // 2
    if len(wave) < size or hop == 0:
        raise NotMeasured(f"the clip is shorter than a frame of {_FLATNESS_SECONDS:g} s")
    frames = np.lib.stride_tricks.sliding_window_view(wave, size)[::hop]
    active = active_frames(wave, sample_rate)
    middles = ((np.arange(len(frames)) * hop + size / 2) / sample_rate / FRAME_SECONDS).astype(int)
    frames = frames[active[np.minimum(middles, len(active) - 1)]]
    if len(frames) == 0:
        raise NotMeasured("no frame of the clip is active")
    hertz = np.fft.rfftfreq(size, 1 / sample_rate)
    band = (hertz >= _FLATNESS_HZ[0]) & (hertz <= _FLATNESS_HZ[1])
    spectra = np.abs(np.fft.rfft(frames * np.hanning(size + 1)[:-1]))[:, band] ** 2
    means = spectra.mean(axis=1)
    spectra, means = spectra[means > 0], means[means > 0]
    if len(means) == 0:
        raise NotMeasured("nothing of the clip is between 100 and 4000 Hz")
    # Digital zeros have no logarithm: 120 dB below the frame's mean is as good.
    logs = np.log(np.maximum(spectra, means[:, None] * 1e-12)).mean(axis=1)
    return float(np.median(np.exp(logs) / means))


def _usable(wave: Floats) -> Floats:
    if len(wave) == 0:
        raise NotMeasured("the clip holds no samples")
    bad = int(np.count_nonzero(~np.isfinite(wave)))
    if bad:
        raise NotMeasured(f"{bad} of {len(wave)} samples are NaN or infinite")
    return wave


def _powers(wave: Floats, sample_rate: int) -> Floats:
    """Mean squares of frames, each one's mean taken off: a constant is not sound.

    Not the clip's mean, by which digital silence beside a recording with an offset is not 0.
    """
    frames = int(np.ceil(len(wave) / sample_rate / FRAME_SECONDS - 1e-9))
    # Not all frames have as many samples: 10 ms at 22050 Hz are 220.5.
    edges = np.round(np.arange(frames) * FRAME_SECONDS * sample_rate).astype(int)
    edges = np.unique(edges[edges < len(wave)])
    if len(edges) == 0:
        return np.zeros(0)
    sizes = np.diff(edges, append=len(wave))
    means = np.add.reduceat(wave, edges) / sizes
    return np.asarray(np.add.reduceat((wave - np.repeat(means, sizes)) ** 2, edges) / sizes)


def _seconds_of(active: Mask, seconds: float) -> float:
    return silences(active, seconds)[3]


def _rate(count: int, seconds: float) -> float:
    if count == 0:
        raise NotMeasured("the text holds no letter or digit")
    return count / seconds


def _runs(mask: Mask) -> list[tuple[int, int]]:
    """Start and end (exclusive) of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]
