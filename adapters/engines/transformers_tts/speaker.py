"""What all kinds of checkpoints share: their files, and speech piece by piece."""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from adapters.engines.shared import hub
from adapters.engines.shared.transformers_checkpoint import check_weights, has_any, told
from adapters.interface import ModelError, Options, Samples

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


def check_count(count: int, size: int, name: str) -> None:
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
        check_count(len(tokenizer), config.vocab_size, name)

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


def samples_of(waveform: Any) -> Samples:
    samples: Samples = waveform.float().cpu().numpy().reshape(-1)
    return samples


def piece_of(tokenizer: Any, text: str, *, eos: bool) -> Piece:
    """A piece of text whose unknown parts have a token too."""
    tokens: list[str] = tokenizer.tokenize(text)
    ids: list[int] = tokenizer.convert_tokens_to_ids(tokens)
    unknown = tokenizer.unk_token_id
    known = [token for token, id_ in zip(tokens, ids, strict=True) if id_ != unknown]
    lost = [token for token, id_ in zip(tokens, ids, strict=True) if id_ == unknown]
    return Piece(text, [*ids, tokenizer.eos_token_id] if eos else ids, "".join(known), lost)
