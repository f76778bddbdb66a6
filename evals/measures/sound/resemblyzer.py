"""Speaker embeddings by Resemblyzer's GE2E encoder (Wan et al. 2018), whose package has weights.

The network and the values are those of `resemblyzer.VoiceEncoder.embed_utterance` after
`preprocess_wav`. Its own code is not called, because its features come from librosa, which takes
seconds to start, and since it imports a module that SciPy is about to drop.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.measures.sound.mel import mel_bands
from evals.measures.sound.optional import LISTENERS, NotMeasured, inference, library, packaged
from evals.measures.sound.signal_quality import is_silent
from fixtures.audio.read import SAMPLE_RATE, to_mono_16k

Samples = NDArray[np.float32]
Floats = NDArray[np.float64]

#: What it is called in reports.
NAME = "Resemblyzer 0.1.4"
WEIGHTS = "package:resemblyzer/pretrained.pt"
WEIGHTS_SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
#: The network hears stretches of 160 frames; the library wants three quarters of the last one, and
#: pads a clip that has not even these. Padding costs cosine, so such a clip is left out here.
SHORTEST_SECONDS = 1.2

_FRAME, _HOP, _BANDS = 400, 160, 40
_STRETCH = 160  # frames
_STEP = 77  # frames from one stretch to the next: 1.3 a second
_COVERED = 0.75
_LEVEL_DB = -30.0
# The detector's frames of 30 ms, how many are averaged, and how far speech is widened.
_VAD_FRAME, _VAD_WIDTH, _VAD_WIDENED = 480, 8, 7


class GE2E:
    """The encoder, loaded once, on the CPU. Raises NotMeasured, LibraryMissing."""

    name = NAME

    def __init__(self) -> None:
        weights = packaged(WEIGHTS, WEIGHTS_SHA256)
        self._vad = library("webrtcvad", LISTENERS)
        self._torch: Any = library("torch", LISTENERS)
        state = self._torch.load(weights, map_location="cpu", weights_only=True)["model_state"]
        self._lstm = self._torch.nn.LSTM(_BANDS, 256, 3, batch_first=True)
        self._linear = self._torch.nn.Linear(256, 256)
        for name, module in (("lstm.", self._lstm), ("linear.", self._linear)):
            own = {k.removeprefix(name): v for k, v in state.items() if k.startswith(name)}
            module.load_state_dict(own)
            module.eval()

    def embed(self, samples: Samples, sample_rate: int) -> Floats:
        """The embedding of a clip of shape (n,), mono: shape (256,), of length 1.

        Raises NotMeasured for a clip that is silent, not finite, or has too little speech.
        """
        if not np.isfinite(samples).all():
            raise NotMeasured("samples are NaN or infinite")
        wave = to_mono_16k(samples, sample_rate)
        if len(wave) == 0 or is_silent(wave.astype(np.float64), SAMPLE_RATE):
            raise NotMeasured("the clip is silent")
        wave = self._speech(_louder(wave))
        if len(wave) < SHORTEST_SECONDS * SAMPLE_RATE:
            raise NotMeasured(f"{NAME} needs {SHORTEST_SECONDS:g} s of speech in a clip")
        starts = _starts(len(wave))
        end = (starts[-1] + _STRETCH) * _HOP
        mel = _mel(np.pad(wave, (0, max(0, end - len(wave)))))
        stretches = np.stack([mel[start : start + _STRETCH] for start in starts])
        with inference(self._torch):
            _, (hidden, _) = self._lstm(self._torch.from_numpy(stretches))
            raw = self._torch.relu(self._linear(hidden[-1])).double().numpy()
        mean = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).mean(axis=0)
        norm = float(np.linalg.norm(mean))
        if not np.isfinite(norm) or norm == 0:
            raise NotMeasured(f"{NAME} gave no embedding")
        return np.asarray(mean / norm)

    def _speech(self, wave: Samples) -> Samples:
        """The wave without its long silences, as WebRTC's detector hears them."""
        wave = wave[: len(wave) - len(wave) % _VAD_FRAME]
        if not len(wave):
            return wave
        detector = self._vad.Vad(3)
        pcm = np.clip(np.round(wave * 32767), -32768, 32767).astype(np.int16)
        frames = pcm.reshape(-1, _VAD_FRAME)
        heard = np.array([detector.is_speech(f.tobytes(), SAMPLE_RATE) for f in frames], float)
        padded = np.pad(heard, ((_VAD_WIDTH - 1) // 2, _VAD_WIDTH // 2))
        smooth = np.convolve(padded, np.ones(_VAD_WIDTH) / _VAD_WIDTH, mode="valid")
        kept = np.convolve(np.round(smooth), np.ones(_VAD_WIDENED), mode="same") > 0.5
        return np.asarray(wave[np.repeat(kept, _VAD_FRAME)])


@cache
def ge2e() -> GE2E:
    """The encoder, loaded once for all voices of a session. Raises as GE2E does."""
    return GE2E()


def _louder(wave: Samples) -> Samples:
    """A wave below -30 dB of full scale (root mean square) brought up to that."""
    level = 20 * np.log10(np.sqrt(np.mean(wave.astype(np.float64) ** 2)))
    return wave if level > _LEVEL_DB else np.asarray(wave * 10 ** ((_LEVEL_DB - level) / 20))


def _starts(samples: int) -> list[int]:
    """The first frames of the stretches that a wave is heard in."""
    frames = int(np.ceil((samples + 1) / _HOP))
    starts = list(range(0, max(1, frames - _STRETCH + _STEP + 1), _STEP))
    covered = (samples - starts[-1] * _HOP) / (_STRETCH * _HOP)
    return starts[:-1] if covered < _COVERED and len(starts) > 1 else starts


def _mel(wave: Samples) -> NDArray[np.float32]:
    """Powers of 40 mel bands, frames of 25 ms every 10 ms; shape (frames, 40). Not logarithmic."""
    padded = np.pad(wave.astype(np.float64), _FRAME // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FRAME) / _FRAME)
    powers = np.abs(np.fft.rfft(frames * window)) ** 2
    return np.asarray(powers @ mel_bands(_FRAME, _BANDS).T, np.float32)
