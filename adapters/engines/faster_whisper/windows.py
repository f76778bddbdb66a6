"""faster-whisper's windows: how audio is cut into them, and how many are decoded at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from adapters.interface import Samples

RATE = 16_000
#: Windows of one call of the library, which takes a while for itself: 1 MB of features each.
_PREPARED = 32

#: A part of the audio, its first sample and the one after its last, as the library has it.
Stretch: TypeAlias = dict[str, int]


class Batches:
    """The library's batched decoding, of the windows of one audio or of several utterances.

    model: the library's. decode: arguments of its `transcribe`; size: windows at once.
    """

    def __init__(self, model: Any, decode: Mapping[str, Any], size: int) -> None:
        from faster_whisper import BatchedInferencePipeline

        self._model = model
        self._decode = decode
        self._size = size
        self._pipeline = BatchedInferencePipeline(model)
        self._known: dict[str, tuple[Any, Any]] = {}

    def of_one(
        self, samples: Samples, windows: Sequence[Sequence[Stretch]], language: str | None
    ) -> tuple[list[Any], str | None]:
        """The segments of all windows of one audio, and its language, None to find it out.

        The library would compute the features of all windows first; handed over a few batches
        at a time they take no more memory for a day than for a quarter of an hour.
        """
        from faster_whisper.transcribe import restore_speech_timestamps

        heard: list[Any] = []
        step = max(self._size, _PREPARED // self._size * self._size)
        for first in range(0, len(windows), step):
            batch = windows[first : first + step]
            inside = [stretch for window in batch for stretch in window]
            segments, info = self._pipeline.transcribe(
                joined(samples, inside),
                batch_size=self._size,
                vad_filter=False,
                clip_timestamps=_clips(batch),
                language=language,
                **self._decode,
            )
            heard += restore_speech_timestamps(segments, inside, RATE)
            language = info.language
        return heard, language

    def of_each(
        self, windows: Sequence[Samples], languages: Sequence[str | None]
    ) -> Iterator[tuple[str, str]]:
        """The text and language of utterances that are one window each.

        languages: of each, None to find it out: then it is that of its one window.
        """
        for first in range(0, len(windows), self._size):
            some = slice(first, first + self._size)
            yield from self._together(windows[some], languages[some])

    def _together(
        self, windows: Sequence[Samples], told: Sequence[str | None]
    ) -> list[tuple[str, str]]:
        from faster_whisper import BatchedInferencePipeline
        from faster_whisper.audio import pad_or_trim

        # As the library cuts them: its features have one frame of silence behind them.
        features = np.stack(
            [pad_or_trim(self._model.feature_extractor(sound)[..., :-1]) for sound in windows]
        )
        encoded = self._model.encode(features)
        languages = self._languages(encoded, told)
        texts = [""] * len(windows)
        for language in dict.fromkeys(languages):
            places = [place for place, spoken in enumerate(languages) if spoken == language]
            tokenizer, options = self._how(language)
            # Encoded already, but for a part of them: the library has no way to take that out.
            whole = len(places) == len(windows)
            model = _Encoded(self._model, encoded) if whole else self._model
            found = BatchedInferencePipeline(model).forward(
                features[places],
                tokenizer,
                [{"offset": 0.0, "duration": len(windows[place]) / RATE} for place in places],
                options,
            )
            for place, segments in zip(places, found, strict=True):
                texts[place] = "".join(segment["text"] for segment in segments).strip()
        return list(zip(texts, languages, strict=True))

    def _languages(self, encoded: Any, told: Sequence[str | None]) -> list[str]:
        if not self._model.model.is_multilingual:
            return ["en"] * len(told)
        known = [language for language in told if language is not None]
        if len(known) == len(told):
            return known
        found = [best[0][0][2:-2] for best in self._model.model.detect_language(encoded)]
        return [own or other for own, other in zip(told, found, strict=True)]

    def _how(self, language: str) -> tuple[Any, Any]:
        """The library's tokenizer for a language, and its own reading of the decode options."""
        if language not in self._known:
            from faster_whisper.tokenizer import Tokenizer

            tokenizer = Tokenizer(
                self._model.hf_tokenizer,
                self._model.model.is_multilingual,
                task="transcribe",
                language=language,
            )
            # Nothing is decoded before the first segment is asked for.
            _, info = self._pipeline.transcribe(
                np.zeros(RATE // 10, np.float32),
                vad_filter=False,
                clip_timestamps=[{"start": 0.0, "end": 0.1}],
                language=language,
                **self._decode,
            )
            self._known[language] = tokenizer, info.transcription_options
        return self._known[language]


class _Encoded:
    """The library's model, that has encoded the features which it will be asked for."""

    def __init__(self, model: Any, encoded: Any) -> None:
        self._model = model
        self._encoded = encoded

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def encode(self, features: Any) -> Any:
        return self._encoded


def windows(samples: int, stretches: list[Stretch] | None, longest: int) -> list[list[Stretch]]:
    """What is decoded as one: stretches that have at most `longest` samples together."""
    if stretches is None:
        starts = range(0, samples, longest)
        return [[{"start": start, "end": min(start + longest, samples)}] for start in starts]
    found: list[list[Stretch]] = []
    room = 0
    for stretch in stretches:
        length = stretch["end"] - stretch["start"]
        if length > room:
            found.append([])
            room = longest
        found[-1].append(stretch)
        room -= length
    return found


def joined(samples: Samples, stretches: Iterable[Stretch]) -> Samples:
    """What lies in the stretches, end to end; not copied where it does so already."""
    places: list[list[int]] = []
    for stretch in stretches:
        if places and places[-1][1] == stretch["start"]:
            places[-1][1] = stretch["end"]
        else:
            places.append([stretch["start"], stretch["end"]])
    parts = [samples[start:end] for start, end in places]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _clips(cuts: Iterable[Iterable[Stretch]]) -> list[dict[str, float]]:
    """The windows' places, in seconds, when they are laid end to end."""

    def places() -> Iterator[dict[str, float]]:
        start = 0
        for window in cuts:
            end = start + sum(stretch["end"] - stretch["start"] for stretch in window)
            # The library cuts off what follows the whole sample, so not exactly on it.
            yield {"start": (start + 0.5) / RATE, "end": (end + 0.5) / RATE}
            start = end

    return list(places())
