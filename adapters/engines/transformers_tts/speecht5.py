"""SpeechT5 with its vocoder."""

from __future__ import annotations

import importlib
import importlib.util
import math
from typing import Any

import numpy as np

from adapters.engines.transformers_tts.speaker import (
    Parts,
    Piece,
    Speaker,
    find_folder,
    load_model,
    model_type,
    piece_of,
    samples_of,
)
from adapters.interface import ModelError, Options, Samples


class SpeechT5(Speaker):
    """SpeechT5: letters to a spectrogram, step after step, and a HiFi-GAN for the sound."""

    kind = "speecht5"
    library = "SpeechT5ForTextToSpeech"

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        config = self.model.config
        self._vocoder = _vocoder(parts, config.num_mel_bins).to(self.model.device).eval()
        self.rate = int(self._vocoder.config.sampling_rate)
        self._hop = math.prod(self._vocoder.config.upsample_rates)
        self.room = int(config.max_text_positions)
        if parts.options["spell_numbers"] is not None:
            self.tokenizer.normalize = parts.options["spell_numbers"]
        self._vectors: dict[str, Any] = {}
        self.check(parts.options)

    @classmethod
    def prepare(cls, name: str) -> None:
        if importlib.util.find_spec("sentencepiece") is None:
            raise ModelError(f"the tokenizer of {name} needs a package: install sentencepiece")

    def check(self, settings: Options) -> None:
        self._vector(settings["voice"])

    def read(self, text: str) -> Piece:
        return piece_of(self.tokenizer, text, eos=True)

    def say(self, piece: Piece, settings: Options) -> Samples:
        import torch

        config = self.model.config
        ids = self.ids(piece)
        # The decoder has so many places, and 20 frames a letter are the library's own limit.
        frames = min(
            settings["max_seconds"] * self.rate / self._hop,
            config.max_speech_positions * config.reduction_factor,
        )
        with torch.inference_mode():
            waveform = self.model.generate_speech(
                ids,
                self._vector(settings["voice"]),
                attention_mask=torch.ones_like(ids),
                maxlenratio=min(20.0, frames / len(piece.ids)),
                vocoder=self._vocoder,
            )
        return samples_of(waveform)

    def _vector(self, voice: Any) -> Any:
        """The x-vector of a voice, of shape (1, size)."""
        import torch

        name, size = self.parts.name, self.model.config.speaker_embedding_dim
        if not isinstance(voice, str | list | tuple):
            raise ModelError(
                f"option voice: {name} needs an x-vector, and {voice!r} is none: give the path of "
                f"a .npy file with {size} numbers, or a list of them. The dataset "
                "Matthijs/cmu-arctic-xvectors on the hub has some"
            )
        if (known := self._vectors.get(str(voice))) is not None:
            return known
        try:
            numbers = np.load(voice, allow_pickle=False) if isinstance(voice, str) else voice
            vector = np.asarray(numbers, dtype=np.float32).reshape(-1)
        except (OSError, ValueError, TypeError, EOFError) as error:
            raise ModelError(f"option voice: {voice!r} cannot be read: {error}") from error
        if len(vector) != size or not np.isfinite(vector).all():
            raise ModelError(
                f"option voice: {name} takes {size} finite numbers, and these are {len(vector)}"
                + ("" if len(vector) != size else ", not all finite")
            )
        made = torch.from_numpy(vector).to(self.model.device, self.model.dtype)[None]
        self._vectors[str(voice)] = made
        return made


def _vocoder(parts: Parts, bands: int) -> Any:
    """SpeechT5's vocoder. Raises ModelError for one that does not fit its spectrogram."""
    transformers: Any = importlib.import_module("transformers")
    name, revision = parts.options["vocoder"], parts.options["vocoder_revision"]
    folder = find_folder(name, revision)
    # The published one is called by its name of before the library had it.
    if (kind := model_type(folder)) not in ("speecht5_hifigan", "hifigan"):
        raise ModelError(f"option vocoder: {name} is a {kind!r}, not a 'speecht5_hifigan'")
    vocoder = load_model(transformers.SpeechT5HifiGan, folder, name, parts.options)
    if vocoder.config.model_in_dim != bands:
        raise ModelError(
            f"option vocoder: {name} takes {vocoder.config.model_in_dim} frequency bands, and "
            f"{parts.name} gives {bands}"
        )
    return vocoder
