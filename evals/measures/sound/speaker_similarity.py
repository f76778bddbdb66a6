"""Whether a clip sounds like the same person as a recording: the cosine of their embeddings.

The embeddings are those of a speaker verification model that transformers loads
(WavLMForXVector and its relatives, Snyder et al. 2018's x-vectors on a self-supervised encoder),
such as microsoft/wavlm-base-plus-sv, if that is on this machine already, else of Resemblyzer, whose
package has weights. Nothing is downloaded. Cosines of two encoders are not on one scale.
"""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from adapters.engines.shared import hub
from adapters.interface import ModelError
from evals.measures.sound.optional import LibraryMissing, NotMeasured, library
from evals.measures.sound.resemblyzer import ge2e
from evals.measures.sound.signal_quality import is_silent
from fixtures.audio.read import SAMPLE_RATE, to_mono_16k

Samples = NDArray[np.float32]
Floats = NDArray[np.float64]

EXTRA = "transformers"
#: What is looked for where nothing else is named (`--speaker-encoder`).
DEFAULT = "microsoft/wavlm-base-plus-sv"
#: The layers above the encoder look at 15 frames of 20 ms and take a deviation over time.
SHORTEST_SECONDS = 0.5
#: Tensors that only training uses: published checkpoints leave them out.
_NEVER_HEARD = re.compile(r"(^|\.)masked_spec_embed$|^objective\.")


class Encoder(Protocol):
    """What tells speakers apart. name: in reports."""

    name: str

    def embed(self, samples: Samples, sample_rate: int) -> Floats:
        """The embedding of a clip, of length 1. Raises NotMeasured."""


class SpeakerEncoder:
    """A speaker verification checkpoint, loaded once, on the CPU.

    checkpoint: a folder, or a name on the hub whose files are in the hub's cache already.
    Raises LibraryMissing without transformers, NotMeasured where the checkpoint is not there
    or is of another kind.
    """

    def __init__(self, checkpoint: str, revision: str | None = None) -> None:
        self.name = checkpoint
        # Looked for first: to import them for nothing takes seconds.
        if importlib.util.find_spec("transformers") is None:
            raise LibraryMissing("transformers", EXTRA)
        try:
            folder = hub.folder(
                checkpoint, revision, required=("config.json", "preprocessor_config.json")
            )
        except ModelError as error:
            said = str(error)
            if not hub.is_local(checkpoint):
                said = f"{checkpoint} is not whole in the hub's cache: hf download {checkpoint}"
            raise NotMeasured(f"speaker embeddings: {said}") from error
        transformers = library("transformers", EXTRA)
        self._torch = library("torch", EXTRA)
        local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            self._extractor = transformers.AutoFeatureExtractor.from_pretrained(folder, **local)
            self._model, report = transformers.AutoModelForAudioXVector.from_pretrained(
                folder, weights_only=True, output_loading_info=True, **local
            )
        except Exception as error:  # the library raises what it likes at what it cannot load
            raise NotMeasured(
                f"speaker embeddings: transformers cannot load {checkpoint}: "
                f"{type(error).__name__}: {error}"
            ) from error
        # Random where the checkpoint has none, such as the whole head of a mere encoder.
        missing = sorted(key for key in report["missing_keys"] if not _NEVER_HEARD.search(key))
        if missing:
            raise NotMeasured(
                f"speaker embeddings: {checkpoint} is no speaker verification model: "
                f"it lacks {len(missing)} tensor(s), such as {missing[0]}"
            )
        if self._extractor.sampling_rate != SAMPLE_RATE:
            raise NotMeasured(
                f"speaker embeddings: {checkpoint} hears {self._extractor.sampling_rate} Hz, "
                f"not {SAMPLE_RATE}"
            )
        self._model.eval()

    def embed(self, samples: Samples, sample_rate: int) -> Floats:
        """The embedding of a clip of shape (n,), mono: shape (d,), of length 1.

        Raises NotMeasured for a clip that is too short, silent or not finite.
        """
        if not np.isfinite(samples).all():
            raise NotMeasured("samples are NaN or infinite")
        wave = to_mono_16k(samples, sample_rate)
        if len(wave) < SHORTEST_SECONDS * SAMPLE_RATE:
            raise NotMeasured(f"speaker embeddings need {SHORTEST_SECONDS:g} s of speech")
        if is_silent(wave.astype(np.float64), SAMPLE_RATE):
            raise NotMeasured("the clip is silent")
        inputs = self._extractor(wave, sampling_rate=SAMPLE_RATE, return_tensors="pt")
        with self._torch.inference_mode():
            embedding = self._model(**inputs).embeddings[0].double().numpy()
        norm = float(np.linalg.norm(embedding))
        if not np.isfinite(norm) or norm == 0:
            raise NotMeasured("the model gave no embedding")
        return np.asarray(embedding / norm)

    def similarity(
        self, samples: Samples, sample_rate: int, reference: Samples, reference_rate: int
    ) -> float:
        """The cosine of the angle between clip and reference, -1 to 1. Raises NotMeasured."""
        return cosine(self.embed(samples, sample_rate), self.embed(reference, reference_rate))


@cache
def encoder(checkpoint: str) -> SpeakerEncoder:
    """The encoder, loaded once for all voices of a session. Raises as SpeakerEncoder does."""
    return SpeakerEncoder(checkpoint)


def any_encoder(checkpoint: str) -> Encoder:
    """The encoder of a checkpoint, or Resemblyzer's where the default checkpoint is not there.

    Raises NotMeasured for another that cannot be had, and where there is neither.
    """
    if checkpoint != DEFAULT:
        return encoder(checkpoint)
    try:
        return encoder(DEFAULT)
    except NotMeasured as first:
        try:
            return ge2e()
        except NotMeasured as second:
            raise NotMeasured(f"{second}; {first}") from None


def cosine(left: Floats, right: Floats) -> float:
    """The cosine of the angle between two vectors of shape (d,). Raises ValueError for zeros."""
    lengths = float(np.linalg.norm(left) * np.linalg.norm(right))
    if lengths == 0:
        raise ValueError("a vector of zeros has no direction")
    return float(np.clip(left @ right / lengths, -1.0, 1.0))
