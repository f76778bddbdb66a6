"""The kinds of text to speech that transformers has here: VITS, SpeechT5 and Bark."""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from adapters import hub
from adapters.interface import ModelError, Options, Samples
from adapters.transformers_checkpoint import check_weights, has_any, told
from adapters.whisper_options import one_line

WEIGHTS = ("model.safetensors", "model-*-of-*.safetensors")
PICKLES = ("pytorch_model.bin", "pytorch_model-*-of-*.bin")
#: No code of a checkpoint runs, and nobody is asked whether it may.
LOCAL: Mapping[str, Any] = {"local_files_only": True, "trust_remote_code": False}
#: What `from_pretrained` reads, and Bark's voices.
FILES = ("*.json", "*.txt", "*.model", "speaker_embeddings/*.npy", *WEIGHTS)
#: Longer texts are spoken in pieces that end where a sentence does. Attention grows with the
#: square of a piece, and SpeechT5 was made for some 450 letters. Bark stops after 15 s, in which
#: people say about half of that.
_PIECE = 400
_BARK_PIECE = 200
log = logging.getLogger(__name__)


def find_folder(checkpoint: str, revision: str | None) -> Path:
    """The folder of a checkpoint with configuration and weights. Raises ModelError."""
    folder = hub.folder(checkpoint, revision, patterns=(*FILES, *PICKLES))
    if not has_any(folder, (*WEIGHTS, *PICKLES)):
        raise ModelError(
            f"{folder}: the checkpoint is not whole (no model.safetensors or pytorch_model.bin)"
        )
    return folder


def is_index(value: object) -> bool:
    """Whether an option is a whole number from 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


@dataclass(frozen=True, slots=True)
class Parts:
    """A loaded checkpoint. kind is its `model_type`."""

    kind: str
    name: str
    model: Any
    tokenizer: Any
    options: Options
    folder: Path


def load_model(library: Any, folder: Path, name: str, options: Options) -> Any:
    """The network in a folder, whole. Raises ModelError."""
    with told(name, "the weights"):
        model, report = library.from_pretrained(
            folder,
            dtype=options["compute_type"],
            weights_only=True,  # a pickle may hold arrays, nothing that runs
            output_loading_info=True,
            local_files_only=True,
        )
    check_weights(model, report, name)
    return model


def model_type(folder: Path) -> str:
    """The `model_type` of a checkpoint. Raises ModelError."""
    with told(str(folder), "config.json"):
        return str(json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"])


def _check_count(count: int, size: int, name: str) -> None:
    """The library makes an empty tokenizer where it finds no vocabulary, and says nothing."""
    if count < max(2, size // 2):
        raise ModelError(
            f"transformers cannot load the tokenizer of {name!r}: it has {count} "
            f"tokens and the model {size} (is its vocabulary file missing?)"
        )


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text, its tokens, what of it these stand for, and what they do not."""

    text: str
    ids: Sequence[int]
    known: str
    unknown: Sequence[str]


def short(text: str) -> str:
    """As an error quotes it."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


class Speaker(ABC):
    """A loaded checkpoint and the way in which its kind speaks.

    kind: the `model_type` of its configuration; library: the name of the library's class.
    longest: characters of a piece of text; room: its tokens. rate: of the audio, in Hz.
    """

    kind: ClassVar[str]
    library: ClassVar[str]
    longest: ClassVar[int] = _PIECE
    room: int | None = None
    rate: int

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.model = parts.model
        self.tokenizer = parts.tokenizer

    @classmethod
    def prepare(cls, name: str) -> None:
        """What comes before the tokenizer is loaded. Raises ModelError for what is missing."""
        return

    @classmethod
    def check_tokenizer(cls, tokenizer: Any, config: Any, name: str) -> None:
        """Raise ModelError for a tokenizer that is not the model's."""
        _check_count(len(tokenizer), config.vocab_size, name)

    @abstractmethod
    def check(self, settings: Options) -> None:
        """Raise ModelError for a voice that the checkpoint does not have."""

    @abstractmethod
    def read(self, text: str) -> Piece:
        """A piece of text as the tokenizer has it."""

    @abstractmethod
    def say(self, piece: Piece, settings: Options) -> Samples:
        """The samples of one piece, however loud."""

    def ids(self, piece: Piece) -> Any:
        import torch

        return torch.tensor([list(piece.ids)], device=self.model.device)


def _samples(waveform: Any) -> Samples:
    samples: Samples = waveform.float().cpu().numpy().reshape(-1)
    return samples


class _Vits(Speaker):
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
        _check_count(len(tokenizer.encoder), config.vocab_size, name)
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
        return _samples(said.waveform)

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
        return _read(self.tokenizer, text, eos=True)

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
        return _samples(waveform)

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


class _Bark(Speaker):
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
        _check_count(len(self.tokenizer), count, parts.name)
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
        return _read(self.tokenizer, text, eos=False)

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
        return _samples(waveform)


def _read(tokenizer: Any, text: str, *, eos: bool) -> Piece:
    """A piece of text whose unknown parts have a token too."""
    tokens: list[str] = tokenizer.tokenize(text)
    ids: list[int] = tokenizer.convert_tokens_to_ids(tokens)
    unknown = tokenizer.unk_token_id
    known = [token for token, id_ in zip(tokens, ids, strict=True) if id_ != unknown]
    lost = [token for token, id_ in zip(tokens, ids, strict=True) if id_ == unknown]
    return Piece(text, [*ids, tokenizer.eos_token_id] if eos else ids, "".join(known), lost)


SPEAKERS: Mapping[str, type[Speaker]] = {
    speaker.kind: speaker for speaker in (_Vits, SpeechT5, _Bark)
}
