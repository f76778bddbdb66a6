"""What listeners would say of a clip, as networks guess it: DNSMOS and UTMOS. No reference.

DNSMOS is Microsoft's:

P.835 (Reddy, Gopal and Cutler 2022) rates speech, background and the whole, P.808 (the same
2021) the whole, all from 1 to 5. They were trained on noisy and denoised calls, not on
synthesis: low values tell, high ones say little about how natural a voice is.

The networks are those in speechmos, and the values are what `speechmos.dnsmos.run` gives. Its
own code is not called, because its features come from librosa, which takes seconds to start.

UTMOS (Saeki et al. 2022) was trained on what listeners said of synthesized speech, one value from
1 to 5. No package brings its weights, so the file of the network must be named.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.measures.sound.mel import mel_bands
from evals.measures.sound.optional import LibraryMissing, NotMeasured, library
from evals.measures.sound.signal_quality import is_silent
from fixtures.audio.read import SAMPLE_RATE, to_mono_16k

Samples = NDArray[np.float32]
Floats = NDArray[np.float64]

#: The networks hear this many seconds at a time; shorter clips are repeated until they last.
SEGMENT_SECONDS = 9.01
_SEGMENT = int(SEGMENT_SECONDS * SAMPLE_RATE)

# What turns the P.835 network's outputs into ratings, highest power first.
_SPEECH = (-0.08397278, 1.22083953, 0.0052439)
_BACKGROUND = (-0.13166888, 1.60915514, -0.39604546)
_OVERALL = (-0.06766283, 1.11546468, 0.04602535)

# The P.808 network's features: 120 mel bands of frames of 321 samples, every 160.
_FRAME, _HOP, _BANDS = 321, 160, 120
_RANGE_DB = 80.0

#: The extra that brings torch, without which there is no UTMOS.
UTMOS_EXTRA = "transformers"


@dataclass(frozen=True, slots=True)
class Dnsmos:
    """Ratings of one clip, each the mean over its segments.

    segments: how many were rated; all_segments: how many the clip has.
    """

    speech: float
    background: float
    overall: float
    p808: float
    segments: int
    all_segments: int


def dnsmos(samples: Samples, sample_rate: int, *, most_segments: int | None = None) -> Dnsmos:
    """The ratings of a clip of shape (n,), mono, resampled to 16 kHz.

    most_segments: rate no more than these, evenly spread; a segment costs about 0.5 s of one
    core, and a clip of 8 s has 7. None rates all, which is the value to publish.
    Raises NotMeasured for a clip that is empty, silent or not finite, LibraryMissing.
    """
    if not np.isfinite(samples).all():
        raise NotMeasured("samples are NaN or infinite")
    wave = to_mono_16k(samples, sample_rate)
    if len(wave) == 0 or is_silent(wave.astype(np.float64), SAMPLE_RATE):
        raise NotMeasured("the clip is silent")
    p835, p808 = _networks()
    wave = _repeated(wave)
    total = _segments_of(len(wave))
    chosen: Sequence[int] = range(total)
    if most_segments is not None and most_segments < total:
        chosen = np.linspace(0, total - 1, most_segments).round().astype(int).tolist()
    ratings = []
    for second in chosen:
        segment = wave[second * SAMPLE_RATE :][:_SEGMENT]
        (raw,) = p835.run(None, {"input_1": segment[np.newaxis]})
        features = p808_features(segment[:-_HOP])[np.newaxis]
        (whole,) = p808.run(None, {"input_1": features})
        speech, background, overall = raw[0]
        ratings.append(
            (
                np.polyval(_SPEECH, speech),
                np.polyval(_BACKGROUND, background),
                np.polyval(_OVERALL, overall),
                whole[0][0],
            )
        )
    means = [float(value) for value in np.mean(ratings, axis=0)]
    return Dnsmos(means[0], means[1], means[2], means[3], len(ratings), total)


class Utmos:
    """UTMOS's network, loaded on the CPU.

    network: a TorchScript file whose forward() takes waves, float32 of shape (1, n) at 16 kHz, and
    may take the rate as a second argument. TorchScript holds a program in a language of its own,
    not a pickle: no Python of the file runs. It is a program all the same, so only a file of known
    origin should be named. Raises NotMeasured for any other file, LibraryMissing without torch.
    """

    def __init__(self, network: Path) -> None:
        self._torch = library("torch", UTMOS_EXTRA)
        self._name = network.name
        try:
            with warnings.catch_warnings():
                # torch would rather have another format, in which UTMOS is not to be had.
                warnings.simplefilter("ignore", FutureWarning)
                warnings.simplefilter("ignore", DeprecationWarning)
                self._module = self._torch.jit.load(str(network), map_location="cpu").eval()
            taken = len(self._module.forward.schema.arguments) - 1  # without self
        except Exception as error:  # a file of another kind raises what it likes
            raise NotMeasured(f"UTMOS: {network} is no network in TorchScript") from error
        if taken not in (1, 2):
            raise NotMeasured(f"UTMOS: {network} takes {taken} arguments, not waves and their rate")
        self._takes_rate = taken == 2

    def rate(self, samples: Samples, sample_rate: int) -> float:
        """The rating of a clip of shape (n,), mono, resampled to 16 kHz: about 1 to 5.

        Raises NotMeasured for a clip that is empty, silent or not finite, and where the network
        fails or gives no single number.
        """
        if not np.isfinite(samples).all():
            raise NotMeasured("samples are NaN or infinite")
        wave = to_mono_16k(samples, sample_rate)
        if len(wave) == 0 or is_silent(wave.astype(np.float64), SAMPLE_RATE):
            raise NotMeasured("the clip is silent")
        inputs = self._torch.from_numpy(np.ascontiguousarray(wave[np.newaxis], np.float32))
        given = (inputs, SAMPLE_RATE) if self._takes_rate else (inputs,)
        try:
            with self._torch.inference_mode():
                rating = self._module(*given)
            values = np.asarray(rating, np.float64).ravel()
        except Exception as error:  # the program in the file may raise what it likes
            # TorchScript puts the way there above what went wrong.
            said = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            raise NotMeasured(f"UTMOS: {self._name} fails: {said}") from error
        if values.shape != (1,) or not np.isfinite(values[0]):
            raise NotMeasured(f"UTMOS: {self._name} gives no single number for a clip")
        return float(values[0])


@cache
def utmos(network: Path) -> Utmos:
    """The network, loaded once for all voices of a session. Raises as Utmos does."""
    return Utmos(network)


def segments(seconds: float) -> int:
    """How many segments a clip of that length has, and so what it costs to rate it whole."""
    length = round(seconds * SAMPLE_RATE)
    while 0 < length < _SEGMENT:
        length *= 2
    return _segments_of(length)


def p808_features(segment: Samples) -> NDArray[np.float32]:
    """The mel spectrogram that the P.808 network takes, shape (frames, 120).

    segment: at 16 kHz. In dB below the segment's loudest band, at most 80, then (dB + 40) / 40.
    """
    padded = np.pad(segment.astype(np.float64), _FRAME // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FRAME) / _FRAME)
    mel = np.abs(np.fft.rfft(frames * window)) ** 2 @ mel_bands(_FRAME, _BANDS).T
    decibels = 10 * np.log10(np.maximum(mel, 1e-10))
    decibels = np.maximum(decibels - decibels.max(), -_RANGE_DB)
    return np.asarray((decibels + 40) / 40, np.float32)


@cache
def _networks() -> tuple[Any, Any]:
    """Sessions of both networks, one thread each. Raises LibraryMissing."""
    onnxruntime = library("onnxruntime")
    package = importlib.util.find_spec("speechmos")
    if package is None or package.origin is None:
        raise LibraryMissing("speechmos")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    loaded = []
    for name in ("sig_bak_ovr.onnx", "model_v8.onnx"):
        file = Path(package.origin).parent / "dnsmos_models" / name
        if not file.is_file():
            raise LibraryMissing("speechmos", problem=f"it comes without {name}")
        loaded.append(
            onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        )
    return loaded[0], loaded[1]


def _repeated(wave: Samples) -> Samples:
    while len(wave) < _SEGMENT:
        wave = np.concatenate([wave, wave])
    return wave


def _segments_of(length: int) -> int:
    # As speechmos counts: the seconds are cut off, the rest towards 0.
    if length < _SEGMENT:
        return 0
    return int(length // SAMPLE_RATE - SEGMENT_SECONDS) + 1
