"""Distill-MOS (Stahl and Gamper 2025): what listeners would say of a clip, from 1 to 5.

A small network that was taught by XLS-R-based predictors, for speech of every kind: recorded,
coded, enhanced and synthesized. Its weights are in the package distillmos, so nothing is
downloaded.
"""

from __future__ import annotations

import contextlib
import io
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.measures.sound.optional import LISTENERS, NotMeasured, inference, library, packaged
from evals.measures.sound.signal_quality import is_silent
from fixtures.audio.read import SAMPLE_RATE, to_mono_16k

#: The weights of version 0.9.1.
WEIGHTS = "package:distillmos/weights/distill_mos_v7.pt"
WEIGHTS_SHA256 = "b18b3ac60227267cfb91e5d00ce22cc7b73716fd92f269484da1446e27031a40"


def distill_mos(samples: NDArray[np.float32], sample_rate: int) -> float:
    """The rating of a clip of shape (n,), mono, resampled to 16 kHz: 1 to 5.

    A clip of up to 7.68 s costs about 0.8 s of one core, a longer one as much for each second more.
    Raises NotMeasured for a clip that is empty, silent or not finite, LibraryMissing.
    """
    if not np.isfinite(samples).all():
        raise NotMeasured("samples are NaN or infinite")
    wave = to_mono_16k(samples, sample_rate)
    if len(wave) == 0 or is_silent(wave.astype(np.float64), SAMPLE_RATE):
        raise NotMeasured("the clip is silent")
    torch, network = _network()
    with inference(torch):
        rating = float(network(torch.from_numpy(np.ascontiguousarray(wave[np.newaxis]))).item())
    if not np.isfinite(rating):
        raise NotMeasured("Distill-MOS gives no number for the clip")
    return rating


@cache
def _network() -> tuple[Any, Any]:
    """torch and the network, loaded once on the CPU. Raises NotMeasured, LibraryMissing."""
    packaged(WEIGHTS, WEIGHTS_SHA256)
    torch = library("torch", LISTENERS)
    found = library("distillmos", LISTENERS)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints where its weights are
        network = found.ConvTransformerSQAModel()
    return torch, network.eval()
