"""Batches: gain, equalisation, offset and noise on raw mel power, then Whisper's scaling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.micro_whisper import vocabulary as vocab
from tools.micro_whisper.synthesis import FLOOR, FRAMES_PER_SECOND, Dataset, Example, Floats

MELS = 80
POSITIONS_PER_SECOND = 50
IGNORED = -1
_LN10 = np.float32(np.log(10))
_LENGTH_STEP = 16  # encoder positions
_TEXT_STEP = 3
_GUIDE_SLACK = 0.04  # seconds
_CONVOLUTION_PADDING = 6  # mel frames, so that one position beyond the audio sees padding alone


@dataclass(frozen=True)
class Batch:
    """mel (b, 80, 2 * length + 6), scaled as Whisper does; the last frames are padding.

    tokens, targets (b, t): local ids, IGNORED where there is no loss.
    frame_words (b, length): word at each encoder position, 0 for none, else its index + 1.
    guide (b, t, length): True where the word that a step predicts is spoken; all False: none.
    """

    mel: Floats
    length: int
    tokens: NDArray[np.int64]
    targets: NDArray[np.int64]
    frame_words: NDArray[np.int64]
    guide: NDArray[np.bool_]


class Batches:
    """Endless shuffled batches of similar length."""

    def __init__(self, data: Dataset, words: vocab.Vocabulary, size: int, seed: int) -> None:
        if len(data) < size:
            raise ValueError(f"{len(data)} utterances are fewer than a batch of {size}")
        self._data = data
        self._words = words
        self._size = size
        self._generator = np.random.default_rng(seed)
        # Power of white noise in mel bands: few FFT bins per low band, so it varies more there.
        shape = np.linspace(1.0, 4.0, MELS)
        noise = self._generator.gamma(shape, 1 / shape, size=(20_000, MELS))
        self._noise = np.maximum(noise, 1e-4).astype(np.float32)

    def __iter__(self) -> Iterator[Batch]:
        while True:
            order = self._generator.permutation(len(self._data))
            chunk = self._size * min(50, len(order) // self._size)
            for begin in range(0, len(order) - chunk + 1, chunk):
                pool = order[begin : begin + chunk]
                pool = pool[np.argsort(self._data.lengths[pool], kind="stable")]
                for group in self._generator.permutation(chunk // self._size):
                    rows = pool[group * self._size : (group + 1) * self._size]
                    yield self._batch([self._data[int(row)] for row in rows])

    def _batch(self, examples: list[Example]) -> Batch:
        # Offsets are shared in part, so that they do not undo the sorting by length.
        draw = self._generator
        spread = 10 if draw.random() < 0.6 else 80
        mels, offsets = [], []
        for example in examples:
            offset = int(draw.integers(0, spread + 1))
            mels.append(self._augment(example.mel.astype(np.float32), offset))
            offsets.append(offset / FRAMES_PER_SECOND)
        longest = max(len(mel) for mel in mels)
        length = -(-longest // (2 * _LENGTH_STEP)) * _LENGTH_STEP
        batch = np.empty((len(mels), MELS, 2 * length + _CONVOLUTION_PADDING), np.float32)
        for row, mel in enumerate(mels):
            top = max(float(np.max(mel)), FLOOR)
            # 30 s windows are filled with silence (openai) or with zeros (faster-whisper).
            padding = 0.0 if draw.random() < 0.4 else (max(FLOOR, top - 8) + 4) / 4
            batch[row] = padding
            batch[row, :, : len(mel)] = ((np.maximum(mel, top - 8) + 4) / 4).T
        return self._with_text(batch, length, examples, offsets)

    def _augment(self, mel: Floats, offset: int) -> Floats:
        """Raw log10 power of one example: moved by `offset` frames, coloured, with noise."""
        draw = self._generator
        tail = int(draw.integers(0, 20))
        loudest = float(np.max(mel))
        mel = np.pad(mel, ((offset, tail), (0, 0)), constant_values=FLOOR)
        if loudest <= FLOOR + 1:
            return mel
        mel = mel + np.float32(draw.uniform(-2.0, 1.0))  # gain: -20 to +10 dB
        if draw.random() < 0.7:
            bands = np.linspace(0, np.pi, MELS)
            curve = np.zeros(MELS)
            for order in (1, 2, 3, 4):
                phase, size = draw.uniform(0, np.pi), draw.normal(0, 0.35 / order)
                curve += size * np.cos(order * bands + phase)
            mel = mel + curve.astype(np.float32)
        if draw.random() < 0.6:
            begin = int(draw.integers(0, len(self._noise) - len(mel)))
            power = np.exp(mel * _LN10)  # float32 exp is many times faster than a power of 10
            level = np.log10(np.mean(power, dtype=np.float64))
            tilt = np.linspace(0.5, -0.5, MELS) * draw.uniform(-1.0, 3.0)
            level += tilt - draw.uniform(0.4, 5.0)  # 4 to 50 dB below the speech
            noise = self._noise[begin : begin + len(mel)] * np.float32(10) ** level.astype(
                np.float32
            )
            mel = np.log(power + noise) / _LN10
        return np.maximum(mel, np.float32(FLOOR))

    def _with_text(
        self, mel: Floats, length: int, examples: list[Example], offsets: list[float]
    ) -> Batch:
        local = self._words.local
        sequences: list[list[int]] = []
        prompts: list[int] = []
        for example, offset in zip(examples, offsets, strict=True):
            text = [local[self._words.word_ids[word]] for word in example.words]
            sequence = [local[vocab.START], local[vocab.ENGLISH]]
            if self._generator.random() > 0.1:
                sequence.append(local[vocab.TRANSCRIBE])
            if text and self._generator.random() < 0.35:
                prompts.append(len(sequence) + 1)
                first, last = example.starts[0] + offset, example.ends[-1] + offset
                sequence += [local[_stamp(first)], *text, local[_stamp(last)]]
            else:
                sequence.append(local[vocab.NO_TIMESTAMPS])
                prompts.append(len(sequence))
                sequence += text
            sequences.append([*sequence, local[vocab.END]])
        width = -(-(max(map(len, sequences)) - 1) // _TEXT_STEP) * _TEXT_STEP
        count = len(examples)
        tokens = np.full((count, width), local[vocab.END], np.int64)
        targets = np.full((count, width), IGNORED, np.int64)
        frame_words = np.zeros((count, length), np.int64)
        guide = np.zeros((count, width, length), np.bool_)
        for row, (sequence, prompt) in enumerate(zip(sequences, prompts, strict=True)):
            example, offset = examples[row], offsets[row]
            tokens[row, : len(sequence) - 1] = sequence[:-1]
            silent = len(example.words) == 0
            targets[row, 0] = local[vocab.NO_SPEECH if silent else vocab.ENGLISH]
            # The task token and the mode are always given by the caller; the first stamp is not.
            stamped = sequence[prompt - 1] != local[vocab.NO_TIMESTAMPS]
            begin = prompt - 1 if stamped else prompt
            targets[row, begin - 1 : len(sequence) - 1] = sequence[begin:]
            for place, word in enumerate(example.words):
                start, end = example.starts[place] + offset, example.ends[place] + offset
                first, last = (int(time * POSITIONS_PER_SECOND) for time in (start, end))
                frame_words[row, first:last] = word + 1
                first = max(0, int((start - _GUIDE_SLACK) * POSITIONS_PER_SECOND))
                last = int((end + _GUIDE_SLACK) * POSITIONS_PER_SECOND) + 1
                guide[row, prompt - 1 + place, first:last] = True
        return Batch(mel, length, tokens, targets, frame_words, guide)


def _stamp(seconds: float) -> int:
    step = min(vocab.TIMESTAMPS - 1, max(0, round(float(seconds) * 10)))
    return vocab.TIMESTAMP_BEGIN + vocab.TIMESTAMP_STEP * step
