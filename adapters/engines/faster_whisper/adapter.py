"""faster-whisper: Whisper on CTranslate2, without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from adapters.engines.faster_whisper.features import MelInPieces, voice_in_pieces
from adapters.engines.faster_whisper.windows import RATE, Batches, Stretch, joined, windows
from adapters.engines.shared import hub
from adapters.engines.shared.languages import language_for
from adapters.engines.shared.whisper_options import (
    check_language,
    check_values,
    checked_options,
    one_line,
)
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

_COMPUTE_TYPES = (
    "float32",
    "float16",
    "bfloat16",
    "int8",
    "int8_float32",
    "int8_float16",
    "int8_bfloat16",
)
_CONTEXT = 448
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


class FasterWhisper(Adapter):
    """Whisper checkpoints in CTranslate2's format.

    checkpoint: a folder, a size that the library knows ("tiny" ... "large-v3", "turbo",
    "distil-large-v3"), or OWNER/NAME on the Hugging Face hub.
    batch_size: 1 decodes one window after another, each where the one before ended; more
    decodes that many windows at once: of several utterances, or of a longer one, which is cut at
    fixed places, or between stretches of speech with vad_filter. Fallback, the thresholds and
    condition_on_previous_text are for 1 alone.
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
        from faster_whisper import WhisperModel

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
        self._language: str | None = options.pop("language")
        self.languages = languages if model.model.is_multilingual else ["en"]
        model.model = _Limited(model.model, options.pop("max_new_tokens"))
        model.feature_extractor = MelInPieces(model.feature_extractor)
        self._batch_size: int = options.pop("batch_size")
        self._chunk_seconds: int | None = options.pop("chunk_length")
        self._vad: bool = options.pop("vad_filter")
        self._vad_parameters: dict[str, Any] | None = options.pop("vad_parameters")
        options["log_prob_threshold"] = options.pop("logprob_threshold")
        stamped = options["without_timestamps"]
        self._in_batches = {**options, "without_timestamps": stamped is not False}
        self._in_turn_options = {**options, "without_timestamps": bool(stamped)}
        self._seed = spec.seed
        self._model = model
        self._batches = Batches(model, self._in_batches, self._batch_size)

    def transcribe(self, audio: Audio) -> Transcript:
        return self._heard(audio, batched=self._batch_size > 1)

    def transcribe_unbatched(self, audio: Audio) -> Transcript:
        return self._heard(audio, batched=False)

    def _heard(self, audio: Audio, *, batched: bool) -> Transcript:
        import ctranslate2

        if len(audio.samples) == 0:
            return Transcript("")
        told = language_for(self._language, audio, self.languages)
        ctranslate2.set_random_seed(self._seed)
        if batched:
            windows = self._windows(audio.samples)
            heard, language = self._batches.of_one(audio.samples, windows, told)
        else:
            heard, language = self._in_turn(audio.samples, told)
        words = tuple(
            Word(w.word.strip(), float(w.start), float(w.end))
            for segment in heard
            for w in segment.words or ()
        )
        return Transcript("".join(s.text for s in heard).strip(), language, words)

    def transcribe_batch(self, audios: Sequence[Audio]) -> list[Transcript]:
        heard = [Transcript("") for _ in audios]
        places: list[int] = []
        sounds: list[Samples] = []
        told: list[str | None] = []
        for place, audio in enumerate(audios):
            found = self._windows(audio.samples) if len(audio.samples) else []
            if len(found) == 1:
                places.append(place)
                sounds.append(joined(audio.samples, found[0]))
                told.append(language_for(self._language, audio, self.languages))
            elif len(audio.samples):
                heard[place] = self.transcribe(audio)
        each = self._batches.of_each(sounds, told)
        for place, (text, language) in zip(places, each, strict=True):
            heard[place] = Transcript(text, language)
        return heard

    def close(self) -> None:
        del self._batches, self._model

    @classmethod
    def batch_of(cls, options: Options) -> int:
        # The library times words by the utterances before them in the batch.
        return 1 if options["word_timestamps"] else int(options["batch_size"])

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

    def _speech(self, samples: Samples, *, batched: bool) -> list[Stretch]:
        """The stretches of the audio in which somebody speaks, by the library's detector."""
        from faster_whisper.vad import VadOptions, get_speech_timestamps

        given = self._vad_parameters
        if batched:
            # The library's defaults for batches: stretches of speech that fit a window.
            parameters = dict(given) if given is not None else {"min_silence_duration_ms": 160}
            parameters["max_speech_duration_s"] = self._chunk_seconds or 30
        else:
            parameters = dict(given or {})
        with voice_in_pieces():
            found: list[Stretch] = get_speech_timestamps(samples, VadOptions(**parameters))
        return found

    def _windows(self, samples: Samples) -> list[list[Stretch]]:
        stretches = self._speech(samples, batched=True) if self._vad else None
        return windows(len(samples), stretches, (self._chunk_seconds or 30) * RATE)

    def _in_turn(self, samples: Samples, told: str | None) -> tuple[list[Any], str | None]:
        """The segments, window by window, and the language, found out where none is told.

        Speech is cut out and laid end to end as vad_filter of the library does, which takes
        three copies of the audio for it.
        """
        from faster_whisper.transcribe import restore_speech_timestamps

        stretches = self._speech(samples, batched=False) if self._vad else None
        if stretches is not None:
            if not stretches:
                return [], told
            samples = joined(samples, stretches)
        segments, info = self._model.transcribe(
            samples, chunk_length=self._chunk_seconds, language=told, **self._in_turn_options
        )
        if stretches is not None:
            segments = restore_speech_timestamps(segments, stretches, RATE)
        # The generator does the work: it must be consumed inside the caller's timer.
        return list(segments), info.language


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
