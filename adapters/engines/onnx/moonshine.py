"""Moonshine: small recognizers of one language each, on ONNX Runtime, by their authors' library."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from adapters.engines.shared import hub
from adapters.engines.shared.cpu_affinity import held_to, threads_of_process
from adapters.engines.shared.whisper_options import one_line
from adapters.interface import Adapter, Audio, LoadSpec, ModelError, Options, Transcript

_ARCHITECTURES = ("tiny", "base")
_FILES = ("encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin")
_FORCE = 1  # MOONSHINE_FLAG_FORCE_UPDATE: transcribe now, whatever is new
_SEGMENT_SECONDS = (1.0, 30.0)
_PIECE_SECONDS = 10


class Moonshine(Adapter):
    """Speech recognition with moonshine-voice.

    The checkpoint is a folder of its files, or the library's name of a model, such as base-en,
    which it keeps in a cache of its own. Models that hear a stream are not among them.

    The checkpoint is a folder with encoder_model.ort, decoder_model_merged.ort and tokenizer.bin.
    language: the code of the one that the checkpoint knows, which its files do not say.
    architecture: "tiny" or "base", as the checkpoint is. vad_threshold: from 0 to 1, above
    which the library's Silero detector takes sound for speech; at 0 all of an utterance is one
    piece, however long. segment_seconds: from 1 to 30, the longest piece that is decoded at once.

    Each utterance gets a stream of its own, whose audio is all there before it is decoded. The
    library's `transcribe_without_streaming` goes on with what its detector heard in the call
    before: the same audio gives another text after other audio ("You", "Mm-" before the words).
    Where a piece ends can still differ by a frame of 32 ms; without the detector
    (vad_threshold 0) the order of utterances changes nothing.
    Who speaks is not asked for, which costs time and changes no word. Nothing is drawn.

    The library starts a thread for each CPU and lets nobody choose: on Linux they are bound to as
    many CPUs as the session allows threads (`held_to`); elsewhere they are not held.
    """

    extra = "moonshine"
    modules = ("moonshine_voice",)
    devices = ("cpu",)
    options: ClassVar[Options] = {
        "language": "en",
        "architecture": "tiny",
        "vad_threshold": 0.5,
        "segment_seconds": 15.0,
    }

    @classmethod
    def check(cls, options: Options) -> None:
        unknown = [name for name in options if name not in cls.options]
        if unknown:
            raise ModelError(f"no option {unknown[0]!r}. Options: {', '.join(cls.options)}")
        if not isinstance(options["language"], str) or not options["language"]:
            raise ModelError(f'option language: {options["language"]!r} is not a code as "en"')
        if options["architecture"] not in _ARCHITECTURES:
            raise ModelError(
                f"option architecture: {options['architecture']!r} is none of "
                f"{', '.join(_ARCHITECTURES)}"
            )
        _check_number("vad_threshold", options["vad_threshold"], 0.0, 1.0)
        _check_number("segment_seconds", options["segment_seconds"], *_SEGMENT_SECONDS)

    def load(self, spec: LoadSpec) -> None:
        options = {**self.options, **spec.options}
        self.check(options)
        folder = _folder(spec.checkpoint)
        library: Any = importlib.import_module("moonshine_voice")
        before = threads_of_process()
        try:
            self._transcriber = library.Transcriber(
                model_path=str(folder),
                model_arch=library.string_to_model_arch(options["architecture"]),
                options={
                    "identify_speakers": "false",
                    "return_audio_data": "false",
                    "vad_threshold": options["vad_threshold"],
                    "vad_max_segment_duration": options["segment_seconds"],
                },
            )
        except library.MoonshineError as error:
            raise ModelError(f"moonshine-voice cannot load {folder}: {one_line(error)}") from error
        self._pool = sorted(threads_of_process() - before)
        self._threads = spec.threads
        self.loaded_from = str(folder)
        self._language = str(options["language"])
        self.languages = [self._language]

    def transcribe(self, audio: Audio) -> Transcript:
        if not len(audio.samples):
            return Transcript("")
        piece = _PIECE_SECONDS * audio.sample_rate
        with held_to(self._threads, self._pool), self._stream() as stream:
            for start in range(0, len(audio.samples), piece):  # it makes a number of each sample
                samples = np.clip(audio.samples[start : start + piece], -1.0, 1.0)
                stream.add_audio(samples.tolist(), audio.sample_rate)
            lines = stream.update_transcription(_FORCE).lines
        return Transcript(" ".join(line.text for line in lines).strip(), self._language)

    @classmethod
    def cached(cls, checkpoint: str, revision: str | None) -> bool | None:
        return hub.can_find(lambda: _folder(checkpoint))

    @classmethod
    def download(cls, checkpoint: str, revision: str | None) -> str:
        if hub.is_local(checkpoint):
            raise ModelError(f"{checkpoint} is a local path: there is nothing to download")
        model = _known(checkpoint)
        library: Any = importlib.import_module("moonshine_voice.download")
        try:
            folder, _ = library.download_model_from_info(model)
        except Exception as error:  # of the network, the disk or the server: all end the same way
            raise ModelError(f"{checkpoint} cannot be had: {one_line(error)}") from error
        return str(folder)

    def close(self) -> None:
        # Freeing it ends the process with a segmentation fault in 0.0.49, and so does its
        # finalizer: the memory goes with the process.
        self._transcriber._handle = None

    def __del__(self) -> None:
        if hasattr(self, "_transcriber"):
            self.close()

    @contextmanager
    def _stream(self) -> Iterator[Any]:
        # Updates of its own accord, while audio is added, would be thrown away.
        stream = self._transcriber.create_stream(update_interval=float("inf"))
        stream.start()
        try:
            yield stream
        finally:
            stream.close()


def _folder(checkpoint: str) -> Path:
    """Where a model lies: at its path, or where the library keeps one of its name.

    Raises ModelError where it is not there.
    """
    if hub.is_local(checkpoint) or os.sep in checkpoint:
        folder, what = Path(checkpoint), "the checkpoint is not whole (no {})"
    else:
        files = importlib.import_module("moonshine_voice.download_file")
        place = str(_known(checkpoint)["download_url"]).removeprefix("https://")
        folder = Path(files.get_cache_dir(), place)
        what = (
            "no {}, and nothing is downloaded unasked. Fetch it with: python -m adapters download "
            "NAME-IN-THE-CATALOGUE"
        )
    absent = [name for name in _FILES if not (folder / name).is_file()]
    if absent:
        raise ModelError(f"{folder}: {what.format(absent[0])}")
    return folder


def _known(name: str) -> Any:
    """What the library says of its model of that name. Raises ModelError."""
    library: Any = importlib.import_module("moonshine_voice.download")
    models = [one for entry in library.MODEL_INFO.values() for one in entry["models"]]
    # Those that hear a stream are made of other files.
    known = {one["model_name"]: one for one in models if "streaming" not in one["model_name"]}
    if name not in known:
        raise ModelError(f"moonshine-voice has no model {name!r}; it has {', '.join(known)}")
    return known[name]


def _check_number(name: str, value: Any, least: float, most: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and least <= value <= most):
        raise ModelError(f"option {name}: {value!r} is not a number from {least:g} to {most:g}")


ADAPTER = Moonshine
