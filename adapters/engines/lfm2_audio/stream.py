"""What LFM2-Audio writes, token by token, as sound and as text."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np

from adapters.interface import Samples

END_OF_AUDIO = 2048  # the first code that is no sound


class FrameDecoder(Protocol):
    """Turns frames of codes, shape (codebooks,), into samples at 24 kHz."""

    def push(self, frame: Any) -> Samples:
        """One frame in; the samples that can be played now out, often none."""
        ...

    def finish(self) -> Samples:
        """What is left."""
        ...


class DetokenizerStream:
    """LFM2.5's detokenizer, chunk by chunk, with the sound that it gives to the whole at once.

    It sees only what came before, and not far back: each layer some spectral frames, six of
    which make up a frame of codes. A chunk decoded behind that much context is decoded as in
    the whole, up to rounding. Where neighbouring spectral frames overlap, the last samples of
    a chunk wait for the next one.
    """

    _SPECTRAL = 6  # spectral frames to a frame of codes

    def __init__(self, detokenizer: Any, chunk: int) -> None:
        istft = detokenizer.istft
        self._detokenizer = detokenizer
        self._chunk = chunk
        self._per_frame = self._SPECTRAL * istft.hop_length
        self._overlap = (istft.win_length - istft.hop_length) // 2
        around = math.ceil(istft.win_length / istft.hop_length) - 1
        self._context = math.ceil((_memory(detokenizer) + around) / self._SPECTRAL)
        self._frames: list[Any] = []
        self._decoded = 0  # frames
        self._given = 0  # samples

    def push(self, frame: Any) -> Samples:
        if _is_sound(frame):
            self._frames.append(frame)
            if len(self._frames) - self._decoded >= self._chunk:
                return self._decode(len(self._frames) * self._per_frame - self._overlap)
        return SILENCE

    def finish(self) -> Samples:
        end = len(self._frames) * self._per_frame
        return self._decode(end) if end else SILENCE

    def _decode(self, end: int) -> Samples:
        """The samples from where the last call ended to `end`, both counted from the start."""
        import torch

        first = max(0, self._decoded - self._context)
        codes = torch.stack(self._frames[first:], dim=1)[None]
        with torch.no_grad():
            wave = self._detokenizer(codes)[0]
        offset = first * self._per_frame
        samples = wave[self._given - offset : end - offset]
        self._decoded, self._given = len(self._frames), end
        return _playable(samples)


class MimiStream:
    """The Mimi codec, which keeps its own state from frame to frame."""

    def __init__(self, mimi: Any, chunk: int) -> None:
        self._mimi = mimi
        self._chunk = chunk
        self._waiting: list[Samples] = []

    def push(self, frame: Any) -> Samples:
        import torch

        if not _is_sound(frame):
            return SILENCE
        with torch.no_grad():
            self._waiting.append(_playable(self._mimi.decode(frame[None, :, None])[0, 0]))
        return self.finish() if len(self._waiting) >= self._chunk else SILENCE

    def finish(self) -> Samples:
        waiting, self._waiting = self._waiting, []
        return np.concatenate(waiting) if waiting else SILENCE


SILENCE: Samples = np.zeros(0, np.float32)


def _is_sound(frame: Any) -> bool:
    return not bool((frame >= END_OF_AUDIO).any())


def _playable(wave: Any) -> Samples:
    samples: Samples = wave.float().clamp(-1.0, 1.0).cpu().numpy()
    return samples


def _memory(detokenizer: Any) -> int:
    """How many spectral frames back a frame of the detokenizer's output can depend on."""
    config = detokenizer.lfm.config
    reach = {"conv": config.conv_L_cache - 1}
    return sum(reach.get(t, detokenizer.sliding_window_size - 1) for t in config.layer_types)


class TextStream:
    """Text tokens in, whole characters out.

    A character may be spread over several tokens: it waits for the last of them. Bytes that
    are no text, and the special tokens, are left out; so is space before the first word.
    """

    def __init__(self, tokenizer: Any, unspoken: frozenset[int]) -> None:
        self._tokenizer = tokenizer
        self._unspoken = unspoken
        self._ids: list[int] = []
        self._shown = 0  # characters of these ids that were given out
        self._begun = False

    def push(self, token: int) -> str:
        if token in self._unspoken:
            return ""
        self._ids.append(token)
        text: str = self._tokenizer.decode(self._ids, clean_up_tokenization_spaces=False)
        whole = text.rstrip("\ufffd")
        piece = whole[self._shown :].replace("\ufffd", "")
        self._shown = len(whole)
        if whole == text:
            self._ids, self._shown = [], 0
        if not self._begun:
            piece = piece.lstrip()
            self._begun = bool(piece)
        return piece


def unspoken_ids(tokenizer: Any) -> frozenset[int]:
    """The special tokens, which are no text."""
    added = tokenizer.added_tokens_decoder.items()
    named = {i for i, t in added if t.special or (t.content[:2], t.content[-2:]) == ("<|", "|>")}
    return frozenset(named | set(tokenizer.all_special_ids))
