"""transformers: text to speech with VITS (and MMS-TTS), SpeechT5 and Bark.

Three kinds, told apart by the checkpoint's configuration. The library loads others too; they are
refused by name, since none of them has been tried here.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from adapters.engines.shared import hub
from adapters.engines.shared.transformers_checkpoint import has_any, is_number, seed_torch, told
from adapters.engines.transformers_tts.speaker import (
    FILES,
    LOCAL,
    PICKLES,
    WEIGHTS,
    Parts,
    Piece,
    Speaker,
    find_folder,
    is_index,
    load_model,
    log,
    model_type,
    short,
)
from adapters.engines.transformers_tts.speakers import SPEAKERS
from adapters.engines.transformers_tts.speecht5 import SpeechT5
from adapters.interface import Adapter, Audio, LoadSpec, ModelError, Options, Speech

#: The options that a kind of checkpoint has a use for, beside those that all have.
_ALWAYS = ("max_seconds",)
_TAKES: Mapping[str, tuple[str, ...]] = {
    "vits": ("voice", "speaking_rate", "noise_scale", "noise_scale_duration"),
    "speecht5": ("voice", "vocoder", "vocoder_revision", "spell_numbers", "compute_type"),
    "bark": ("voice", "compute_type"),
}
#: Those of them that may be given with an utterance.
_OF_AN_UTTERANCE = ("voice", "speaking_rate", "noise_scale", "noise_scale_duration")


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
        folder = find_folder(spec.checkpoint, spec.revision)
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
        seed_torch(self._seed)
        sounds = [speaker.say(piece, settings) for piece in _sayable(speaker, text)]
        # Bark's decoder is not bounded. What is no number stays none.
        samples = np.clip(np.concatenate(sounds), -1.0, 1.0)
        return Speech(Audio(samples.astype(np.float32, copy=False), speaker.rate))

    def close(self) -> None:
        del self._speaker

    @classmethod
    def cached(cls, checkpoint: str, revision: str | None) -> bool | None:
        try:
            folder = find_folder(checkpoint, revision)
            if model_type(folder) == SpeechT5.kind and not hub.is_local(checkpoint):
                find_folder(cls.options["vocoder"], cls.options["vocoder_revision"])
        except ModelError:
            return False
        except ImportError:
            return None
        return True

    @classmethod
    def download(cls, checkpoint: str, revision: str | None) -> str:
        """With SpeechT5 also the vocoder that it has by default."""
        folder = _download(checkpoint, revision)
        if model_type(Path(folder)) == SpeechT5.kind:
            _download(cls.options["vocoder"], cls.options["vocoder_revision"])
        return folder


def _download(checkpoint: str, revision: str | None) -> str:
    folder = hub.download(checkpoint, revision, patterns=FILES)
    if not has_any(Path(folder), WEIGHTS):
        folder = hub.download(checkpoint, revision, patterns=(*FILES, *PICKLES))
    if not has_any(Path(folder), (*WEIGHTS, *PICKLES)):
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
        if value is not None and not (is_number(value) and low <= value <= 10):
            raise _bad(options, name, f"a number from {low:g} to 10")
    if not (is_number(options["max_seconds"]) and 0 < options["max_seconds"] <= 600):
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
    vector = isinstance(voice, list | tuple) and bool(voice) and all(map(is_number, voice))
    if not (voice is None or is_index(voice) or _is_name(voice) or vector):
        raise _bad(options, "voice", "the number or name of a voice, a path, or a list of numbers")


def _bad(options: Options, name: str, expected: str) -> ModelError:
    return ModelError(f"option {name}: {options[name]!r} is not {expected}")


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


def _overridden(parts: Parts, voice: Options) -> Options:
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


def _load(folder: Path, spec: LoadSpec, options: Options) -> Speaker:
    transformers: Any = importlib.import_module("transformers")
    transformers.utils.logging.disable_progress_bar()
    name = spec.checkpoint
    kind = model_type(folder)
    speaker = SPEAKERS.get(kind)
    if speaker is None:
        raise ModelError(
            f"{name}: a model of type {kind!r} is not run as text to speech here. "
            f"Types that are: {', '.join(SPEAKERS)}"
        )
    _check_fit(kind, name, options)
    speaker.prepare(name)
    with told(name, "config.json"):
        config = transformers.AutoConfig.from_pretrained(folder, **LOCAL)
    with told(name, "the tokenizer"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **LOCAL)
    speaker.check_tokenizer(tokenizer, config, name)
    model = load_model(getattr(transformers, speaker.library), folder, name, options)
    parts = Parts(kind, name, model.to(spec.device).eval(), tokenizer, options, folder)
    return speaker(parts)


# Text


def _sayable(speaker: Speaker, text: str) -> list[Piece]:
    """The pieces of a text of which something remains. Raises ModelError where nothing does."""
    found = list(_fitting(speaker, text, speaker.longest))
    if not found:
        raise ModelError(
            f"{speaker.parts.name} cannot speak {short(text)}: its tokenizer knows none of the "
            "letters and digits in it"
        )
    if lost := {part for piece in found for part in piece.unknown}:
        log.warning("unknown in %s: %s", short(text), " ".join(sorted(lost)))
    return found


def _fitting(speaker: Speaker, text: str, longest: int) -> Iterator[Piece]:
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


# Speaking


ADAPTER = TransformersTts
