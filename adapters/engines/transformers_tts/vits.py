"""VITS and MMS."""

from __future__ import annotations

import importlib
import importlib.util
import math
import os
from typing import Any

from adapters.engines.shared.transformers_checkpoint import told
from adapters.engines.shared.whisper_options import one_line
from adapters.engines.transformers_tts.speaker import (
    Parts,
    Piece,
    Speaker,
    check_count,
    is_index,
    log,
    samples_of,
    short,
)
from adapters.interface import ModelError, Options, Samples


class Vits(Speaker):
    """VITS: phonemes or letters to sound in one go, for durations that are drawn too."""

    kind = "vits"
    library = "VitsModel"

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        config = self.model.config
        self.rate = int(config.sampling_rate)
        self._hop = math.prod(config.upsample_rates)
        self._own = {
            name: float(getattr(config, name))
            for name in ("speaking_rate", "noise_scale", "noise_scale_duration")
        }
        self._scale, self._most = 1.0, 1
        self.model.duration_predictor.register_forward_hook(
            lambda _, given, durations: self._bounded(durations)
        )
        self.check(parts.options)

    @classmethod
    def check_tokenizer(cls, tokenizer: Any, config: Any, name: str) -> None:
        if not hasattr(tokenizer, "encoder"):
            raise ModelError(
                f"transformers cannot load the tokenizer of {name!r}: it is not VITS's own"
            )
        check_count(len(tokenizer.encoder), config.vocab_size, name)
        if tokenizer.phonemize and importlib.util.find_spec("phonemizer") is None:
            raise ModelError(
                f"{name} speaks phonemes, and the package that finds them is not installed: "
                "install phonemizer and espeakng-loader"
            )
        if tokenizer.is_uroman and importlib.util.find_spec("uroman") is None:
            raise ModelError(
                f"{name} reads its language in Latin letters, and the package that writes them "
                "is not installed: install uroman"
            )
        with told(name, "the tokenizer"):
            if tokenizer.phonemize:
                _find_espeak()
            tokenizer.prepare_for_tokenization("a")

    def check(self, settings: Options) -> None:
        voice, count = settings["voice"], self.model.config.num_speakers
        if count <= 1:
            if voice is not None:
                raise ModelError(f"option voice: {self.parts.name} has one voice; leave it null")
        elif not is_index(voice) or voice >= count:
            raise ModelError(
                f"option voice: {self.parts.name} has the speakers 0 to {count - 1}, "
                f"and {voice!r} is none of them"
            )

    def read(self, text: str) -> Piece:
        tokenizer = self.tokenizer
        letters = tokenizer.encoder.keys()
        prepared, _ = tokenizer.prepare_for_tokenization(text)
        # To a phoneme that it does not know the library would give an id beyond the model's.
        known = "".join(c for c in prepared if c in letters)
        lost = {c for c in prepared if c not in letters}
        if not tokenizer.phonemize and not tokenizer.is_uroman:  # these change every character
            lost |= {c for c in text if not {c, c.lower()} & letters}
        ids = tokenizer.convert_tokens_to_ids(tokenizer._tokenize(known))
        return Piece(text, ids, known, [c for c in lost if not c.isspace()])

    def say(self, piece: Piece, settings: Options) -> Samples:
        import torch

        own = {
            name: usual if settings[name] is None else float(settings[name])
            for name, usual in self._own.items()
        }
        self.model.noise_scale = own["noise_scale"]
        self.model.noise_scale_duration = own["noise_scale_duration"]
        self._scale = 1.0 / own["speaking_rate"]
        self._most = max(1, int(settings["max_seconds"] * self.rate / self._hop))
        ids = self.ids(piece)
        try:
            with torch.inference_mode():
                said = self.model(
                    ids,
                    attention_mask=torch.ones_like(ids),
                    speaker_id=settings["voice"],
                    speaking_rate=own["speaking_rate"],
                )
        except ValueError as error:  # splines of numbers that are none
            raise ModelError(
                f"{self.parts.name} cannot speak {short(piece.text)}: {one_line(error)}"
            ) from error
        return samples_of(said.waveform)

    def _bounded(self, durations: Any) -> Any:
        """Logarithms of the tokens' frames, made smaller where the audio would get too long.

        In a hook, because the memory for the sound is taken in the same call.
        """
        import torch

        frames = torch.ceil(torch.exp(durations.float()) * self._scale)
        if torch.isnan(frames).any():
            raise ModelError(f"{self.parts.name} gave durations that are not numbers")
        frames = frames.clamp(max=self._most + 1)
        before = torch.cumsum(frames, -1) - frames
        if float((before + frames).max()) <= self._most:
            return durations
        log.warning("cut off at max_seconds")
        left = torch.minimum(frames, (self._most - before).clamp(min=0))
        # Half a frame less, since the model rounds up.
        return torch.log((left - 0.5).clamp(min=0) / self._scale).to(durations.dtype)


def _find_espeak() -> None:
    """Tell phonemizer where espeak-ng is, unless the user has, or it is the system's."""
    if (
        "PHONEMIZER_ESPEAK_LIBRARY" in os.environ
        or importlib.util.find_spec("espeakng_loader") is None
    ):
        return
    espeakng_loader: Any = importlib.import_module("espeakng_loader")
    wrapper: Any = importlib.import_module("phonemizer.backend.espeak.wrapper")
    wrapper.EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
    wrapper.EspeakWrapper.set_library(espeakng_loader.get_library_path())
