"""What the harness and a model agree on.

An adapter wraps one engine. It is created, loaded, called and closed inside a
worker process of its own, so it may import whatever its engine needs, but only
inside its methods: this module and the adapter files themselves are imported
by the harness, which must stay light.

Audio is mono float32 in [-1, 1] with its sample rate, always.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Samples: TypeAlias = NDArray[np.float32]
Options: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Audio:
    """Sound as every adapter gets and gives it.

    samples: shape (n,), float32, mono, in [-1, 1].
    sample_rate: in Hz.
    language: the BCP 47 tag of the language that is spoken, where the corpus says it. An engine
    goes by it where its option `language` is "row", and only then.
    """

    samples: Samples
    sample_rate: int
    language: str | None = None

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.sample_rate


@dataclass(frozen=True, slots=True)
class Word:
    """One word with its place in the audio, in seconds from the start."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """What an engine heard: the raw text, never normalized."""

    text: str
    language: str | None = None
    words: Sequence[Word] = ()


@dataclass(frozen=True, slots=True)
class Speech:
    """What an engine said. `words` where the engine tells their times."""

    audio: Audio
    words: Sequence[Word] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a conversation: spoken, written, or both."""

    role: str  # "system", "user" or "assistant"
    text: str | None = None
    audio: Audio | None = None


@dataclass(frozen=True, slots=True)
class ReplyPiece:
    """A piece of a streamed answer, handed over the moment it can be used.

    Text can be shown, audio can be played: an audio token that still needs
    decoding is not a piece yet. heard: as in Reply; no part of the answer, and not timed.
    """

    text: str | None = None
    audio: Audio | None = None
    heard: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An assistant's whole answer.

    heard: the words of the user's last turn that it went by, raw, where it has them in text:
    a system that transcribes first does, one that understands sound itself does not.
    """

    text: str
    audio: Audio | None = None
    heard: str | None = None


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """Everything that decides what a loaded model will do; all of it is recorded.

    checkpoint: a local path, or the name by which the engine knows its model.
    device: resolved already ("cpu", "cuda:0", "mps", "xla"), never "auto".
    threads: CPU threads the engine may use.
    options: decode options of the catalogue entry.
    """

    checkpoint: str
    revision: str | None = None
    device: str = "cpu"
    threads: int = 1
    seed: int = 0
    options: Options = field(default_factory=dict)


class ModelError(Exception):
    """A model cannot do what was asked, in words that tell the user what to do."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """What an engine cannot do on one kind of device, known before anything is loaded.

    device: "cpu", "cuda", "mps" or "xla".
    option: the name of an option; values: those of its values that do not work there.
    why: ends the sentence "OPTION VALUE does not work on DEVICE: ...".
    """

    device: str
    option: str
    values: Sequence[Any]
    why: str


class Engine(Protocol):
    """Where an adapter class lives: an engine of this package, or a Python file elsewhere."""

    @property
    def name(self) -> str: ...
    @property
    def file(self) -> str | None: ...
    def adapter(self) -> type[Adapter]: ...
    def tasks(self) -> tuple[str, ...]: ...


class Adapter(ABC):
    """Base of all adapters. A subclass implements one or more of the protocols below.

    The class attributes are declarations: the harness reads them without
    importing the engine, to say what is installed, what runs where, and what
    to refuse before anything is loaded.
    """

    #: The extra of pyproject.toml that brings the engine; None where it needs none.
    extra: ClassVar[str | None] = None
    #: Requirements (PEP 508) of an engine outside the repo, which has no extra there.
    requirements: ClassVar[Sequence[str]] = ()
    #: Top-level modules that must be importable for the engine to work.
    modules: ClassVar[Sequence[str]] = ()
    #: The lowest Python version that the engine runs on, as "3.12"; None for the harness's own.
    python: ClassVar[str | None] = None
    #: Device kinds the engine can use, best first; ("remote",) where a server does the work.
    devices: ClassVar[Sequence[str]] = ("cpu",)
    #: What it cannot do on one of them.
    restrictions: ClassVar[Sequence[Restriction]] = ()
    #: Whose counters know the memory that it takes on a device: "torch" or "nvml".
    device_memory: ClassVar[str] = "torch"
    #: Options that a catalogue entry may set, with their defaults.
    options: ClassVar[Options] = {}
    #: Options that may name another model of the catalogue, each with its words that name none.
    #: In place of a name, `prepare` gets a mapping with the model's engine, file (None where it
    #: is none of this package), checkpoint, revision and options. A text with a colon is no name.
    components: ClassVar[Mapping[str, Sequence[str]]] = {}
    #: Tasks whose answer comes in pieces, so that first-token and first-audio times are real.
    streams: ClassVar[Sequence[str]] = ()
    #: The form of adapters/weights that a Whisper of CTranslate2 is written in before it loads it.
    whisper_form: ClassVar[str | None] = None
    #: Whether it can work on several windows of audio at once (batch_size says how many).
    batches: ClassVar[bool] = False
    #: Variables of the environment that look like secrets and that it needs; the others of that
    #: kind are kept from its process.
    environment: ClassVar[Sequence[str]] = ()
    #: The finest times it can give with a transcript: "word", "segment" or None.
    timestamps: ClassVar[str | None] = None
    #: The longest audio that it takes, in seconds; None: hours, in bounded memory.
    longest_audio: ClassVar[float | None] = None
    #: Its answers exist already, in the file that is the checkpoint: it is never loaded or asked.
    provided: ClassVar[bool] = False

    #: Set by `load` where the checkpoint is only a name: the path that was really loaded.
    loaded_from: str | None = None
    #: Set by `load` where the checkpoint tells: the codes of the languages that it recognizes.
    languages: Sequence[str] | None = None
    #: Set by `load` where this checkpoint takes fewer utterances at once than `batch_of` says.
    most_at_once: int | None = None

    @abstractmethod
    def load(self, spec: LoadSpec) -> None:
        """Load the checkpoint. Raises ModelError where it cannot be had."""

    def start_over(self) -> None:
        """Forget what earlier answers left behind, so that the next is the same in any order.

        Called before each answer, and not timed: it is what a program that asks only once would
        not do. For engines that draw from a generator that runs on, and can only be made anew.
        """
        return

    def close(self) -> None:
        """Give back what `load` took. The worker process ends afterwards."""
        return

    @classmethod
    def named(cls, checkpoint: str) -> tuple[str, Options]:
        """What a CHECKPOINT of `--model ENGINE:CHECKPOINT` names, and options that it sets."""
        return checkpoint, {}

    @classmethod
    def check(cls, options: Options) -> None:
        """Raise ModelError where an option's value is none, before anything is loaded.

        `options` are complete. The catalogue calls it, so that a mistake is told with
        the file it stands in, and a value that must not be recorded never is.
        """
        return

    @classmethod
    def prepare(cls, options: Options) -> Options:
        """The options as `load` gets them, made by the harness where it can look things up.

        `options` are complete, with mappings for the models that `components` name.
        A value "embedded:..." in the result is unpacked, in mappings at any depth. Raises
        ModelError for what cannot be loaded.
        """
        return options

    @classmethod
    def engines(cls, options: Options) -> Mapping[str, Engine]:
        """The other engines that it loads in the same process, by what they are there for.

        `options` are prepared. They must be installed as well, and their versions are recorded.
        """
        return {}

    @classmethod
    def secrets(cls, options: Options) -> Sequence[str]:
        """The variables of `environment`, and those that options name; `options` are prepared."""
        return cls.environment

    @classmethod
    def batch_of(cls, options: Options) -> int:
        """How many utterances `transcribe_batch` may be given at once; 1: it is never called.

        `options` are complete.
        """
        return 1

    @classmethod
    def cached(cls, checkpoint: str, revision: str | None) -> bool | None:
        """Whether a checkpoint that is not a local path is on this machine; None: unknown.

        Needs the engine's packages at most, never the network.
        """
        return None

    @classmethod
    def download(cls, checkpoint: str, revision: str | None) -> str:
        """Fetch a checkpoint ahead of an offline run; returns where it is.

        Raises ModelError where that fails, or where the engine has nothing to fetch.
        """
        raise ModelError(f"{cls.__name__} has no checkpoints to download")


@runtime_checkable
class Transcriber(Protocol):
    """Speech recognition."""

    def transcribe(self, audio: Audio) -> Transcript | Iterator[str]:
        """The words of one utterance, whole or as pieces of text. `audio` is 16 kHz."""
        ...


@runtime_checkable
class BatchTranscriber(Transcriber, Protocol):
    """Speech recognition of several utterances in one call, where `Adapter.batch_of` allows it."""

    def transcribe_batch(self, audios: Sequence[Audio]) -> Sequence[Transcript]:
        """The words of each utterance, in the order given, as `transcribe` would give them.

        `audios` are 16 kHz, at least one and at most `batch_of`. Where it raises, none of them
        counts as heard: the harness then asks for each alone.
        """
        ...


@runtime_checkable
class Unbatched(Protocol):
    """An engine that can do one window after another where its options say several at once."""

    def transcribe_unbatched(self, audio: Audio) -> Transcript:
        """The words of one utterance as with a batch of one, of utterances and of windows.

        The harness asks it of some utterances, to tell what batching changes. `audio` is 16 kHz.
        """
        ...


@runtime_checkable
class Synthesizer(Protocol):
    """Text to speech."""

    def synthesize(self, text: str, voice: Options | None = None) -> Speech | Iterator[Audio]:
        """One utterance, whole or streamed; `voice` overrides voice options for it alone."""
        ...


@runtime_checkable
class Converser(Protocol):
    """Speech in, speech or text out, over several turns."""

    def reply(self, turns: Sequence[Turn]) -> Reply | Iterator[ReplyPiece]:
        """The assistant's next turn, whole or streamed."""
        ...


#: Task name to the protocol that a model of that task must implement.
PROTOCOLS: Mapping[str, type[Any]] = {
    "asr": Transcriber,
    "tts": Synthesizer,
    "chat": Converser,
}
