"""Triangles over the bins of a spectrum, even on the mel scale, as librosa has them by default."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from fixtures.audio.read import SAMPLE_RATE


@cache
def mel_bands(frame: int, bands: int) -> NDArray[np.float64]:
    """Triangles of equal area, even on the scale of Slaney's Auditory Toolbox (1998).

    frame: samples of a frame at 16 kHz. Shape (bands, bins). The scale is linear up to 1000 Hz
    (15 mel), logarithmic above, where 27 mel are a factor of 6.4.
    """
    top = 15 + 27 * np.log(SAMPLE_RATE / 2 / 1000) / np.log(6.4)
    mel = np.linspace(0, top, bands + 2)
    edges = np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bins = np.fft.rfftfreq(frame, 1 / SAMPLE_RATE)
    slopes = np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle))
    return np.asarray(np.maximum(slopes, 0) * 2 / (high - low))
