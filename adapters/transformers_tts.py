"""transformers: text to speech with VITS (and MMS-TTS), SpeechT5 and Bark.

Three kinds, told apart by the checkpoint's configuration. The library loads others too; they are
refused by name, since none of them has been tried here.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import math
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from adapters import hub
from adapters.interface import Adapter, Audio, LoadSpec, ModelError, Options, Samples, Speech
from adapters.transformers_asr import _check_weights, _has, _is_number, _seed, _told
from adapters.whisper_options import one_line

_WEIGHTS = ("model.safetensors", "model-*-of-*.safetensors")
_PICKLES = ("pytorch_model.bin", "pytorch_model-*-of-*.bin")
#: No code of a checkpoint runs, and nobody is asked whether it may.
_LOCAL: Mapping[str, Any] = {"local_files_only": True, "trust_remote_code": False}
#: What `from_pretrained` reads, and Bark's voices.
_FILES = ("*.json", "*.txt", "*.model", "speaker_embeddings/*.npy", *_WEIGHTS)

#: Longer texts are spoken in pieces that end where a sentence does. Attention grows with the
#: square of a piece, and SpeechT5 was made for some 450 letters. Bark stops after 15 s, in which
#: people say about half of that.
_PIECE = 400
_BARK_PIECE = 200

#: The options that a kind of checkpoint has a use for, beside those that all have.
_ALWAYS = ("max_seconds",)
_TAKES: Mapping[str, tuple[str, ...]] = {
    "vits": ("voice", "speaking_rate", "noise_scale", "noise_scale_duration"),
    "speecht5": ("voice", "vocoder", "vocoder_revision", "spell_numbers", "compute_type"),
    "bark": ("voice", "compute_type"),
}
#: Those of them that may be given with an utterance.
_OF_AN_UTTERANCE = ("voice", "speaking_rate", "noise_scale", "noise_scale_duration")

_log = logging.getLogger(__name__)


class TransformersTts(Adapter):
    """Text to speech with transformers on torch.

    An option that the checkpoint's kind does not know is refused, unless it has its default.

    voice: who speaks. VITS: the number of a speaker, where the checkpoint has several. SpeechT5:
    an x-vector, as the path of a .npy file or a list of numbers, without which it cannot speak.
    Bark: the name of one of the checkpoint's voices; without one it makes a voice up.
    speaking_rate, noise_scale, noise_scale_duration: VITS's own; None is the checkpoint's.
    vocoder, vocoder_revision: the HiFi-GAN that turns SpeechT5's spectrogram into sound.
    spell_numbers: SpeechT5 has letters only. True has numbers written out, in English, before they
    are spoken; None leaves that to the checkpoint's tokenizer.
    max_seconds: a piece of text that would be spoken for longer is cut off there.
    compute_type: "float32", "float16", "bfloat16", or "auto" for what the checkpoint is stored in.
    VITS is float32 always: in its durations' splines the others give numbers below a root's zero.

    The random numbers begin anew with every utterance, so that a text sounds the same whatever was
    said before it. They are drawn on the device, so a GPU's audio is not the CPU's.

    Text of more than 400 characters (Bark: 200) is spoken in pieces. Characters that a tokenizer
    does not know are left out (VITS) or become its token for that (SpeechT5, Bark): the model's
    log names them, and a text of which nothing remains is a ModelError. Blank text is no samples.

    CUDA and MPS get the same calls as the CPU, with the model and its inputs moved there.
    """

    extra = "transformers"
    modules = ("transformers", "torch")
    devices = ("cuda", "mps", "cpu")
    options: ClassVar[Options] = {
        "voice": None,
        "speaking_rate": None,
        "noise_scale": None,
        "noise_scale_duration": None,
        "vocoder": "microsoft/speecht5_hifigan",
        "vocoder_revision": "bb6f429406e86a9992357a972c0698b22043307d",
        "spell_numbers": None,
        "max_seconds": 60.0,
        "compute_type": "float32",
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
        self._speaker = _load(folder, spec, options)
        self._seed = spec.seed

    def synthesize(self, text: str, voice: Options | None = None) -> Speech:
        """`text` spoken; `voice`: the option of that name and VITS's three, for it alone."""
        speaker = self._speaker
        settings = _overridden(speaker.parts, voice or {})
        speaker.check(settings)
        if not text.strip():
            return Speech(Audio(np.zeros(0, np.float32), speaker.rate))
        _seed(self._seed)
        sounds = [speaker.say(piece, settings) for piece in _sayable(speaker, text)]
        # Bark's decoder is not bounded. What is no number stays none.
        samples = np.clip(np.concatenate(sounds), -1.0, 1.0)
        return Speech(Audio(samples.astype(np.float32, copy=False), speaker.rate))

    def close(self) -> None:
        del self._speaker

    @classmethod
    def cached(cls, checkpoint: str, revision: str | None) -> bool | None:
        try:
            folder = _find(checkpoint, revision)
            if _model_type(folder) == _SpeechT5.kind and not hub.is_local(checkpoint):
                _find(cls.options["vocoder"], cls.options["vocoder_revision"])
        except ModelError:
            return False
        except ImportError:
            return None
        return True

    @classmethod
    def download(cls, checkpoint: str, revision: str | None) -> str:
        """With SpeechT5 also the vocoder that it has by default."""
        folder = _download(checkpoint, revision)
        if _model_type(Path(folder)) == _SpeechT5.kind:
            _download(cls.options["vocoder"], cls.options["vocoder_revision"])
        return folder


def _find(checkpoint: str, revision: str | None) -> Path:
    """The folder of a checkpoint with configuration and weights. Raises ModelError."""
    folder = hub.folder(checkpoint, revision, patterns=(*_FILES, *_PICKLES))
    if not _has(folder, (*_WEIGHTS, *_PICKLES)):
        raise ModelError(
            f"{folder}: the checkpoint is not whole (no model.safetensors or pytorch_model.bin)"
        )
    return folder


def _download(checkpoint: str, revision: str | None) -> str:
    folder = hub.download(checkpoint, revision, patterns=_FILES)
    if not _has(Path(folder), _WEIGHTS):
        folder = hub.download(checkpoint, revision, patterns=(*_FILES, *_PICKLES))
    if not _has(Path(folder), (*_WEIGHTS, *_PICKLES)):
        raise ModelError(f"{checkpoint}: the hub has no weights that transformers reads")
    return folder


# Options


def _check_options(options: Options) -> None:
    """Raise ModelError for an unknown option, and a value that no checkpoint could use."""
    unknown = [name for name in options if name not in TransformersTts.options]
    if unknown:
        raise ModelError(f"no option {unknown[0]!r}. Options: {', '.join(TransformersTts.options)}")
    for name, low in (("speaking_rate", 0.1), ("noise_scale", 0.0), ("noise_scale_duration", 0.0)):
        value = options[name]
        if value is not None and not (_is_number(value) and low <= value <= 10):
            raise _bad(options, name, f"a number from {low:g} to 10")
    if not (_is_number(options["max_seconds"]) and 0 < options["max_seconds"] <= 600):
        raise _bad(options, "max_seconds", "a number of seconds above 0 and up to 600")
    if options["compute_type"] not in ("float32", "float16", "bfloat16", "auto"):
        raise _bad(options, "compute_type", "one of float32, float16, bfloat16, auto")
    if not isinstance(options["spell_numbers"], bool | None):
        raise _bad(options, "spell_numbers", "true, false or null")
    if not _is_name(options["vocoder"]):
        raise _bad(options, "vocoder", "a path or the hub's name of a checkpoint")
    if options["vocoder_revision"] is not None and not _is_name(options["vocoder_revision"]):
        raise _bad(options, "vocoder_revision", "a commit or null")
    voice = options["voice"]
    vector = isinstance(voice, list | tuple) and bool(voice) and all(map(_is_number, voice))
    if not (voice is None or _is_index(voice) or _is_name(voice) or vector):
        raise _bad(options, "voice", "the number or name of a voice, a path, or a list of numbers")


def _bad(options: Options, name: str, expected: str) -> ModelError:
    return ModelError(f"option {name}: {options[name]!r} is not {expected}")


def _is_index(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _check_fit(kind: str, name: str, options: Options) -> None:
    """Refuse options that would do nothing for this kind of checkpoint."""
    for option, value in options.items():
        usual = TransformersTts.options[option]
        if option not in (*_ALWAYS, *_TAKES[kind]) and value != usual:
            raise ModelError(
                f"option {option}: {name} is a {kind} model, which has no use for it; "
                f"leave it at {usual!r}"
            )


def _overridden(parts: _Parts, voice: Options) -> Options:
    """The options of one utterance. Raises ModelError where it may not have one of them."""
    allowed = [name for name in _OF_AN_UTTERANCE if name in _TAKES[parts.kind]]
    for name in voice:
        if name not in allowed:
            raise ModelError(
                f"{parts.name}: no voice option {name!r}; there are {', '.join(allowed)}"
            )
    settings = {**parts.options, **voice}
    if voice:
        _check_options(settings)
    return settings


# Loading


@dataclass(frozen=True, slots=True)
class _Parts:
    """A loaded checkpoint. kind is its `model_type`."""

    kind: str
    name: str
    model: Any
    tokenizer: Any
    options: Options
    folder: Path


def _load(folder: Path, spec: LoadSpec, options: Options) -> _Speaker:
    transformers: Any = importlib.import_module("transformers")
    transformers.utils.logging.disable_progress_bar()
    name = spec.checkpoint
    kind = _model_type(folder)
    speaker = _SPEAKERS.get(kind)
    if speaker is None:
        raise ModelError(
            f"{name}: a model of type {kind!r} is not run as text to speech here. "
            f"Types that are: {', '.join(_SPEAKERS)}"
        )
    _check_fit(kind, name, options)
    speaker.prepare(name)
    with _told(name, "config.json"):
        config = transformers.AutoConfig.from_pretrained(folder, **_LOCAL)
    with _told(name, "the tokenizer"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **_LOCAL)
    speaker.check_tokenizer(tokenizer, config, name)
    model = _model(getattr(transformers, speaker.library), folder, name, options)
    parts = _Parts(kind, name, model.to(spec.device).eval(), tokenizer, options, folder)
    return speaker(parts)


def _model(library: Any, folder: Path, name: str, options: Options) -> Any:
    with _told(name, "the weights"):
        model, report = library.from_pretrained(
            folder,
            dtype=options["compute_type"],
            weights_only=True,  # a pickle may hold arrays, nothing that runs
            output_loading_info=True,
            local_files_only=True,
        )
    _check_weights(model, report, name)
    return model


def _model_type(folder: Path) -> str:
    with _told(str(folder), "config.json"):
        return str(json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"])


def _check_count(count: int, size: int, name: str) -> None:
    """The library makes an empty tokenizer where it finds no vocabulary, and says nothing."""
    if count < max(2, size // 2):
        raise ModelError(
            f"transformers cannot load the tokenizer of {name!r}: it has {count} "
            f"tokens and the model {size} (is its vocabulary file missing?)"
        )


# Text


@dataclass(frozen=True, slots=True)
class _Piece:
    """A piece of text, its tokens, what of it these stand for, and what they do not."""

    text: str
    ids: Sequence[int]
    known: str
    unknown: Sequence[str]


def _sayable(speaker: _Speaker, text: str) -> list[_Piece]:
    """The pieces of a text of which something remains. Raises ModelError where nothing does."""
    found = list(_fitting(speaker, text, speaker.longest))
    if not found:
        raise ModelError(
            f"{speaker.parts.name} cannot speak {_short(text)}: its tokenizer knows none of the "
            "letters and digits in it"
        )
    if lost := {part for piece in found for part in piece.unknown}:
        _log.warning("unknown in %s: %s", _short(text), " ".join(sorted(lost)))
    return found


def _fitting(speaker: _Speaker, text: str, longest: int) -> Iterator[_Piece]:
    for part in _pieces(text, longest):
        piece = speaker.read(part)
        if speaker.room is not None and len(piece.ids) > speaker.room and len(part) > 1:
            yield from _fitting(speaker, part, len(part) // 2)
        elif any(character.isalnum() for character in piece.known):
            yield piece


#: Where a text may be cut, best first.
_ENDS = (
    re.compile(r"[.!?\u2026](?=\s)|[\u3002\uff01\uff1f\u0964]"),  # of sentences
    re.compile(r"[,;:](?=\s)|[\u3001\uff0c\uff1b]"),  # of clauses
    re.compile(r"\S(?=\s)"),  # of words
)


def _pieces(text: str, longest: int) -> Iterator[str]:
    """`text` in pieces of at most `longest` characters, without the space between them."""
    text = text.strip()
    while len(text) > longest:
        head = text[: longest + 1]
        ends = ((m.end() for m in where.finditer(head)) for where in _ENDS)
        cuts = (max((end for end in some if end <= longest), default=0) for some in ends)
        cut = next((cut for cut in cuts if cut), longest)
        yield text[:cut]
        text = text[cut:].strip()
    if text:
        yield text


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


# Speaking


class _Speaker(ABC):
    """A loaded checkpoint and the way in which its kind speaks.

    kind: the `model_type` of its configuration; library: the name of the library's class.
    longest: characters of a piece of text; room: its tokens. rate: of the audio, in Hz.
    """

    kind: ClassVar[str]
    library: ClassVar[str]
    longest: ClassVar[int] = _PIECE
    room: int | None = None
    rate: int

    def __init__(self, parts: _Parts) -> None:
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
    def read(self, text: str) -> _Piece:
        """A piece of text as the tokenizer has it."""

    @abstractmethod
    def say(self, piece: _Piece, settings: Options) -> Samples:
        """The samples of one piece, however loud."""

    def ids(self, piece: _Piece) -> Any:
        import torch

        return torch.tensor([list(piece.ids)], device=self.model.device)


def _samples(waveform: Any) -> Samples:
    samples: Samples = waveform.float().cpu().numpy().reshape(-1)
    return samples


class _Vits(_Speaker):
    """VITS: phonemes or letters to sound in one go, for durations that are drawn too."""

    kind = "vits"
    library = "VitsModel"

    def __init__(self, parts: _Parts) -> None:
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
        with _told(name, "the tokenizer"):
            if tokenizer.phonemize:
                _find_espeak()
            tokenizer.prepare_for_tokenization("a")

    def check(self, settings: Options) -> None:
        voice, count = settings["voice"], self.model.config.num_speakers
        if count <= 1:
            if voice is not None:
                raise ModelError(f"option voice: {self.parts.name} has one voice; leave it null")
        elif not _is_index(voice) or voice >= count:
            raise ModelError(
                f"option voice: {self.parts.name} has the speakers 0 to {count - 1}, "
                f"and {voice!r} is none of them"
            )

    def read(self, text: str) -> _Piece:
        tokenizer = self.tokenizer
        letters = tokenizer.encoder.keys()
        prepared, _ = tokenizer.prepare_for_tokenization(text)
        # To a phoneme that it does not know the library would give an id beyond the model's.
        known = "".join(c for c in prepared if c in letters)
        lost = {c for c in prepared if c not in letters}
        if not tokenizer.phonemize and not tokenizer.is_uroman:  # these change every character
            lost |= {c for c in text if not {c, c.lower()} & letters}
        ids = tokenizer.convert_tokens_to_ids(tokenizer._tokenize(known))
        return _Piece(text, ids, known, [c for c in lost if not c.isspace()])

    def say(self, piece: _Piece, settings: Options) -> Samples:
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
                f"{self.parts.name} cannot speak {_short(piece.text)}: {one_line(error)}"
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
        _log.warning("cut off at max_seconds")
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


class _SpeechT5(_Speaker):
    """SpeechT5: letters to a spectrogram, step after step, and a HiFi-GAN for the sound."""

    kind = "speecht5"
    library = "SpeechT5ForTextToSpeech"

    def __init__(self, parts: _Parts) -> None:
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

    def read(self, text: str) -> _Piece:
        return _read(self.tokenizer, text, eos=True)

    def say(self, piece: _Piece, settings: Options) -> Samples:
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


def _vocoder(parts: _Parts, bands: int) -> Any:
    """SpeechT5's vocoder. Raises ModelError for one that does not fit its spectrogram."""
    transformers: Any = importlib.import_module("transformers")
    name, revision = parts.options["vocoder"], parts.options["vocoder_revision"]
    folder = _find(name, revision)
    # The published one is called by its name of before the library had it.
    if (kind := _model_type(folder)) not in ("speecht5_hifigan", "hifigan"):
        raise ModelError(f"option vocoder: {name} is a {kind!r}, not a 'speecht5_hifigan'")
    vocoder = _model(transformers.SpeechT5HifiGan, folder, name, parts.options)
    if vocoder.config.model_in_dim != bands:
        raise ModelError(
            f"option vocoder: {name} takes {vocoder.config.model_in_dim} frequency bands, and "
            f"{parts.name} gives {bands}"
        )
    return vocoder


class _Bark(_Speaker):
    """Bark: three transformers in a row and a codec, all of it drawn."""

    kind = "bark"
    library = "BarkModel"
    longest = _BARK_PIECE

    def __init__(self, parts: _Parts) -> None:
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
        with _told(parts.name, "the voices"):
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
        with _told(self.parts.name, f"the voice {voice}"):
            parts = self._processor._load_voice_preset(voice, local_files_only=True)
            self._processor._validate_voice_preset_dict(parts)

    def read(self, text: str) -> _Piece:
        return _read(self.tokenizer, text, eos=False)

    def say(self, piece: _Piece, settings: Options) -> Samples:
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


def _read(tokenizer: Any, text: str, *, eos: bool) -> _Piece:
    """A piece of text whose unknown parts have a token too."""
    tokens: list[str] = tokenizer.tokenize(text)
    ids: list[int] = tokenizer.convert_tokens_to_ids(tokens)
    unknown = tokenizer.unk_token_id
    known = [token for token, id_ in zip(tokens, ids, strict=True) if id_ != unknown]
    lost = [token for token, id_ in zip(tokens, ids, strict=True) if id_ == unknown]
    return _Piece(text, [*ids, tokenizer.eos_token_id] if eos else ids, "".join(known), lost)


_SPEAKERS: Mapping[str, type[_Speaker]] = {
    speaker.kind: speaker for speaker in (_Vits, _SpeechT5, _Bark)
}

ADAPTER = TransformersTts
