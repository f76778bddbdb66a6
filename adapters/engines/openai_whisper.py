"""openai-whisper: the reference implementation of Whisper, on torch."""

from __future__ import annotations

import hashlib
import importlib
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

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
    Transcript,
    Word,
)

_COMPUTE_TYPES = ("float32", "float16")
#: The mel of longer audio is computed in pieces of this many frames (60 s).
_PIECE_FRAMES = 6000


class OpenAIWhisper(Adapter):
    """Whisper checkpoints in OpenAI's own format, one window of 30 s after another.

    checkpoint: a name that the library knows ("tiny" ... "large-v3", "turbo"), a .pt file, or a
    folder of CTranslate2, which the harness turns into one.
    revision: the SHA-256 of the file, as it stands in the library's URL.
    temperature: a number, or a list of them: the next is tried where a window's text repeats
    itself or is unlikely (the two thresholds). Above 0 it samples, from the seed at each call.
    max_new_tokens: tokens a window of 30 s may give; None leaves it to the model (224).
    alignment_heads: [layer, head] pairs for word times; None takes the library's for the
    models it knows, else its guess.
    """

    extra = "whisper"
    modules = ("whisper", "torch")
    devices = ("cuda", "mps", "cpu")
    restrictions = (
        Restriction(
            "cpu", "compute_type", ("float16",), "openai-whisper computes in float32 there"
        ),
    )
    timestamps = "word"
    whisper_form = "openai-whisper"
    options: ClassVar[Options] = {
        "language": None,
        "beam_size": 1,
        "best_of": 5,
        "temperature": 0.0,
        "compute_type": "float32",
        "without_timestamps": False,
        "condition_on_previous_text": False,
        "word_timestamps": False,
        "max_new_tokens": None,
        "compression_ratio_threshold": 2.4,
        "logprob_threshold": -1.0,
        "no_speech_threshold": 0.6,
        "initial_prompt": None,
        "alignment_heads": None,
    }

    def load(self, spec: LoadSpec) -> None:
        options = checked_options(self, spec, _COMPUTE_TYPES)
        import torch
        import whisper
        from whisper.tokenizer import LANGUAGES

        torch.set_num_threads(spec.threads)
        path, known_heads = _find(spec.checkpoint, spec.revision)
        self.loaded_from = str(path)
        try:
            # By its path: load_model would fetch a name again whose file has changed.
            model = whisper.load_model(str(path), device="cpu")
        except pickle.UnpicklingError as error:
            raise ModelError(
                f"{path}: refused: not a checkpoint of weights alone. Python objects in it are "
                "never unpickled, since that runs code"
            ) from error
        except Exception as error:  # whatever a damaged file makes torch say
            raise ModelError(f"openai-whisper cannot load {path}: {one_line(error)}") from error
        _check_dims(path, model.dims)
        languages = list(LANGUAGES)[: model.num_languages]
        check_language(options["language"], languages, multilingual=model.is_multilingual)
        self._language: str | None = options.pop("language")
        self.languages = languages if model.is_multilingual else ["en"]
        heads = options.pop("alignment_heads")
        if heads is not None:
            _set_heads(model, heads)
        elif known_heads is not None:
            model.set_alignment_heads(known_heads)
        if options["word_timestamps"]:
            numba: Any = importlib.import_module("numba")
            numba.set_num_threads(max(1, min(spec.threads, numba.config.NUMBA_NUM_THREADS)))
        temperature = options.pop("temperature")
        temperatures = temperature if isinstance(temperature, list | tuple) else [temperature]
        beam_size = options.pop("beam_size")
        self._samples = any(t > 0 for t in temperatures)
        self._seed = spec.seed
        self._decode: dict[str, Any] = {
            **options,
            "temperature": tuple(float(t) for t in temperatures),
            # One beam is greedy search, which the library has an own and faster way for.
            "beam_size": beam_size if beam_size > 1 else None,
            "fp16": options["compute_type"] == "float16",
            "sample_len": options["max_new_tokens"],
        }
        del self._decode["compute_type"], self._decode["max_new_tokens"]
        self._model = _moved(model, spec.device)

    def transcribe(self, audio: Audio) -> Transcript:
        import torch

        if len(audio.samples) == 0:
            return Transcript("")
        language = language_for(self._language, audio, self.languages)
        if self._samples:
            torch.manual_seed(self._seed)
        # torch warns of memory that it may not write to.
        samples = np.require(audio.samples, np.float32, ["C", "W"])
        with _bounded(on_mps=self._model.device.type == "mps"):
            result = self._model.transcribe(samples, language=language, **self._decode)
        words = tuple(
            Word(word["word"].strip(), float(word["start"]), float(word["end"]))
            for segment in result["segments"]
            for word in segment.get("words", ())
        )
        return Transcript(result["text"].strip(), result["language"], words)

    def close(self) -> None:
        del self._model

    @classmethod
    def check(cls, options: Options) -> None:
        check_values(cls.options, options, _COMPUTE_TYPES)

    @classmethod
    def cached(cls, checkpoint: str, revision: str | None) -> bool | None:
        try:
            import whisper
        except ImportError:
            return None
        if checkpoint not in whisper._MODELS:
            return False
        file, sha = _place(whisper._MODELS[checkpoint])
        return (revision is None or revision == sha) and file.is_file() and _sha256(file) == sha

    @classmethod
    def download(cls, checkpoint: str, revision: str | None) -> str:
        import whisper

        if hub.is_local(checkpoint):
            raise ModelError(f"{checkpoint} is a local path: there is nothing to download")
        url = _url(checkpoint)
        file, sha = _place(url)
        _check_revision(checkpoint, revision, sha)
        try:
            return str(whisper._download(url, str(file.parent), in_memory=False))
        except (OSError, RuntimeError, TypeError) as error:  # TypeError: a reply without a length
            raise ModelError(f"{checkpoint} cannot be downloaded: {one_line(error)}") from error


def _find(checkpoint: str, revision: str | None) -> tuple[Path, bytes | None]:
    """The checkpoint's file, checked, and the alignment heads that the library knows for it."""
    import whisper

    if hub.is_local(checkpoint):
        path = Path(checkpoint)
        if not path.is_file():
            raise ModelError(f"{path}: no such file; a Whisper checkpoint (.pt) is expected there")
        if revision is None:
            return path, None
        _check_revision(str(path), revision, _sha256(path))
        names = [name for name, url in whisper._MODELS.items() if _place(url)[1] == revision]
        return path, whisper._ALIGNMENT_HEADS[names[0]] if names else None
    url = _url(checkpoint)
    path, sha = _place(url)
    _check_revision(checkpoint, revision, sha)
    if not path.is_file():
        raise ModelError(
            f"{checkpoint} is not on this machine ({path}), and nothing is downloaded unasked. "
            "Fetch it with: python -m adapters download NAME-IN-THE-CATALOGUE"
        )
    if _sha256(path) != sha:
        raise ModelError(
            f"{path}: damaged, or not this openai-whisper's {checkpoint} (its SHA-256 differs). "
            "Fetch it again with: python -m adapters download NAME-IN-THE-CATALOGUE"
        )
    return path, whisper._ALIGNMENT_HEADS[checkpoint]


def _url(name: str) -> str:
    import whisper

    if name not in whisper._MODELS:
        raise ModelError(
            f"{name}: no such file, and openai-whisper knows no model of that name. "
            f"It knows: {', '.join(whisper._MODELS)}"
        )
    return str(whisper._MODELS[name])


def _place(url: str) -> tuple[Path, str]:
    """Where the library keeps the file of a URL, and the SHA-256 that the URL holds."""
    root = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(root) / "whisper" / url.rsplit("/", 1)[-1], url.split("/")[-2]


def _check_revision(name: str, revision: str | None, sha: str) -> None:
    if revision is not None and revision != sha:
        raise ModelError(f"{name}: its SHA-256 is {sha} and not the revision asked for, {revision}")


def _sha256(file: Path) -> str:
    stat = file.stat()
    return _sha256_of(str(file), stat.st_size, stat.st_mtime_ns)


@cache
def _sha256_of(file: str, size: int, modified: int) -> str:
    with Path(file).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_dims(path: Path, dims: Any) -> None:
    """What the library would stumble over at the first utterance only."""
    if dims.n_mels not in (80, 128):
        raise ModelError(f"{path}: {dims.n_mels} mel bands; Whisper has 80 or 128")
    if dims.n_audio_ctx != 1500:
        raise ModelError(f"{path}: an audio context of {dims.n_audio_ctx}; Whisper's is 1500")
    if dims.n_vocab not in (51864, 51865, 51866):
        raise ModelError(f"{path}: {dims.n_vocab} tokens; Whisper has 51864, 51865 or 51866")


def _set_heads(model: Any, heads: Any) -> None:
    import torch

    layers, width = model.dims.n_text_layer, model.dims.n_text_head
    mask = torch.zeros(layers, width, dtype=torch.bool)
    for layer, head in heads:
        if layer >= layers or head >= width:
            raise ModelError(
                f"option alignment_heads: no head {[layer, head]}; the model has {layers} layers "
                f"of {width} heads"
            )
        mask[layer, head] = True
    model.register_buffer("alignment_heads", mask.to_sparse(), persistent=False)


def _moved(model: Any, device: str) -> Any:
    """The model on its device; on MPS without its one sparse tensor.

    Sparse tensors came to MPS late (pytorch issue 141711). Whisper reads the positions of
    the alignment heads alone, so they may stay in the host's memory.
    """
    if device.partition(":")[0] != "mps":
        return model.to(device)
    heads = model._buffers.pop("alignment_heads")
    model.to(device)
    model.alignment_heads = heads
    return model


@contextmanager
def _bounded(*, on_mps: bool) -> Iterator[None]:
    """The library with two of its functions replaced for the time of a call.

    The mel of long audio in pieces: the library's takes 20 times the memory of the mel while
    it works. On MPS, the attention comes to the host before it becomes float64, not after.
    """
    # As modules: the package has a function of the first one's name.
    transcribing: Any = importlib.import_module("whisper.transcribe")
    timing: Any = importlib.import_module("whisper.timing")
    mel, dtw = transcribing.log_mel_spectrogram, timing.dtw

    def in_pieces(audio: Any, n_mels: int = 80, padding: int = 0, device: Any = None) -> Any:
        if device is not None or padding < 480 or len(audio) <= _PIECE_FRAMES * 160:
            return mel(audio, n_mels, padding, device)
        return _log_mel(audio, n_mels, padding)

    transcribing.log_mel_spectrogram = in_pieces
    if on_mps:
        timing.dtw = lambda x: dtw(x.cpu())
    try:
        yield
    finally:
        transcribing.log_mel_spectrogram, timing.dtw = mel, dtw


def _log_mel(samples: Any, n_mels: int, padding: int) -> Any:
    """The library's log_mel_spectrogram of samples (n,) and zeros, (n_mels, frames).

    padding: zeros behind the samples; more than a frame, so that what the library
    mirrors at the end is zeros.
    """
    import torch
    import torch.nn.functional as F
    from whisper.audio import HOP_LENGTH, N_FFT, mel_filters

    audio = torch.from_numpy(samples)
    window = torch.hann_window(N_FFT)
    filters = mel_filters(audio.device, n_mels)
    frames = (len(audio) + padding) // HOP_LENGTH
    mel = torch.empty(n_mels, frames)
    for first in range(0, frames, _PIECE_FRAMES):
        last = min(first + _PIECE_FRAMES, frames)
        start = first * HOP_LENGTH - N_FFT // 2
        stop = (last - 1) * HOP_LENGTH + N_FFT // 2
        piece = audio[max(0, start) : max(0, stop)]
        if start < 0:
            piece = F.pad(piece[None], (-start, 0), mode="reflect")[0]
        piece = F.pad(piece, (0, stop - start - len(piece)))
        spectrum = torch.stft(
            piece, N_FFT, HOP_LENGTH, window=window, center=False, return_complex=True
        )
        mel[:, first:last] = torch.clamp(filters @ spectrum.abs() ** 2, min=1e-10).log10()
    torch.maximum(mel, mel.max() - 8.0, out=mel)
    return mel.add_(4.0).div_(4.0)


ADAPTER = OpenAIWhisper
