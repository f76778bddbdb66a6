"""CTC models in transformers: wav2vec2, HuBERT, WavLM, Parakeet-CTC."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from adapters.engines.transformers_asr.recognizer import RATE, WINDOW_SECONDS, Parts, Recognizer
from adapters.interface import Samples, Transcript, Word

#: CTC models in which masked silence changes nothing, where the front end normalizes by layer.
_MASKING = ("wav2vec2", "hubert", "wavlm")


class Ctc(Recognizer):
    """CTC: a token or none for every frame, of overlapping windows whose margins are cut off."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        transformers: Any = importlib.import_module("transformers")
        self._offsets = isinstance(self.tokenizer, transformers.Wav2Vec2CTCTokenizer)
        # Samples per frame: configurations tell it in a dozen ways, the model in one.
        one, three = (self._frames([np.zeros(n * RATE, np.float32)])[0] for n in (1, 3))
        self._hop = round(2 * RATE / (len(three) - len(one)))
        seconds = self.options["chunk_seconds"] or WINDOW_SECONDS
        self._margin = max(1, round(seconds * RATE / 6 / self._hop)) * self._hop
        self._window = max(round(seconds * RATE / self._hop) * self._hop, 3 * self._margin)

    def most_at_once(self) -> int:
        config = self.model.config
        masks = (
            config.model_type in _MASKING
            # Normalized over time, the front end hears how long the silence is.
            and getattr(config, "feat_extract_norm", None) == "layer"
            and not getattr(config, "add_adapter", False)
            and getattr(self.extractor, "return_attention_mask", False)
        )
        return int(self.options["batch_size"]) if masks else 1

    def _together(self, sounds: Sequence[Samples]) -> Iterator[Transcript]:
        for sound, row in zip(sounds, self._frames(sounds, padding=True), strict=True):
            heard = row[: int(self.model._get_feat_extract_output_lengths(len(sound)))]
            times = [i * self._hop / RATE for i in range(len(heard))]
            yield self._transcript(heard, [*times, len(sound) / RATE])

    def hear(self, samples: Samples) -> Transcript:
        tokens: list[int] = []
        times: list[float] = []
        for batch in self._batches(len(samples)):
            rows = self._frames([samples[start : start + self._window] for start in batch])
            for start, row in zip(batch, rows, strict=True):
                # A frame counts in the window in which it is farther from the edges.
                skip = self._margin if start else 0
                last = start + self._window >= len(samples)
                stop = len(row) if last else (self._window - self._margin) // self._hop
                for i in range(skip // self._hop, stop):
                    tokens.append(row[i])
                    times.append((start + i * self._hop) / RATE)
        return self._transcript(tokens, [*times, len(samples) / RATE])

    def _transcript(self, tokens: list[int], times: Sequence[float]) -> Transcript:
        """The text of the frames' tokens; times: where each frame begins, and where all end."""
        text = self.tokenizer.decode(tokens).strip()
        if not self.options["word_timestamps"]:
            return Transcript(text)
        words = (
            self._words_by_library(tokens, times) if self._offsets else self._words(tokens, times)
        )
        return Transcript(text, None, tuple(words))

    def _batches(self, length: int) -> Iterator[list[int]]:
        """Where windows start. The last is shorter and goes alone, so that nothing is padded."""
        step = self._window - 2 * self._margin
        starts = list(range(0, max(1, length - 2 * self._margin), step))
        size = self.options["batch_size"]
        for first in range(0, len(starts) - 1, size):
            yield starts[first : min(first + size, len(starts) - 1)]
        yield starts[-1:]

    def _frames(self, sounds: Sequence[Samples], **how: Any) -> list[list[int]]:
        """The likeliest token of each frame; the sounds are of one length, or padded to be."""
        import torch

        with torch.inference_mode():
            logits = self.model(**self.features(sounds, **how)).logits
        rows: list[list[int]] = logits.argmax(dim=-1).tolist()
        return rows

    def _words_by_library(self, tokens: list[int], times: Sequence[float]) -> Iterator[Word]:
        for found in self.tokenizer.decode(tokens, output_word_offsets=True).word_offsets:
            yield Word(found["word"], times[found["start_offset"]], times[found["end_offset"]])

    def _words(self, tokens: list[int], times: Sequence[float]) -> Iterator[Word]:
        """Words of sentence pieces: each begins with the piece that brings a space."""
        word: list[int] = []
        start = end = 0
        frame = 0
        for token, run in groupby(tokens):
            first, frame = frame, frame + sum(1 for _ in run)
            if token == self.tokenizer.pad_token_id:
                continue
            if word and self.tokenizer.convert_ids_to_tokens(token).startswith("\u2581"):
                yield Word(self._text(word), times[start], times[end])
                word = []
            if not word:
                start = first
            word.append(token)
            end = frame
        if word:
            yield Word(self._text(word), times[start], times[end])

    def _text(self, tokens: Sequence[int]) -> str:
        # Grouped already: a token that is here twice was said twice.
        text: str = self.tokenizer.decode(list(tokens), group_tokens=False)
        return text.strip()
