"""What faster-whisper computes of the sound before it decodes, in memory that does not grow.

The features and the probability of speech are the library's, to the last rounding.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from adapters.interface import Samples

#: The mel of longer audio is computed in pieces of this many frames (60 s).
_PIECE_FRAMES = 6000
#: Frames of 512 samples that the voice detector sees at once (64 s).
VOICE_FRAMES = 2000


class MelInPieces:
    """The library's feature extractor, whose memory beside the features does not grow.

    The spectrum of an hour takes 15 times the memory of its mel; in pieces, with the
    one normalization that spans them all, the features are the same.
    """

    def __init__(self, extractor: Any) -> None:
        self._extractor = extractor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._extractor, name)

    def __call__(
        self, waveform: Samples, padding: int = 160, chunk_length: int | None = None
    ) -> Any:
        inner = self._extractor
        if len(waveform) <= _PIECE_FRAMES * inner.hop_length or padding != inner.hop_length:
            return inner(waveform, padding, chunk_length)
        # It keeps the length of its windows, which is all that this is for.
        inner(waveform[: inner.hop_length], padding, chunk_length)
        half = inner.n_fft // 2
        window = np.hanning(inner.n_fft + 1)[:-1].astype(np.float32)
        frames = (len(waveform) + padding) // inner.hop_length
        mel: Samples = np.empty((len(inner.mel_filters), frames), np.float32)
        for first in range(0, frames, _PIECE_FRAMES):
            last = min(first + _PIECE_FRAMES, frames)
            start = first * inner.hop_length - half
            stop = (last - 1) * inner.hop_length + half
            piece = waveform[max(0, start) : stop]
            # Mirrored at the beginning, zeros at the end, as the library has it.
            piece = np.pad(piece, (max(0, -start), 0), mode="reflect")
            piece = np.pad(piece, (0, stop - start - len(piece)))
            spectrum = inner.stft(
                piece,
                inner.n_fft,
                inner.hop_length,
                window=window,
                center=False,
                return_complex=True,
            ).astype(np.complex64)
            power = inner.mel_filters @ (np.abs(spectrum) ** 2)
            mel[:, first:last] = np.log10(np.clip(power, 1e-10, None))
        np.maximum(mel, np.max(mel) - 8.0, out=mel)
        mel += 4.0
        mel /= 4.0
        return mel


@contextmanager
def voice_in_pieces() -> Iterator[None]:
    """The library with its voice detector fed in pieces, for the time of a call."""
    vad: Any = importlib.import_module("faster_whisper.vad")
    library = vad.get_vad_model
    vad.get_vad_model = lambda: partial(_voice, library().session)
    try:
        yield
    finally:
        vad.get_vad_model = library


def _voice(session: Any, padded: Samples) -> Samples:
    """The probability of speech in each frame of 512 samples, shape (frames, 1).

    What the library computes, without its two more copies of the audio: Silero's network
    sees each frame behind the last 64 samples of the one before, and carries its state on.
    """
    frames = padded.reshape(-1, 512)
    frames[-1, -64:] = 0  # padding, mostly; the library does so
    before = np.zeros((1, 64), np.float32)
    hidden = cell = np.zeros((1, 1, 128), np.float32)
    heard = []
    for first in range(0, len(frames), VOICE_FRAMES):
        block = frames[first : first + VOICE_FRAMES]
        behind = np.concatenate([before, block[:-1, -64:]])
        output, hidden, cell = session.run(
            None, {"input": np.concatenate([behind, block], axis=1), "h": hidden, "c": cell}
        )
        heard.append(output)
        before = block[-1:, -64:]
    return np.concatenate(heard)
