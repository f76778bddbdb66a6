"""transformers: whatever speech recognition checkpoint the library loads.

Four kinds, told apart by the checkpoint's configuration: Whisper and its likes, CTC
models (wav2vec2, HuBERT, WavLM, Parakeet-CTC), transducers (Parakeet-RNNT, -TDT) and
plain sequence-to-sequence models (Moonshine, Speech2Text).
"""

from __future__ import annotations

import importlib
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from adapters import hub
from adapters.interface import (
    Adapter,
    Audio,
    LoadSpec,
    ModelError,
    Options,
    Samples,
    Transcript,
    Word,
)
from adapters.whisper_options import one_line

_RATE = 16_000
_HOP = 160  # samples per frame of Whisper's spectrogram
#: Convolutional front ends need some frames, so shorter sounds are followed by silence.
_SHORTEST = _RATE // 5
#: Audio longer than this goes through Whisper in blocks, and nothing of a block is kept but text.
_BLOCK_SECONDS = 600
#: The same where the library keeps attentions or scores of every token of a block.
_HEAVY_BLOCK_SECONDS = 120
#: Windows of models that hear a whole utterance at once, where chunk_seconds says nothing.
_WINDOW_SECONDS = 30.0

#: What `from_pretrained` reads: no weights in other formats, precisions or adapters.
_FILES = (
    "*.json",
    "*.txt",
    "*.model",
    "*.py",
    "model.safetensors",
    "model-*-of-*.safetensors",
)
_PICKLES = ("pytorch_model.bin", "pytorch_model-*-of-*.bin")

#: Only training uses these, and published checkpoints leave them out.
_NEVER_HEARD = re.compile(r"(^|\.)masked_spec_embed$")

_SEQ2SEQ = ("moonshine", "speech_to_text", "speech-encoder-decoder")
_TRANSDUCERS = ("parakeet_rnnt", "parakeet_tdt")
#: CTC models in which masked silence changes nothing, where the front end normalizes by layer.
_MASKING = ("wav2vec2", "hubert", "wavlm")

_ALWAYS = {"compute_type", "chunk_seconds", "attn_implementation", "trust_remote_code"}
_TAKES: Mapping[str, set[str]] = {
    "ctc": {*_ALWAYS, "batch_size", "word_timestamps"},
    "transducer": _ALWAYS,
    "seq2seq": {*_ALWAYS, "beam_size", "temperature", "max_new_tokens"},
}


class TransformersAsr(Adapter):
    """Speech recognition with transformers on torch.

    An option that the checkpoint's kind does not know is refused, unless it has its default.

    language: Whisper's code or name of a language; None lets it find out.
    task: "transcribe", or "translate" into English (Whisper).
    beam_size: 1 is greedy. CTC models and transducers are always greedy, without a language model.
    temperature: above 0 samples, seeded anew for every utterance. A list is Whisper's
    fallback: the next one is taken where `compression_ratio_threshold` (of the token ids, as the
    library does it, not of the text) or `logprob_threshold` says that a window failed.
    no_speech_threshold: with logprob_threshold, windows thought to be silent are left out.
    condition_on_previous_text: Whisper's windows see the text before them.
    without_timestamps: Whisper's utterances of up to 30 s are decoded without timestamp tokens.
    Longer ones need them to move on, so they always have them, as have `word_timestamps`.
    max_new_tokens: tokens that a window may give; None leaves it to the checkpoint.
    compute_type: "float32", "float16", "bfloat16", or "auto" for what the checkpoint is stored in.
    chunk_seconds: None moves Whisper through long audio as its authors do, one window after the
    other; a number (up to 30) cuts overlapping windows and joins their tokens instead. CTC
    models always work on overlapping windows, the other kinds on windows that end where
    it is quiet; for these None means 30.
    batch_size: overlapping windows at once; and where there are none, utterances at once, of
    Whisper (up to 30 s, at temperature 0, without word_timestamps) and of those CTC models that can
    mask the silence behind the shorter ones. With others that changes what is heard, so that
    they get one utterance at a time.
    attn_implementation: "eager", "sdpa" or another of the library's; None is its own choice.
    trust_remote_code: run the Python code that comes with the checkpoint.

    Whisper here pads short audio with silence before its spectrogram is computed; other
    implementations pad the spectrogram. The texts may differ where speech ends abruptly.

    CUDA and MPS get the same calls as the CPU, with the model and its inputs moved there. XLA is
    left out: token by token, `generate` would compile every length anew.
    """

    extra = "transformers"
    modules = ("transformers", "torch")
    devices = ("cuda", "mps", "cpu")
    batches = True
    timestamps = "word"
    options: ClassVar[Options] = {
        "language": None,
        "task": "transcribe",
        "beam_size": 1,
        "temperature": 0.0,
        "compression_ratio_threshold": None,
        "logprob_threshold": None,
        "no_speech_threshold": None,
        "condition_on_previous_text": False,
        "without_timestamps": True,
        "word_timestamps": False,
        "max_new_tokens": None,
        "compute_type": "float32",
        "chunk_seconds": None,
        "batch_size": 1,
        "attn_implementation": None,
        "trust_remote_code": False,
    }

    @classmethod
    def check(cls, options: Options) -> None:
        _check_options(options)

    def load(self, spec: LoadSpec) -> None:
        options = {**self.options, **spec.options}
        _check_options(options)
        folder = _find(spec.checkpoint, spec.revision)
        self.loaded_from = str(folder)

        import torch

        torch.set_num_threads(spec.threads)
        self._recognizer = _load(folder, spec, options)
        self.most_at_once = self._recognizer.most_at_once()

    def transcribe(self, audio: Audio) -> Transcript:
        if len(audio.samples) == 0:
            return Transcript("")
        return self._recognizer.hear(_long_enough(audio))

    def transcribe_batch(self, audios: Sequence[Audio]) -> list[Transcript]:
        heard = [Transcript("") for _ in audios]
        places = [place for place, audio in enumerate(audios) if len(audio.samples)]
        sounds = [_long_enough(audios[place]) for place in places]
        for place, transcript in zip(places, self._recognizer.hear_each(sounds), strict=True):
            heard[place] = transcript
        return heard

    def close(self) -> None:
        del self._recognizer

    @classmethod
    def batch_of(cls, options: Options) -> int:
        return int(options["batch_size"])

    @classmethod
    def cached(cls, checkpoint: str, revision: str | None) -> bool | None:
        try:
            _find(checkpoint, revision)
        except ModelError:
            return False
        except ImportError:
            return None
        return True

    @classmethod
    def download(cls, checkpoint: str, revision: str | None) -> str:
        folder = hub.download(checkpoint, revision, patterns=_FILES)
        if not _has(Path(folder), _FILES[-2:]):
            folder = hub.download(checkpoint, revision, patterns=(*_FILES, *_PICKLES))
        if not _has(Path(folder), (*_FILES[-2:], *_PICKLES)):
            raise ModelError(f"{checkpoint}: the hub has no weights that transformers reads")
        return folder


def _long_enough(audio: Audio) -> Samples:
    samples = np.ascontiguousarray(audio.samples, dtype=np.float32)
    return np.pad(samples, (0, max(0, _SHORTEST - len(samples))))


def _find(checkpoint: str, revision: str | None) -> Path:
    """The folder of a checkpoint with configuration and weights. Raises ModelError."""
    folder = hub.folder(checkpoint, revision, patterns=(*_FILES, *_PICKLES))
    if not _has(folder, (*_FILES[-2:], *_PICKLES)):
        raise ModelError(
            f"{folder}: the checkpoint is not whole (no model.safetensors or pytorch_model.bin)"
        )
    return folder


def _has(folder: Path, patterns: Sequence[str]) -> bool:
    return any(any(folder.glob(pattern)) for pattern in patterns)


# Options


def _check_options(options: Options) -> None:
    """Raise ModelError for an unknown option, and a value that no checkpoint could use."""
    unknown = [name for name in options if name not in TransformersAsr.options]
    if unknown:
        raise ModelError(f"no option {unknown[0]!r}. Options: {', '.join(TransformersAsr.options)}")
    _one_of(options, "task", ("transcribe", "translate"))
    _one_of(options, "compute_type", ("float32", "float16", "bfloat16", "auto"))
    for name in ("language", "attn_implementation"):
        if options[name] is not None and not (isinstance(options[name], str) and options[name]):
            raise _bad(options, name, "a text")
    for name in (
        "condition_on_previous_text",
        "without_timestamps",
        "word_timestamps",
        "trust_remote_code",
    ):
        if not isinstance(options[name], bool):
            raise _bad(options, name, "true or false")
    for name in ("beam_size", "batch_size"):
        if not _is_count(options[name]):
            raise _bad(options, name, "a whole number from 1")
    if options["max_new_tokens"] is not None and not _is_count(options["max_new_tokens"]):
        raise _bad(options, "max_new_tokens", "a whole number from 1")
    if options["chunk_seconds"] is not None and not (
        _is_number(options["chunk_seconds"]) and options["chunk_seconds"] >= 1
    ):
        raise _bad(options, "chunk_seconds", "a number of seconds from 1")
    for name in ("compression_ratio_threshold", "logprob_threshold", "no_speech_threshold"):
        if options[name] is not None and not _is_number(options[name]):
            raise _bad(options, name, "a number")
    heat = options["temperature"]
    steps = heat if isinstance(heat, list | tuple) else [heat]
    if not steps or not all(_is_number(step) and 0 <= step <= 2 for step in steps):
        raise _bad(options, "temperature", "a number from 0 to 2, or a list of them")
    if len(steps) > 1 and all(
        options[name] is None for name in ("compression_ratio_threshold", "logprob_threshold")
    ):
        raise ModelError(
            f"temperature {heat!r} falls back only where a threshold says so: set "
            "compression_ratio_threshold or logprob_threshold"
        )
    if options["no_speech_threshold"] is not None and options["logprob_threshold"] is None:
        raise ModelError("no_speech_threshold works together with logprob_threshold: set both")
    if options["beam_size"] > 1 and steps[0] > 0:
        raise ModelError("beam_size above 1 searches and temperature above 0 samples: choose one")


def _one_of(options: Options, name: str, values: Sequence[str]) -> None:
    if options[name] not in values:
        raise _bad(options, name, f"one of {', '.join(values)}")


def _bad(options: Options, name: str, expected: str) -> ModelError:
    return ModelError(f"option {name}: {options[name]!r} is not {expected}")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


# Loading


@dataclass(frozen=True, slots=True)
class _Parts:
    """A loaded checkpoint. kind is "whisper", "ctc", "transducer" or "seq2seq"."""

    kind: str
    name: str
    model: Any
    tokenizer: Any
    extractor: Any
    options: Options
    seed: int


def _load(folder: Path, spec: LoadSpec, options: Options) -> _Recognizer:
    transformers: Any = importlib.import_module("transformers")
    transformers.utils.logging.disable_progress_bar()
    local: dict[str, Any] = {
        "local_files_only": True,
        "trust_remote_code": options["trust_remote_code"],
    }
    name = spec.checkpoint
    with _told(name, "config.json"):
        config = transformers.AutoConfig.from_pretrained(folder, **local)
    kind, auto = _kind(config, name, options)
    _check_fit(kind, name, options)
    with _told(name, "the tokenizer"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **local)
    _check_tokenizer(tokenizer, config, name)
    with _told(name, "preprocessor_config.json"):
        extractor = transformers.AutoFeatureExtractor.from_pretrained(folder, **local)
    if extractor.sampling_rate != _RATE:
        raise ModelError(
            f"{name}: the model wants {extractor.sampling_rate} Hz, and speech "
            f"recognition gets {_RATE} Hz here"
        )
    with _told(name, "the weights"):
        model, report = getattr(transformers, auto).from_pretrained(
            folder,
            config=config,
            dtype=options["compute_type"],
            attn_implementation=options["attn_implementation"],
            weights_only=True,  # a pickle may hold arrays, nothing that runs
            output_loading_info=True,
            **local,
        )
    _check_weights(model, report, name)
    model = model.to(spec.device).eval()
    parts = _Parts(kind, name, model, tokenizer, extractor, options, spec.seed)
    return {"whisper": _Whisper, "ctc": _Ctc}.get(kind, _Generator)(parts)


@contextmanager
def _told(checkpoint: str, part: str) -> Iterator[None]:
    """Turns whatever goes wrong while a part is read into one line that names it."""
    what = f"transformers cannot load {part} of {checkpoint!r}"
    try:
        yield
    except Exception as error:  # damaged files end in errors of a dozen types, Exception itself too
        if "trust_remote_code" in str(error):
            raise ModelError(
                f"{what}: it comes with Python code of its own, which is run only with the "
                "option trust_remote_code: true. Read the code first"
            ) from error
        raise ModelError(f"{what}: {one_line(error)}") from error


def _kind(config: Any, name: str, options: Options) -> tuple[str, str]:
    """The kind of a checkpoint, and the name of the library's class that loads it."""
    modeling_auto: Any = importlib.import_module("transformers.models.auto.modeling_auto")
    of = config.model_type
    if of == "whisper":
        return "whisper", "AutoModelForSpeechSeq2Seq"
    if of in modeling_auto.MODEL_FOR_CTC_MAPPING_NAMES:
        return "ctc", "AutoModelForCTC"
    if of in _SEQ2SEQ:
        return "seq2seq", "AutoModelForSpeechSeq2Seq"
    for auto in ("AutoModelForTDT", "AutoModelForRNNT"):
        table = auto.replace("AutoModelFor", "MODEL_FOR_") + "_MAPPING_NAMES"
        if of in _TRANSDUCERS and of in getattr(modeling_auto, table, {}):
            return "transducer", auto
    if options["trust_remote_code"]:
        own = getattr(config, "auto_map", None) or {}
        for kind, auto in (("ctc", "AutoModelForCTC"), ("seq2seq", "AutoModelForSpeechSeq2Seq")):
            if auto in own:
                return kind, auto
    known = sorted(
        {"whisper", *modeling_auto.MODEL_FOR_CTC_MAPPING_NAMES, *_SEQ2SEQ, *_TRANSDUCERS}
    )
    raise ModelError(
        f"{name}: a model of type {of!r} is not run as speech recognition here. "
        f"Types that are: {', '.join(known)}"
    )


def _check_fit(kind: str, name: str, options: Options) -> None:
    """Refuse options that would do nothing for this kind of checkpoint."""
    chunk = options["chunk_seconds"]
    if kind == "whisper":
        if options["condition_on_previous_text"] and chunk is not None:
            raise ModelError(
                "overlapping windows (chunk_seconds) do not see the text before them: "
                "leave condition_on_previous_text off"
            )
        return
    for option, value in options.items():
        if option not in _TAKES[kind] and value != TransformersAsr.options[option]:
            raise ModelError(
                f"option {option}: {name} is a {kind} model, which has no use for it; leave it at "
                f"{TransformersAsr.options[option]!r}"
            )
    if isinstance(options["temperature"], list | tuple):
        raise ModelError(f"option temperature: {name} is no Whisper and takes a single number")


def _check_tokenizer(tokenizer: Any, config: Any, name: str) -> None:
    """The library makes an empty tokenizer where it finds no vocabulary, and says nothing."""
    text = config.get_text_config(decoder=True)
    size = getattr(text, "vocab_size", None) or getattr(config, "vocab_size", None) or 0
    if len(tokenizer) < max(2, size // 2):
        raise ModelError(
            f"transformers cannot load the tokenizer of {name!r}: it has {len(tokenizer)} "
            f"tokens and the model {size} (is its vocabulary file missing?)"
        )


def _check_weights(model: Any, report: Mapping[str, Any], name: str) -> None:
    """Nothing that the model computes with may be left at its random beginning."""
    missing = sorted(key for key in report["missing_keys"] if not _NEVER_HEARD.search(key))
    if missing:
        raise ModelError(
            f"transformers cannot load the weights of {name!r}: {len(missing)} tensor(s) are "
            f"missing, such as {missing[0]}"
        )
    wrong = sorted(str(key) for key in report["mismatched_keys"])
    if wrong or report.get("error_msgs"):
        raise ModelError(
            f"transformers cannot load the weights of {name!r}: tensors that do not fit its "
            f"config.json, such as {(wrong or list(report['error_msgs']))[0]}"
        )
    # More layers than the configuration speaks of would be dropped in silence.
    shapes = {_without_numbers(key) for key in model.state_dict()}
    extra = sorted(key for key in report["unexpected_keys"] if _without_numbers(key) in shapes)
    if extra:
        raise ModelError(
            f"transformers cannot load the weights of {name!r}: config.json describes a smaller "
            f"model, without {extra[0]}"
        )


def _without_numbers(key: str) -> str:
    return re.sub(r"\d+", "#", key)


# Hearing


class _Recognizer(ABC):
    """A loaded checkpoint and the way in which its kind hears."""

    #: Samples that it hears at once.
    _window = 0

    def __init__(self, parts: _Parts) -> None:
        self.parts = parts
        self.model = parts.model
        self.tokenizer = parts.tokenizer
        self.extractor = parts.extractor
        self.options = parts.options

    @abstractmethod
    def hear(self, samples: Samples) -> Transcript:
        """The words in 16 kHz audio of any length that is not 0."""

    def most_at_once(self) -> int:
        """How many utterances may be heard at once without hearing anything else for it."""
        return 1

    def hear_each(self, sounds: Sequence[Samples]) -> Sequence[Transcript]:
        """The words of each utterance; those of at most a window, `most_at_once` at a time."""
        size = self.most_at_once()
        short = [p for p, sound in enumerate(sounds) if size > 1 and len(sound) <= self._window]
        heard: dict[int, Transcript] = {}
        for first in range(0, len(short), size):
            places = short[first : first + size]
            together = self._together([sounds[place] for place in places])
            heard.update(zip(places, together, strict=True))
        return [heard[p] if p in heard else self.hear(sound) for p, sound in enumerate(sounds)]

    def _together(self, sounds: Sequence[Samples]) -> Iterable[Transcript]:
        """What `hear` hears, of utterances of at most a window each, in one call of the model."""
        return [self.hear(sound) for sound in sounds]

    def features(self, sounds: Sequence[Samples], **how: Any) -> dict[str, Any]:
        """What the model takes, on its device and in its precision."""
        made = self.extractor(list(sounds), sampling_rate=_RATE, return_tensors="pt", **how)
        return {
            key: value.to(
                self.model.device, self.model.dtype if value.is_floating_point() else None
            )
            for key, value in made.items()
        }


class _Whisper(_Recognizer):
    """Whisper: windows of 30 s, one after the other or overlapping."""

    def __init__(self, parts: _Parts) -> None:
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
        language, task = options["language"], options["task"]
        if self._multilingual:
            if language is not None and _language_code(language) not in self._languages.values():
                raise ModelError(f"option language: {name} does not know {language!r}")
        elif (language is not None and _language_code(language) != "en") or task != "transcribe":
            raise ModelError(
                f"{name} is an English model, or its generation_config.json names no "
                "languages: leave language and task at their defaults"
            )
        timed = not options["without_timestamps"] or options["word_timestamps"]
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
        chunk, longest = options["chunk_seconds"], self._window / _RATE
        if chunk is not None and chunk > longest:
            raise ModelError(
                f"option chunk_seconds: {name} hears {longest:g} s at once, not {chunk:g}"
            )

    def hear(self, samples: Samples) -> Transcript:
        if self._sampled:
            _seed(self.parts.seed)
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
            **self._spoken(self.options["language"]),
            return_timestamps=not self.options["without_timestamps"],
            return_segments=True,
        )
        for segments in out["segments"]:
            language = self.options["language"]
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
        size = (_HEAVY_BLOCK_SECONDS if heavy else _BLOCK_SECONDS) * _RATE
        language = options["language"]
        texts: list[str] = []
        words: list[Word] = []
        said: list[int] = []
        start = 0
        while start == 0 or len(samples) - start >= _SHORTEST // 2:
            block = samples[start : start + size]
            segments, seeks = self._decode(block, long, language, said)
            if language is None and segments:
                language = self._language_of(segments[0])
            end = len(block) // _HOP
            if start + len(block) < len(samples):
                window = self._window // _HOP
                end = next((seek for seek in seeks if seek + window > end), end)
                segments = [s for s in segments if float(s["start"]) < end * _HOP / _RATE - 1e-3]
            for segment in segments:
                tokens = segment["tokens"].tolist()
                said.extend(tokens)
                texts.append(self.tokenizer.decode(tokens, skip_special_tokens=True))
                if options["word_timestamps"]:
                    words.extend(self._words(segment, start / _RATE))
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
            return_timestamps=long
            or self.options["word_timestamps"]
            or not self.options["without_timestamps"],
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
        language = options["language"]
        if language is None and self._multilingual:
            # Once for all windows, as in the other way.
            made = self.features([samples[: self._window]])
            found = self.model.detect_language(made["input_features"])
            language = self._languages.get(int(found[0]))
        times: bool | str = not options["without_timestamps"]
        heard = self._pipeline(
            {"raw": samples, "sampling_rate": _RATE},
            chunk_length_s=options["chunk_seconds"],
            ignore_warning=True,
            batch_size=options["batch_size"],
            return_timestamps="word" if options["word_timestamps"] else times,
            generate_kwargs={**self._generate, **self._spoken(language)},
        )
        words = [
            Word(word["text"].strip(), *word["timestamp"])
            for word in (heard["chunks"] if options["word_timestamps"] else ())
        ]
        spoken = _language_code(language) if language is not None else None
        return Transcript(heard["text"].strip(), spoken, tuple(words))


class _Ctc(_Recognizer):
    """CTC: a token or none for every frame, of overlapping windows whose margins are cut off."""

    def __init__(self, parts: _Parts) -> None:
        super().__init__(parts)
        transformers: Any = importlib.import_module("transformers")
        self._offsets = isinstance(self.tokenizer, transformers.Wav2Vec2CTCTokenizer)
        # Samples per frame: configurations tell it in a dozen ways, the model in one.
        one, three = (self._frames([np.zeros(n * _RATE, np.float32)])[0] for n in (1, 3))
        self._hop = round(2 * _RATE / (len(three) - len(one)))
        seconds = self.options["chunk_seconds"] or _WINDOW_SECONDS
        self._margin = max(1, round(seconds * _RATE / 6 / self._hop)) * self._hop
        self._window = max(round(seconds * _RATE / self._hop) * self._hop, 3 * self._margin)

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
            times = [i * self._hop / _RATE for i in range(len(heard))]
            yield self._transcript(heard, [*times, len(sound) / _RATE])

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
                    times.append((start + i * self._hop) / _RATE)
        return self._transcript(tokens, [*times, len(samples) / _RATE])

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


class _Generator(_Recognizer):
    """Transducers and plain sequence-to-sequence models: windows that end where it is quiet."""

    def hear(self, samples: Samples) -> Transcript:
        longest = round((self.options["chunk_seconds"] or _WINDOW_SECONDS) * _RATE)
        heat = float(self.options["temperature"])
        if heat > 0:
            _seed(self.parts.seed)
        texts = [
            self._text(samples[start:end], heat) for start, end in _at_pauses(samples, longest)
        ]
        return Transcript(" ".join(text for text in texts if text))

    def _text(self, sound: Samples, heat: float) -> str:
        if len(sound) < _SHORTEST:
            sound = np.pad(sound, (0, _SHORTEST - len(sound)))
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


def _language_code(language: str) -> str:
    module: Any = importlib.import_module("transformers.models.whisper.tokenization_whisper")
    code: str = module.TO_LANGUAGE_CODE.get(language.lower(), language.lower())
    return code


def _seed(seed: int) -> None:
    import torch

    torch.manual_seed(seed)


def _at_pauses(samples: Samples, longest: int) -> Iterator[tuple[int, int]]:
    """Windows of at most `longest` samples that end at the quietest point of their last half."""
    hop = _RATE // 50
    start = 0
    while len(samples) - start > longest:
        half = samples[start + longest // 2 : start + longest]
        frames = half[: len(half) // hop * hop].reshape(-1, hop)
        power = np.square(frames).mean(axis=1)
        # A pause is longer than the gap within a consonant.
        smooth = np.convolve(power, np.ones(10), mode="same")
        end = start + longest // 2 + (int(np.argmin(smooth)) * hop + hop // 2)
        yield start, end
        start = end
    yield start, len(samples)


ADAPTER = TransformersAsr
