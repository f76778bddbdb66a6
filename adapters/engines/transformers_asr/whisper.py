"""Whisper and its likes in transformers: windows of 30 s, one after the other."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adapters.engines.shared.languages import fixed, language_for
from adapters.engines.shared.transformers_checkpoint import seed_torch
from adapters.engines.transformers_asr.recognizer import RATE, SHORTEST, Parts, Recognizer
from adapters.interface import Audio, ModelError, Options, Samples, Transcript, Word

_HOP = 160  # samples per frame of Whisper's spectrogram
#: Audio longer than this goes through Whisper in blocks, and nothing of a block is kept but text.
_BLOCK_SECONDS = 600
#: The same where the library keeps attentions or scores of every token of a block.
_HEAVY_BLOCK_SECONDS = 120


class Whisper(Recognizer):
    """Whisper: windows of 30 s, one after the other or overlapping."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        options, settings = parts.options, self.model.generation_config
        self._settings = settings
        self._window = int(self.extractor.n_samples)
        self._multilingual = bool(getattr(settings, "is_multilingual", True)) and hasattr(
            settings, "lang_to_id"
        )
        self._languages = {
            token: text.strip("<|>")
            for text, token in (getattr(settings, "lang_to_id", None) or {}).items()
        }
        self._check(options)
        told = options["without_timestamps"]
        self._timed = hasattr(settings, "no_timestamps_token_id") if told is None else not told
        self._language = fixed(options["language"])
        heat = options["temperature"]
        self._sampled = max(heat) > 0 if isinstance(heat, list | tuple) else heat > 0
        self._generate: dict[str, Any] = {
            "num_beams": options["beam_size"],
            "temperature": tuple(heat) if isinstance(heat, list | tuple) else float(heat),
            "condition_on_prev_tokens": options["condition_on_previous_text"],
        }
        settings.return_timestamps = False
        for name in ("compression_ratio_threshold", "logprob_threshold", "no_speech_threshold"):
            # A checkpoint's own would be in force without standing in the scorecard.
            setattr(settings, name, None)
            if options[name] is not None:
                self._generate[name] = float(options[name])
        if options["max_new_tokens"] is not None:
            self._generate["max_new_tokens"] = options["max_new_tokens"]
        if self._sampled:
            self._generate["top_k"] = 0  # the library's default leaves all but 50 tokens out
        if options["word_timestamps"]:
            # The library then keeps all attentions, and needs the decoder's alone: the
            # encoder's are gigabytes for every window of a large model.
            self.model.get_encoder().register_forward_pre_hook(
                lambda _, given, named: (given, {**named, "output_attentions": False}),
                with_kwargs=True,
            )
        if options["chunk_seconds"] is not None:
            transformers: Any = importlib.import_module("transformers")
            self._pipeline = transformers.pipeline(
                "automatic-speech-recognition",
                model=self.model,
                tokenizer=self.tokenizer,
                feature_extractor=self.extractor,
                device=self.model.device,
            )

    def _check(self, options: Options) -> None:
        name, settings = self.parts.name, self._settings
        language, task = fixed(options["language"]), options["task"]
        if self._multilingual:
            if language is not None and _language_code(language) not in self._languages.values():
                raise ModelError(f"option language: {name} does not know {language!r}")
        elif (language is not None and _language_code(language) != "en") or task != "transcribe":
            raise ModelError(
                f"{name} is an English model, or its generation_config.json names no "
                "languages: leave language and task at their defaults"
            )
        timed = options["without_timestamps"] is False or options["word_timestamps"]
        if timed and not hasattr(settings, "no_timestamps_token_id"):
            raise ModelError(
                f"{name}: its generation_config.json names no timestamp tokens: leave "
                "without_timestamps on and word_timestamps off"
            )
        if options["word_timestamps"] and not getattr(settings, "alignment_heads", None):
            raise ModelError(
                f"option word_timestamps: the generation_config.json of {name} has no "
                "alignment_heads"
            )
        positions = self.model.config.max_target_positions
        room = positions - 4 - (positions // 2 if options["condition_on_previous_text"] else 0)
        if (options["max_new_tokens"] or 0) > room:
            raise ModelError(
                f"option max_new_tokens: {name} has room for {room} with these options, not "
                f"{options['max_new_tokens']}"
            )
        chunk, longest = options["chunk_seconds"], self._window / RATE
        if chunk is not None and chunk > longest:
            raise ModelError(
                f"option chunk_seconds: {name} hears {longest:g} s at once, not {chunk:g}"
            )

    @property
    def languages(self) -> list[str] | None:
        if not self._multilingual:
            # Of a checkpoint that names no languages nobody knows whether it is an English one.
            return ["en"] if getattr(self._settings, "is_multilingual", None) is False else None
        return list(self._languages.values())

    def expect(self, audio: Audio) -> None:
        known = self.languages or ["en"]
        self._language = language_for(self.options["language"], audio, known)

    def hear(self, samples: Samples) -> Transcript:
        if self._sampled:
            seed_torch(self.parts.seed)
        if self.options["chunk_seconds"] is not None:
            return self._overlapping(samples)
        return self._one_after_the_other(samples)

    def most_at_once(self) -> int:
        # What is sampled hangs on what was sampled before, and a window's words on its batch.
        alone = self._sampled or self.options["word_timestamps"]
        overlapping = self.options["chunk_seconds"] is not None
        return 1 if alone or overlapping else int(self.options["batch_size"])

    def _together(self, sounds: Sequence[Samples]) -> Iterator[Transcript]:
        out = self.model.generate(
            **self.features(sounds, return_attention_mask=True),
            **self._generate,
            **self._spoken(self._language),
            return_timestamps=self._timed,
            return_segments=True,
        )
        for segments in out["segments"]:
            language = self._language
            if language is None and segments:
                language = self._language_of(segments[0])
            text = "".join(
                self.tokenizer.decode(segment["tokens"].tolist(), skip_special_tokens=True)
                for segment in segments
            )
            yield Transcript(text.strip(), language and _language_code(language))

    def _spoken(self, language: str | None) -> dict[str, Any]:
        """The language and task for the library, which refuses both for English models."""
        if not self._multilingual:
            return {}
        return {"language": language, "task": self.options["task"]}

    def _one_after_the_other(self, samples: Samples) -> Transcript:
        """The library's own way through long audio, a bounded block of it at a time.

        A block's last window, which the end of the block cuts short, is left to the next.
        """
        options = self.options
        long = len(samples) > self._window
        if long and not hasattr(self._settings, "no_timestamps_token_id"):
            raise ModelError(
                f"{self.parts.name}: its generation_config.json names no timestamp tokens, "
                "without which audio of more than 30 s needs chunk_seconds"
            )
        heavy = options["word_timestamps"] or options["logprob_threshold"] is not None
        size = (_HEAVY_BLOCK_SECONDS if heavy else _BLOCK_SECONDS) * RATE
        language = self._language
        texts: list[str] = []
        words: list[Word] = []
        said: list[int] = []
        start = 0
        while start == 0 or len(samples) - start >= SHORTEST // 2:
            block = samples[start : start + size]
            segments, seeks = self._decode(block, long, language, said)
            if language is None and segments:
                language = self._language_of(segments[0])
            end = len(block) // _HOP
            if start + len(block) < len(samples):
                window = self._window // _HOP
                end = next((seek for seek in seeks if seek + window > end), end)
                segments = [s for s in segments if float(s["start"]) < end * _HOP / RATE - 1e-3]
            for segment in segments:
                tokens = segment["tokens"].tolist()
                said.extend(tokens)
                texts.append(self.tokenizer.decode(tokens, skip_special_tokens=True))
                if options["word_timestamps"]:
                    words.extend(self._words(segment, start / RATE))
            del said[: -self.model.config.max_target_positions]
            if start + len(block) >= len(samples):
                break
            start += end * _HOP
        spoken = _language_code(language) if language is not None else None
        return Transcript("".join(texts).strip(), spoken, tuple(words))

    def _decode(
        self, block: Samples, long: bool, language: str | None, said: Sequence[int]
    ) -> tuple[list[dict[str, Any]], list[int]]:
        """The segments of a block, and the frames at which its windows began."""
        import torch

        how = {"truncation": False, "padding": "longest"} if long else {}
        made = self.features([block], return_attention_mask=True, **how)
        seeks: list[int] = []
        options: dict[str, Any] = {**self._generate, **self._spoken(language)}
        if self.options["condition_on_previous_text"] and said:
            before = [self._settings.prev_sot_token_id, *said]
            options["prompt_ids"] = torch.tensor(before, device=self.model.device)
        out = self.model.generate(
            **made,
            **options,
            return_timestamps=long or self.options["word_timestamps"] or self._timed,
            return_token_timestamps=self.options["word_timestamps"] or None,
            return_segments=True,
            monitor_progress=lambda progress: seeks.append(int(progress[0, 0])),
        )
        return list(out["segments"][0]), seeks

    def _language_of(self, segment: Mapping[str, Any]) -> str | None:
        result = segment["result"]
        tokens = result["sequences"] if isinstance(result, Mapping) else result
        return next((self._languages[t] for t in tokens.tolist() if t in self._languages), None)

    def _words(self, segment: Mapping[str, Any], offset: float) -> Iterator[Word]:
        _, found = self.tokenizer._decode_asr(
            [
                {
                    "tokens": segment["tokens"][None].cpu(),
                    "token_timestamps": segment["token_timestamps"][None].cpu(),
                }
            ],
            return_timestamps="word",
            return_language=None,
            time_precision=self.extractor.chunk_length / self.model.config.max_source_positions,
        )
        first = float(segment["start"])
        for word in found["chunks"]:
            start, end = word["timestamp"]
            # A segment without a timestamp at its head would begin with the audio.
            start = max(start, first)
            yield Word(word["text"].strip(), offset + start, offset + max(start, end))

    def _overlapping(self, samples: Samples) -> Transcript:
        options = self.options
        language = self._language
        if language is None and self._multilingual:
            # Once for all windows, as in the other way.
            made = self.features([samples[: self._window]])
            found = self.model.detect_language(made["input_features"])
            language = self._languages.get(int(found[0]))
        heard = self._pipeline(
            {"raw": samples, "sampling_rate": RATE},
            chunk_length_s=options["chunk_seconds"],
            ignore_warning=True,
            batch_size=options["batch_size"],
            return_timestamps="word" if options["word_timestamps"] else self._timed,
            generate_kwargs={**self._generate, **self._spoken(language)},
        )
        words = [
            Word(word["text"].strip(), *word["timestamp"])
            for word in (heard["chunks"] if options["word_timestamps"] else ())
        ]
        spoken = _language_code(language) if language is not None else None
        return Transcript(heard["text"].strip(), spoken, tuple(words))


def _language_code(language: str) -> str:
    module: Any = importlib.import_module("transformers.models.whisper.tokenization_whisper")
    code: str = module.TO_LANGUAGE_CODE.get(language.lower(), language.lower())
    return code
