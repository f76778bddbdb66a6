"""transformers: whatever speech recognition checkpoint the library loads.

Four kinds, told apart by the checkpoint's configuration: Whisper and its likes, CTC
models (wav2vec2, HuBERT, WavLM, Parakeet-CTC), transducers (Parakeet-RNNT, -TDT) and
plain sequence-to-sequence models (Moonshine, Speech2Text).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from adapters.engines.shared import hub
from adapters.engines.shared.languages import ROW
from adapters.engines.shared.transformers_checkpoint import check_weights, has_any, is_number, told
from adapters.engines.transformers_asr.ctc import Ctc
from adapters.engines.transformers_asr.recognizer import RATE, SHORTEST, Parts, Recognizer
from adapters.engines.transformers_asr.seq2seq import Generator
from adapters.engines.transformers_asr.whisper import Whisper
from adapters.interface import Adapter, Audio, LoadSpec, ModelError, Options, Samples, Transcript

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


_SEQ2SEQ = ("moonshine", "speech_to_text", "speech-encoder-decoder")
_TRANSDUCERS = ("parakeet_rnnt", "parakeet_tdt")

_ALWAYS = {"compute_type", "chunk_seconds", "attn_implementation", "trust_remote_code"}
_TAKES: Mapping[str, set[str]] = {
    "ctc": {*_ALWAYS, "batch_size", "word_timestamps"},
    "transducer": _ALWAYS,
    "seq2seq": {*_ALWAYS, "beam_size", "temperature", "max_new_tokens"},
}


class TransformersAsr(Adapter):
    """Speech recognition with transformers on torch.

    An option that the checkpoint's kind does not know is refused, unless it has its default.

    language: Whisper's code or name of a language; "row" is each row's own, "auto" and None let
    it find out.
    task: "transcribe", or "translate" into English (Whisper).
    beam_size: 1 is greedy. CTC models and transducers are always greedy, without a language model.
    temperature: above 0 samples, seeded anew for every utterance. A list is Whisper's
    fallback: the next one is taken where `compression_ratio_threshold` (of the token ids, as the
    library does it, not of the text) or `logprob_threshold` says that a window failed.
    no_speech_threshold: with logprob_threshold, windows thought to be silent are left out.
    condition_on_previous_text: Whisper's windows see the text before them.
    without_timestamps: Whisper's utterances of up to 30 s are decoded without timestamp tokens;
    None: with them, where the checkpoint has any. Longer ones need them to move on, so they
    always have them, as have `word_timestamps`.
    The thresholds' and timestamps' defaults are those of the other two engines for Whisper, where
    1.35 is for tokens what 2.4 is for text; models of other kinds have no use for them.
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
    whisper_form = "transformers"
    options: ClassVar[Options] = {
        "language": None,
        "task": "transcribe",
        "beam_size": 1,
        "temperature": 0.0,
        "compression_ratio_threshold": 1.35,
        "logprob_threshold": -1.0,
        "no_speech_threshold": 0.6,
        "condition_on_previous_text": False,
        "without_timestamps": None,
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
        self._by_row = options["language"] == ROW
        self._recognizer = _load(folder, spec, options)
        self.most_at_once = self._recognizer.most_at_once()
        self.languages = self._recognizer.languages

    def transcribe(self, audio: Audio) -> Transcript:
        if len(audio.samples) == 0:
            return Transcript("")
        self._recognizer.expect(audio)
        return self._recognizer.hear(_long_enough(audio))

    def transcribe_batch(self, audios: Sequence[Audio]) -> list[Transcript]:
        heard = [Transcript("") for _ in audios]
        # In one call all are in one language.
        spoken = {audio.language for audio in audios}
        for language in spoken if self._by_row else (None,):
            places = [
                place
                for place, audio in enumerate(audios)
                if len(audio.samples) and (not self._by_row or audio.language == language)
            ]
            if places:
                self._recognizer.expect(audios[places[0]])
            sounds = [_long_enough(audios[place]) for place in places]
            for place, transcript in zip(places, self._recognizer.hear_each(sounds), strict=True):
                heard[place] = transcript
        return heard

    def transcribe_unbatched(self, audio: Audio) -> Transcript:
        recognizer = self._recognizer
        batched = recognizer.options
        recognizer.options = {**batched, "batch_size": 1}
        try:
            return self.transcribe(audio)
        finally:
            recognizer.options = batched

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
        if not has_any(Path(folder), _FILES[-2:]):
            folder = hub.download(checkpoint, revision, patterns=(*_FILES, *_PICKLES))
        if not has_any(Path(folder), (*_FILES[-2:], *_PICKLES)):
            raise ModelError(f"{checkpoint}: the hub has no weights that transformers reads")
        return folder


def _long_enough(audio: Audio) -> Samples:
    samples = np.ascontiguousarray(audio.samples, dtype=np.float32)
    return np.pad(samples, (0, max(0, SHORTEST - len(samples))))


def _find(checkpoint: str, revision: str | None) -> Path:
    """The folder of a checkpoint with configuration and weights. Raises ModelError."""
    folder = hub.folder(checkpoint, revision, patterns=(*_FILES, *_PICKLES))
    if not has_any(folder, (*_FILES[-2:], *_PICKLES)):
        raise ModelError(
            f"{folder}: the checkpoint is not whole (no model.safetensors or pytorch_model.bin)"
        )
    return folder


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
        if options[name] is None and TransformersAsr.options[name] is None:
            continue
        if not isinstance(options[name], bool):
            raise _bad(options, name, "true or false")
    for name in ("beam_size", "batch_size"):
        if not _is_count(options[name]):
            raise _bad(options, name, "a whole number from 1")
    if options["max_new_tokens"] is not None and not _is_count(options["max_new_tokens"]):
        raise _bad(options, "max_new_tokens", "a whole number from 1")
    if options["chunk_seconds"] is not None and not (
        is_number(options["chunk_seconds"]) and options["chunk_seconds"] >= 1
    ):
        raise _bad(options, "chunk_seconds", "a number of seconds from 1")
    for name in ("compression_ratio_threshold", "logprob_threshold", "no_speech_threshold"):
        if options[name] is not None and not is_number(options[name]):
            raise _bad(options, name, "a number")
    heat = options["temperature"]
    steps = heat if isinstance(heat, list | tuple) else [heat]
    if not steps or not all(is_number(step) and 0 <= step <= 2 for step in steps):
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


# Loading


def _load(folder: Path, spec: LoadSpec, options: Options) -> Recognizer:
    transformers: Any = importlib.import_module("transformers")
    transformers.utils.logging.disable_progress_bar()
    local: dict[str, Any] = {
        "local_files_only": True,
        "trust_remote_code": options["trust_remote_code"],
    }
    name = spec.checkpoint
    with told(name, "config.json"):
        config = transformers.AutoConfig.from_pretrained(folder, **local)
    kind, auto = _kind(config, name, options)
    _check_fit(kind, name, options)
    with told(name, "the tokenizer"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **local)
    _check_tokenizer(tokenizer, config, name)
    with told(name, "preprocessor_config.json"):
        extractor = transformers.AutoFeatureExtractor.from_pretrained(folder, **local)
    if extractor.sampling_rate != RATE:
        raise ModelError(
            f"{name}: the model wants {extractor.sampling_rate} Hz, and speech "
            f"recognition gets {RATE} Hz here"
        )
    with told(name, "the weights"):
        model, report = getattr(transformers, auto).from_pretrained(
            folder,
            config=config,
            dtype=options["compute_type"],
            attn_implementation=options["attn_implementation"],
            weights_only=True,  # a pickle may hold arrays, nothing that runs
            output_loading_info=True,
            **local,
        )
    check_weights(model, report, name)
    model = model.to(spec.device).eval()
    parts = Parts(kind, name, model, tokenizer, extractor, options, spec.seed)
    return {"whisper": Whisper, "ctc": Ctc}.get(kind, Generator)(parts)


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


# Hearing


ADAPTER = TransformersAsr
