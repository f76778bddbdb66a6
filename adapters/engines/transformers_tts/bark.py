"""Bark."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from adapters.engines.shared.transformers_checkpoint import told
from adapters.engines.transformers_tts.speaker import (
    Parts,
    Piece,
    Speaker,
    check_count,
    piece_of,
    samples_of,
)
from adapters.interface import ModelError, Options, Samples

_BARK_PIECE = 200


class Bark(Speaker):
    """Bark: three transformers in a row and a codec, all of it drawn."""

    kind = "bark"
    library = "BarkModel"
    longest = _BARK_PIECE

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        transformers: Any = importlib.import_module("transformers")
        settings: Any = importlib.import_module(
            "transformers.models.bark.generation_configuration_bark"
        )
        semantic = getattr(self.model.generation_config, "semantic_config", None)
        if not semantic:
            raise ModelError(f"{parts.name}: its generation_config.json is missing or not Bark's")
        semantic = settings.BarkSemanticGenerationConfig(**semantic)
        # The tokens of the text come after the semantic ones, and their padding ends them.
        count = semantic.text_pad_token - semantic.text_encoding_offset
        check_count(len(self.tokenizer), count, parts.name)
        self.room = int(semantic.max_input_semantic_length)
        self._most = int(semantic.max_new_tokens)
        self._hertz = float(semantic.semantic_rate_hz)
        self.rate = int(self.model.codec_model.config.sampling_rate)
        with told(parts.name, "the voices"):
            self._processor = transformers.BarkProcessor.from_pretrained(
                parts.folder, local_files_only=True
            )
        if self._processor.speaker_embeddings is not None:
            # Where they came from may be written there.
            self._processor.speaker_embeddings["repo_or_path"] = str(parts.folder)
        self.check(parts.options)

    @classmethod
    def check_tokenizer(cls, tokenizer: Any, config: Any, name: str) -> None:
        return  # how many tokens a text may have stands in generation_config.json

    def check(self, settings: Options) -> None:
        voice = settings["voice"]
        if voice is None:
            return
        names = self._processor.available_voice_presets
        if voice not in names:
            some = f", such as {', '.join(names[:3])}" if names else ""
            raise ModelError(
                f"option voice: {self.parts.name} has {len(names)} voices{some}; "
                f"{voice!r} is none of them"
            )
        with told(self.parts.name, f"the voice {voice}"):
            parts = self._processor._load_voice_preset(voice, local_files_only=True)
            self._processor._validate_voice_preset_dict(parts)

    def read(self, text: str) -> Piece:
        return piece_of(self.tokenizer, text, eos=False)

    def say(self, piece: Piece, settings: Options) -> Samples:
        import torch

        device = self.model.device
        made = self._processor(piece.text, voice_preset=settings["voice"], max_length=self.room).to(
            device
        )
        if "history_prompt" in made:
            made["history_prompt"] = made["history_prompt"].to(device)
        most = max(1, min(self._most, int(settings["max_seconds"] * self._hertz)))
        with torch.inference_mode():
            waveform = self.model.generate(**made, semantic_max_new_tokens=most)
        return samples_of(waveform)
