"""faster-whisper: Whisper on CTranslate2, without torch."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np

from adapters import hub
from adapters.interface import (
    Adapter,
    Audio,
    LoadSpec,
    ModelError,
    Options,
    Restriction,
    Samples,
    Transcript,
    Word,
)
from adapters.whisper_options import check_language, check_values, checked_options, one_line

_COMPUTE_TYPES = (
    "float32",
    "float16",
    "bfloat16",
    "int8",
    "int8_float32",
    "int8_float16",
    "int8_bfloat16",
)
_RATE = 16_000
_CONTEXT = 448
#: The mel of longer audio is computed in pieces of this many frames (60 s).
_PIECE_FRAMES = 6000
#: Frames of 512 samples that the voice detector sees at once (64 s).
_VOICE_FRAMES = 2000
#: What the library itself fetches of a repository.
_PATTERNS = (
    "config.json",
    "preprocessor_config.json",
    "model.bin",
    "tokenizer.json",
    "vocabulary.*",
)
_REQUIRED = ("config.json", "model.bin", "tokenizer.json")
#: Options that the batched way of decoding has no use for, with what they must be there.
_SEQUENTIAL: Mapping[str, Sequence[Any]] = {
    "temperature": (0, [0], (0,)),
    "condition_on_previous_text": (False,),
    "compression_ratio_threshold": (2.4, None),
    "logprob_threshold": (-1.0, None),
    "no_speech_threshold": (0.6, None),
}


#: A part of the audio, its first sample and the one after its last, as the library has it.
Stretch: TypeAlias = dict[str, int]


class FasterWhisper(Adapter):
    """Whisper checkpoints in CTranslate2's format.

    checkpoint: a folder, a size that the library knows ("tiny" ... "large-v3", "turbo",
    "distil-large-v3"), or OWNER/NAME on the Hugging Face hub.
    batch_size: 1 decodes one window after another, each where the one before ended; more
    decodes that many windows at once, cut at fixed places, or between stretches of speech
    with vad_filter. Fallback, the thresholds and condition_on_previous_text are for 1 alone.
    without_timestamps: None is the library's way: with timestamps one by one, since the next
    window starts at the last of them; without in batches, where text after it would be lost.
    temperature: a number, or a list of them: the next is tried where a window's text repeats
    itself or is unlikely. CTranslate2 seeds its generator once in a process, so what is
    sampled (above 0) is the same in every run that makes the same calls in the same order.
    max_new_tokens: tokens a window may give; None leaves it to the model (224).
    chunk_length: seconds of a window, None for 30.

    An hour of audio takes, beside itself and the model: 115 MB for a spectrogram of 80 bands,
    with vad_filter 230 MB more for the speech, cut out. Batches take what one of them does.
    """

    extra = "faster-whisper"
    modules = ("faster_whisper",)
    devices = ("cuda", "cpu")
    restrictions = (
        Restriction(
            "cpu",
            "compute_type",
            ("float16", "bfloat16", "int8_float16", "int8_bfloat16"),
            "CTranslate2 computes in float32, int8 and int8_float32 on CPUs",
        ),
    )
    device_memory = "nvml"
    batches = True
    timestamps = "word"
    options: ClassVar[Options] = {
        "language": None,
        "beam_size": 1,
        "best_of": 5,
        "temperature": 0.0,
        "compute_type": "float32",
        "without_timestamps": None,
        "condition_on_previous_text": False,
        "vad_filter": False,
        "vad_parameters": None,
        "word_timestamps": False,
        "max_new_tokens": None,
        "batch_size": 1,
        "chunk_length": None,
        "compression_ratio_threshold": 2.4,
        "logprob_threshold": -1.0,
        "no_speech_threshold": 0.6,
        "initial_prompt": None,
        "hotwords": None,
    }

    def load(self, spec: LoadSpec) -> None:
        options = checked_options(self, spec, _COMPUTE_TYPES)
        _check_together(options)
        from faster_whisper import BatchedInferencePipeline, WhisperModel

        folder = _folder(spec.checkpoint, spec.revision)
        self.loaded_from = str(folder)
        device, _, index = spec.device.partition(":")
        try:
            model = WhisperModel(
                str(folder),
                device=device,
                device_index=int(index or 0),
                compute_type=options.pop("compute_type"),
                cpu_threads=spec.threads,
                num_workers=1,
                local_files_only=True,
            )
        except Exception as error:  # tokenizers raises nothing more special
            raise ModelError(f"faster-whisper cannot load {folder}: {one_line(error)}") from error
        _check_parts(folder, model)
        languages = [
            code
            for code in model.supported_languages
            if model.hf_tokenizer.token_to_id(f"<|{code}|>") is not None
        ]
        check_language(
            options["language"], languages, multilingual=bool(model.model.is_multilingual)
        )
        model.model = _Limited(model.model, options.pop("max_new_tokens"))
        model.feature_extractor = _MelInPieces(model.feature_extractor)
        self._batch_size: int = options.pop("batch_size")
        self._chunk_seconds: int | None = options.pop("chunk_length")
        self._vad: bool = options.pop("vad_filter")
        self._vad_parameters: dict[str, Any] | None = options.pop("vad_parameters")
        options["log_prob_threshold"] = options.pop("logprob_threshold")
        if options["without_timestamps"] is None:
            options["without_timestamps"] = self._batch_size > 1
        self._decode = options
        self._seed = spec.seed
        self._model = model
        self._pipeline = BatchedInferencePipeline(model)

    def transcribe(self, audio: Audio) -> Transcript:
        import ctranslate2

        if len(audio.samples) == 0:
            return Transcript("")
        ctranslate2.set_random_seed(self._seed)
        stretches = self._speech(audio.samples) if self._vad else None
        if self._batch_size > 1:
            heard, language = self._in_batches(audio.samples, stretches)
        else:
            heard, language = self._in_turn(audio.samples, stretches)
        words = tuple(
            Word(w.word.strip(), float(w.start), float(w.end))
            for segment in heard
            for w in segment.words or ()
        )
        return Transcript("".join(s.text for s in heard).strip(), language, words)

    def close(self) -> None:
        del self._pipeline, self._model

    @classmethod
    def check(cls, options: Options) -> None:
        check_values(cls.options, options, _COMPUTE_TYPES)
        _check_together(options)

    @classmethod
    def cached(cls, checkpoint: str, revision: str | None) -> bool | None:
        try:
            repository = _repository(checkpoint)
        except ImportError:
            return None
        except ModelError:
            return False
        return hub.cached(repository, revision, required=_REQUIRED, patterns=_PATTERNS)

    @classmethod
    def download(cls, checkpoint: str, revision: str | None) -> str:
        return hub.download(
            _repository(checkpoint), revision, required=_REQUIRED, patterns=_PATTERNS
        )

    def _speech(self, samples: Samples) -> list[Stretch]:
        """The stretches of the audio in which somebody speaks, by the library's detector."""
        from faster_whisper.vad import VadOptions, get_speech_timestamps

        given = self._vad_parameters
        if self._batch_size > 1:
            # The library's defaults for batches: stretches of speech that fit a window.
            parameters = dict(given) if given is not None else {"min_silence_duration_ms": 160}
            parameters["max_speech_duration_s"] = self._chunk_seconds or 30
        else:
            parameters = dict(given or {})
        with _voice_in_pieces():
            found: list[Stretch] = get_speech_timestamps(samples, VadOptions(**parameters))
        return found

    def _in_turn(
        self, samples: Samples, stretches: list[Stretch] | None
    ) -> tuple[list[Any], str | None]:
        """The segments, window by window, and the language.

        Speech is cut out and laid end to end as vad_filter of the library does, which takes
        three copies of the audio for it.
        """
        from faster_whisper.transcribe import restore_speech_timestamps

        if stretches is not None:
            if not stretches:
                return [], self._decode["language"]
            samples = _joined(samples, stretches)
        segments, info = self._model.transcribe(
            samples, chunk_length=self._chunk_seconds, **self._decode
        )
        if stretches is not None:
            segments = restore_speech_timestamps(segments, stretches, _RATE)
        # The generator does the work: it must be consumed inside the caller's timer.
        return list(segments), info.language

    def _in_batches(
        self, samples: Samples, stretches: list[Stretch] | None
    ) -> tuple[list[Any], str | None]:
        """The segments of all windows, `batch_size` at a time, and the language.

        The library would compute the features of all windows first; handed over batch
        by batch they take as much memory for an hour as for a minute.
        """
        from faster_whisper.transcribe import restore_speech_timestamps

        heard: list[Any] = []
        decode = dict(self._decode)
        windows = _windows(len(samples), stretches, (self._chunk_seconds or 30) * _RATE)
        for first in range(0, len(windows), self._batch_size):
            batch = windows[first : first + self._batch_size]
            inside = [stretch for window in batch for stretch in window]
            segments, info = self._pipeline.transcribe(
                _joined(samples, inside),
                batch_size=self._batch_size,
                vad_filter=False,
                clip_timestamps=_clips(batch),
                **decode,
            )
            heard += restore_speech_timestamps(segments, inside, _RATE)
            decode["language"] = info.language
        return heard, decode["language"]


def _windows(samples: int, stretches: list[Stretch] | None, longest: int) -> list[list[Stretch]]:
    """What is decoded as one: stretches that have at most `longest` samples together."""
    if stretches is None:
        starts = range(0, samples, longest)
        return [[{"start": start, "end": min(start + longest, samples)}] for start in starts]
    windows: list[list[Stretch]] = []
    room = 0
    for stretch in stretches:
        length = stretch["end"] - stretch["start"]
        if length > room:
            windows.append([])
            room = longest
        windows[-1].append(stretch)
        room -= length
    return windows


def _joined(samples: Samples, stretches: Iterable[Stretch]) -> Samples:
    return np.concatenate([samples[s["start"] : s["end"]] for s in stretches])


class _Limited:
    """CTranslate2's model, giving at most as many new tokens a window as it is told to.

    It generates min(max_length // 2, max_length - prompt + 1) tokens, and faster-whisper
    counts the prompt another way, so that neither's limit is a number of tokens.
    """

    def __init__(self, model: Any, most: int | None) -> None:
        self._model = model
        self._most = most

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def generate(self, features: Any, prompts: list[list[int]], **options: Any) -> Any:
        prompt = max(len(prompt) for prompt in prompts)
        if prompt >= _CONTEXT:
            raise ModelError(
                f"the prompt takes {prompt} of the model's {_CONTEXT} tokens: shorten hotwords "
                "or initial_prompt"
            )
        if self._most is not None:
            wanted = max(2 * self._most, self._most + prompt - 1)
            options["max_length"] = min(wanted, _CONTEXT)
        return self._model.generate(features, prompts, **options)


class _MelInPieces:
    """The library's feature extractor, whose memory beside the features does not grow.

    The spectrum of an hour takes 15 times the memory of its mel; in pieces, with the
    one normalization that spans them all, the features are the same.
    """

    def __init__(self, extractor: Any) -> None:
        self._extractor = extractor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._extractor, name)

    def __call__(
        self, waveform: Samples, padding: int = 160, chunk_length: int | None = None
    ) -> Any:
        inner = self._extractor
        if len(waveform) <= _PIECE_FRAMES * inner.hop_length or padding != inner.hop_length:
            return inner(waveform, padding, chunk_length)
        # It keeps the length of its windows, which is all that this is for.
        inner(waveform[: inner.hop_length], padding, chunk_length)
        half = inner.n_fft // 2
        window = np.hanning(inner.n_fft + 1)[:-1].astype(np.float32)
        frames = (len(waveform) + padding) // inner.hop_length
        mel: Samples = np.empty((len(inner.mel_filters), frames), np.float32)
        for first in range(0, frames, _PIECE_FRAMES):
            last = min(first + _PIECE_FRAMES, frames)
            start = first * inner.hop_length - half
            stop = (last - 1) * inner.hop_length + half
            piece = waveform[max(0, start) : stop]
            # Mirrored at the beginning, zeros at the end, as the library has it.
            piece = np.pad(piece, (max(0, -start), 0), mode="reflect")
            piece = np.pad(piece, (0, stop - start - len(piece)))
            spectrum = inner.stft(
                piece,
                inner.n_fft,
                inner.hop_length,
                window=window,
                center=False,
                return_complex=True,
            ).astype(np.complex64)
            power = inner.mel_filters @ (np.abs(spectrum) ** 2)
            mel[:, first:last] = np.log10(np.clip(power, 1e-10, None))
        np.maximum(mel, np.max(mel) - 8.0, out=mel)
        mel += 4.0
        mel /= 4.0
        return mel


@contextmanager
def _voice_in_pieces() -> Iterator[None]:
    """The library with its voice detector fed in pieces, for the time of a call."""
    vad: Any = importlib.import_module("faster_whisper.vad")
    library = vad.get_vad_model
    vad.get_vad_model = lambda: partial(_voice, library().session)
    try:
        yield
    finally:
        vad.get_vad_model = library


def _voice(session: Any, padded: Samples) -> Samples:
    """The probability of speech in each frame of 512 samples, shape (frames, 1).

    What the library computes, without its two more copies of the audio: Silero's network
    sees each frame behind the last 64 samples of the one before, and carries its state on.
    """
    frames = padded.reshape(-1, 512)
    frames[-1, -64:] = 0  # padding, mostly; the library does so
    before = np.zeros((1, 64), np.float32)
    hidden = cell = np.zeros((1, 1, 128), np.float32)
    heard = []
    for first in range(0, len(frames), _VOICE_FRAMES):
        block = frames[first : first + _VOICE_FRAMES]
        behind = np.concatenate([before, block[:-1, -64:]])
        output, hidden, cell = session.run(
            None, {"input": np.concatenate([behind, block], axis=1), "h": hidden, "c": cell}
        )
        heard.append(output)
        before = block[-1:, -64:]
    return np.concatenate(heard)


def _clips(windows: Iterable[Iterable[Stretch]]) -> list[dict[str, float]]:
    """The windows' places, in seconds, when they are laid end to end."""

    def places() -> Iterator[dict[str, float]]:
        start = 0
        for window in windows:
            end = start + sum(stretch["end"] - stretch["start"] for stretch in window)
            # The library cuts off what follows the whole sample, so not exactly on it.
            yield {"start": (start + 0.5) / _RATE, "end": (end + 0.5) / _RATE}
            start = end

    return list(places())


def _check_together(options: Mapping[str, Any]) -> None:
    """Raise ModelError for options that would be recorded and not honoured."""
    parameters = options["vad_parameters"]
    batched = options["batch_size"] > 1
    if parameters is not None:
        if not options["vad_filter"]:
            raise ModelError("option vad_parameters needs vad_filter: true")
        from dataclasses import fields

        from faster_whisper.vad import VadOptions

        names = {field.name for field in fields(VadOptions)}
        if batched:
            names.remove("max_speech_duration_s")  # the window's length there
        for name, value in parameters.items():
            if name not in names:
                raise ModelError(
                    f"option vad_parameters: no {name!r} "
                    f"{'in batches' if batched else ''}. There are: {', '.join(sorted(names))}"
                )
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ModelError(f"option vad_parameters: {name}: {value!r} is not a number")
    if batched:
        for name, possible in _SEQUENTIAL.items():
            if options[name] not in possible:
                raise ModelError(
                    f"option {name}: {options[name]!r} has no effect with batch_size "
                    f"{options['batch_size']}: faster-whisper decodes batches without it"
                )


def _repository(checkpoint: str) -> str:
    """The hub's OWNER/NAME for a size that the library knows; a path stays as it is."""
    if hub.is_local(checkpoint) or "/" in checkpoint:
        return checkpoint
    from faster_whisper.utils import _MODELS

    if checkpoint not in _MODELS:
        raise ModelError(
            f"{checkpoint}: no such folder, and faster-whisper knows no model of that name. "
            f"It knows: {', '.join(_MODELS)}"
        )
    return str(_MODELS[checkpoint])


def _folder(checkpoint: str, revision: str | None) -> Path:
    repository = _repository(checkpoint)
    if not hub.is_local(repository):
        return hub.folder(repository, revision, required=_REQUIRED, patterns=_PATTERNS)
    folder = hub.folder(repository, revision, required=())
    # Without tokenizer.json faster-whisper asks a hub for one.
    for name in _REQUIRED:
        if not (folder / name).is_file():
            raise ModelError(
                f"{folder}: not a CTranslate2 Whisper checkpoint (no {name}). Convert one with "
                "ct2-transformers-converter --copy_files tokenizer.json preprocessor_config.json"
            )
    return folder


def _check_parts(folder: Path, model: Any) -> None:
    """That weights, tokenizer and features belong together, which the library takes for granted."""
    preprocessor = folder / "preprocessor_config.json"
    if preprocessor.is_file():
        try:
            json.loads(preprocessor.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ModelError(f"{preprocessor} cannot be read: {one_line(error)}") from error
    bands, wanted = len(model.feature_extractor.mel_filters), int(model.model.n_mels)
    if bands != wanted:
        raise ModelError(
            f"{folder}: the weights want {wanted} mel bands and preprocessor_config.json "
            f"{'says' if preprocessor.is_file() else 'is missing, which means'} {bands}"
        )
    vocabulary = _vocabulary(folder)
    for token in ("<|startoftranscript|>", "<|transcribe|>", "<|notimestamps|>"):
        number = model.hf_tokenizer.token_to_id(token)
        if number is None or (vocabulary and vocabulary[number : number + 1] != [token]):
            raise ModelError(
                f"{folder}: tokenizer.json is not the one of these weights ({token} is "
                f"{'not in it' if number is None else 'another token there'})"
            )


def _vocabulary(folder: Path) -> list[str]:
    if (folder / "vocabulary.json").is_file():
        tokens: list[str] = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
        return tokens
    if (folder / "vocabulary.txt").is_file():
        return (folder / "vocabulary.txt").read_text(encoding="utf-8").split("\n")
    return []


ADAPTER = FasterWhisper
