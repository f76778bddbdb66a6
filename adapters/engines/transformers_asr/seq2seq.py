"""Models that write out a whole window in one go: Moonshine, Speech2Text and transducers."""

from __future__ import annotations

from typing import Any

import numpy as np

from adapters.engines.shared.transformers_checkpoint import seed_torch
from adapters.engines.transformers_asr.recognizer import (
    RATE,
    SHORTEST,
    WINDOW_SECONDS,
    Recognizer,
    at_pauses,
)
from adapters.interface import Samples, Transcript


class Generator(Recognizer):
    """Transducers and plain sequence-to-sequence models: windows that end where it is quiet."""

    def hear(self, samples: Samples) -> Transcript:
        longest = round((self.options["chunk_seconds"] or WINDOW_SECONDS) * RATE)
        heat = float(self.options["temperature"])
        if heat > 0:
            seed_torch(self.parts.seed)
        texts = [self._text(samples[start:end], heat) for start, end in at_pauses(samples, longest)]
        return Transcript(" ".join(text for text in texts if text))

    def _text(self, sound: Samples, heat: float) -> str:
        if len(sound) < SHORTEST:
            sound = np.pad(sound, (0, SHORTEST - len(sound)))
        made = self.features([sound], padding=True, return_attention_mask=True)
        if self.parts.kind == "transducer":
            tokens = self.model.generate(**made).sequences[0]
            # What stands here twice was said twice.
            text: str = self.tokenizer.decode(tokens, skip_special_tokens=True, group_tokens=False)
            return text.strip()
        how: dict[str, Any] = {"num_beams": self.options["beam_size"], "do_sample": heat > 0}
        if heat > 0:
            how |= {"temperature": heat, "top_k": 0}
        limit = self.options["max_new_tokens"] or self._limit()
        if limit is not None:
            how["max_new_tokens"] = limit
        tokens = self.model.generate(**made, **how)[0]
        text = self.tokenizer.decode(tokens, skip_special_tokens=True)
        return text.strip()

    def _limit(self) -> int | None:
        """The library stops after 20 tokens where a checkpoint says nothing."""
        settings, config = self.model.generation_config, self.model.config
        if settings.max_length is not None or settings.max_new_tokens is not None:
            return None
        for name in ("max_target_positions", "max_position_embeddings"):
            positions = getattr(config.get_text_config(decoder=True), name, None)
            if positions:
                return int(positions) - 2
        return 448
