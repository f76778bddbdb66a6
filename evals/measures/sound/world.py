"""Speech as WORLD sees it: fundamental frequency and spectral envelope, and mel-cepstra of that.

Morise, Yokomori and Ozawa 2016, "WORLD: a vocoder-based high-quality speech synthesis system
for real-time applications". F0 is from DIO refined by StoneMask, whose cost is a twentieth of
Harvest's; the envelope is CheapTrick's.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.measures.sound.optional import LibraryMissing, NotMeasured
from evals.measures.sound.signal_quality import FRAME_SECONDS, active_frames, is_silent
from fixtures.audio.read import SAMPLE_RATE, to_mono_16k

Floats = NDArray[np.float64]

#: WORLD's own step, in milliseconds.
STEP_MS = 5.0
#: Mel-cepstra c1..c24 under the all-pass constant that bends 16 kHz like the mel scale.
ORDER = 24
ALPHA = 0.42
#: F0 of people, WORLD's own range: below its floor CheapTrick's windows do not fit.
F0_FLOOR, F0_CEILING = 71.0, 800.0
#: Analysis of less says nothing.
SHORTEST_SECONDS = 0.1
FEWEST_VOICED = 10
#: Below the clip's strongest frequency this is added to every envelope. Logarithms make much of
#: what nobody hears: without it a change of rate alone is 1.5 to 3 dB of distortion.
FLOOR_DB = 80.0


@dataclass(frozen=True, slots=True)
class Voice:
    """One row per step of `STEP_MS` of the clip's active frames; the silences are left out.

    f0: shape (n,), in Hz, 0 where unvoiced. cepstra: shape (n, ORDER), c1 to c24, no energy.
    """

    f0: Floats
    cepstra: Floats

    @property
    def voiced(self) -> NDArray[np.bool_]:
        return self.f0 > 0

    @property
    def f0_spread_cents(self) -> float:
        """`spread_cents` of the clip's F0. Raises NotMeasured."""
        return spread_cents(self.f0)


def analyse(samples: NDArray[np.float32], sample_rate: int) -> Voice:
    """F0 and mel-cepstra of a clip, of shape (n,), resampled to 16 kHz.

    Raises NotMeasured for a clip that is too short, silent or not finite, LibraryMissing
    without pyworld.
    """
    wave = _audible(samples, sample_rate)
    f0, times, kept = _tracked(wave)
    heard = pyworld().cheaptrick(wave, f0, times, SAMPLE_RATE)[kept]
    heard = heard + heard.max() * 10 ** (-FLOOR_DB / 10)
    return Voice(f0[kept], mel_cepstra(heard)[:, 1:])


def pitch(samples: NDArray[np.float32], sample_rate: int) -> Floats:
    """`Voice.f0` of a clip alone, for a fraction of the cost. Raises as `analyse` does."""
    f0, _, kept = _tracked(_audible(samples, sample_rate))
    return np.asarray(f0[kept])


def spread_cents(f0: Floats) -> float:
    """How much the F0 of the voiced frames varies, in cents: that of a monotone hardly does.

    f0: shape (n,), in Hz, 0 where unvoiced. Half the way from the 16th to the 84th percentile,
    which is the standard deviation of a normal distribution, and blind to single frames an
    octave off. Raises NotMeasured with fewer than `FEWEST_VOICED` voiced frames.
    """
    voiced = f0[f0 > 0]
    if len(voiced) < FEWEST_VOICED:
        raise NotMeasured(f"the clip has {len(voiced)} voiced frames only")
    low, high = np.percentile(1200 * np.log2(voiced), (16, 84))
    return float(high - low) / 2


def _audible(samples: NDArray[np.float32], sample_rate: int) -> Floats:
    """The clip at 16 kHz. Raises NotMeasured where there is nothing to analyse."""
    if not np.isfinite(samples).all():
        raise NotMeasured("samples are NaN or infinite")
    wave = to_mono_16k(samples, sample_rate).astype(np.float64)
    if len(wave) < SHORTEST_SECONDS * SAMPLE_RATE:
        raise NotMeasured(f"the clip is shorter than {SHORTEST_SECONDS:g} s")
    if is_silent(wave, SAMPLE_RATE):
        raise NotMeasured("the clip is silent")
    return wave


def _tracked(wave: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """F0 in Hz and time in s of every step, and which steps are in active frames."""
    active = active_frames(wave, SAMPLE_RATE)
    world = pyworld()
    coarse, times = world.dio(
        wave, SAMPLE_RATE, f0_floor=F0_FLOOR, f0_ceil=F0_CEILING, frame_period=STEP_MS
    )
    f0 = world.stonemask(wave, coarse, times, SAMPLE_RATE)
    # Rounded first: 0.03 / 0.01 is below 3.
    frames = np.round(times / FRAME_SECONDS, 6).astype(int)
    kept = active[np.minimum(frames, len(active) - 1)]
    if not kept.any():
        raise NotMeasured("no frame of the clip is active")
    return f0, times, kept


def mel_cepstra(envelope: Floats, order: int = ORDER, alpha: float = ALPHA) -> Floats:
    """Mel-cepstra c0 to c`order` of power spectra.

    envelope: shape (n, bins), power at frequencies from 0 to half the rate. The mel-cepstrum
    is that of Tokuda, Kobayashi, Masuko and Imai 1994 (and of SPTK): the coefficients in

        ln |H(w)| = sum over m of c_m cos(m v),  v = w + 2 atan(alpha sin w / (1 - alpha cos w))

    found here by reading the logarithmic envelope at even steps of v and a cosine transform.
    They are neither MFCCs (no filterbank) nor WORLD's coded envelopes (which are not one-sided).
    """
    bins = envelope.shape[1]
    even = np.linspace(0.0, np.pi, bins)
    # The all-pass of -alpha undoes that of alpha.
    unwarped = even - 2 * np.arctan2(alpha * np.sin(even), 1 + alpha * np.cos(even))
    place = np.clip(unwarped / np.pi * (bins - 1), 0, bins - 1)
    below = np.minimum(place.astype(int), bins - 2)
    part = place - below
    logs = 0.5 * np.log(np.maximum(envelope, 1e-16))
    warped = logs[:, below] * (1 - part) + logs[:, below + 1] * part
    cepstra = np.fft.irfft(warped, axis=1)[:, : order + 1]
    cepstra[:, 1:] *= 2
    return np.asarray(cepstra)


@cache
def pyworld() -> Any:
    """The compiled module of pyworld. Raises LibraryMissing.

    The package around it asks pkg_resources for its own version, which setuptools dropped
    in 82, so the module is loaded without the package.
    """
    package = importlib.util.find_spec("pyworld")
    if package is None or package.submodule_search_locations is None:
        raise LibraryMissing("pyworld")
    if "pyworld.pyworld" in sys.modules:
        return sys.modules["pyworld.pyworld"]
    spec = PathFinder.find_spec("pyworld.pyworld", list(package.submodule_search_locations))
    if spec is None or spec.loader is None:
        raise LibraryMissing("pyworld", problem="its compiled module is not there")
    try:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except ImportError as error:
        raise LibraryMissing("pyworld", problem=f"cannot be imported: {error}") from error
    return module
