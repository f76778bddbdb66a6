"""Piper: small VITS voices on ONNX Runtime, with espeak-ng for the phonemes."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from adapters.engines.shared import hub
from adapters.engines.shared.whisper_options import one_line
from adapters.interface import Adapter, Audio, LoadSpec, ModelError, Options, Speech

_SCALES = {"length_scale": (0.1, 10.0), "noise_scale": (0.0, 5.0), "noise_w": (0.0, 5.0)}


class Piper(Adapter):
    """Text to speech with piper-tts, sentence by sentence.

    The checkpoint is a voice's .onnx file with its NAME.onnx.json beside it, or a folder with one:
    a local path, or OWNER/NAME/FOLDER of a repository on the Hugging Face hub.

    speaker: the name or number of one, in voices that have several. length_scale: of all
    durations, above 1 is slower. noise_scale, noise_w: how much of voice and of
    durations is drawn. None: the voice's own. A sentence is as loud as the format allows, which
    is the library's way.

    What is drawn is drawn from the session's seed, anew for each utterance: ONNX Runtime
    seeds a generator where the model is loaded, so that it is loaded again before each
    (`start_over`, which is not timed). A text of which no phoneme is left is a ModelError.
    """

    extra = "piper"
    modules = ("piper",)
    devices = ("cpu",)
    streams = ("tts",)
    options: ClassVar[Options] = {"speaker": None, **dict.fromkeys(_SCALES)}

    @classmethod
    def check(cls, options: Options) -> None:
        _check(options)

    def load(self, spec: LoadSpec) -> None:
        self._options = {**self.options, **spec.options}
        _check(self._options)
        self._file = _voice_file(_folder(spec.checkpoint, spec.revision))
        self._runtime: Any = importlib.import_module("onnxruntime")
        self._library: Any = importlib.import_module("piper")
        self._config = _config(self._library, self._file)
        self._threads, self._seed = spec.threads, spec.seed
        self._used = True
        self._speaker(self._options)
        self.start_over()
        _check_signature(self._voice.session, self._file)
        self.loaded_from = str(self._file.parent if self._file.parent.is_dir() else self._file)

    def start_over(self) -> None:
        """Load the model again, where it has drawn anything since."""
        if not self._used:
            return
        settings = self._runtime.SessionOptions()
        settings.intra_op_num_threads = self._threads
        settings.inter_op_num_threads = 1
        # Of the whole process; the model's generators begin with it when they are made.
        self._runtime.set_seed(self._seed)
        try:
            session = self._runtime.InferenceSession(
                str(self._file), settings, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's errors have no common base but this
            raise ModelError(f"onnxruntime cannot load {self._file}: {one_line(error)}") from error
        self._voice = self._library.PiperVoice(session=session, config=self._config)
        self._used = False

    def synthesize(self, text: str, voice: Options | None = None) -> Speech | Iterator[Audio]:
        """`text` spoken, a piece for each sentence; `voice`: any of the options, for it alone."""
        options = {**self._options, **(voice or {})}
        _check(options)
        settings = self._library.SynthesisConfig(
            speaker_id=self._speaker(options),
            length_scale=options["length_scale"],
            noise_scale=options["noise_scale"],
            noise_w_scale=options["noise_w"],
        )
        if not text.strip():
            return Speech(Audio(np.zeros(0, np.float32), self._config.sample_rate))
        return self._spoken(text, settings)

    def close(self) -> None:
        del self._voice

    @classmethod
    def cached(cls, checkpoint: str, revision: str | None) -> bool | None:
        return hub.can_find(lambda: _voice_file(_folder(checkpoint, revision)))

    @classmethod
    def download(cls, checkpoint: str, revision: str | None) -> str:
        repository, folder = _on_hub(checkpoint)
        found = hub.download(repository, revision, required=(), patterns=_patterns(folder))
        return str(_voice_file(Path(found, folder)).parent)

    def _spoken(self, text: str, settings: Any) -> Iterator[Audio]:
        self._used = True
        empty = True
        try:
            for chunk in self._voice.synthesize(text, settings):
                samples = np.asarray(chunk.audio_float_array, np.float32).reshape(-1)
                empty = False
                yield Audio(np.clip(samples, -1.0, 1.0), int(chunk.sample_rate))
        except (ImportError, RuntimeError, ValueError) as error:
            raise ModelError(f"piper cannot speak {text[:60]!r}: {one_line(error)}") from error
        if empty:
            raise ModelError(f"there is nothing to speak in {text[:60]!r}")

    def _speaker(self, options: Options) -> int | None:
        """The number of the speaker that the options name; None: the voice's first one.

        Raises ModelError where it has no such speaker.
        """
        wanted = options["speaker"]
        if wanted is None:
            return None
        count, names = self._config.num_speakers, self._config.speaker_id_map
        number = names.get(wanted) if isinstance(wanted, str) else wanted
        if number is None or not 0 <= number < count:
            known = f"; names: {', '.join(sorted(names)[:5])}" if names else ""
            raise ModelError(
                f"option speaker: there is no {wanted!r} among the voice's {count}{known}"
            )
        return int(number)


def _check(options: Options) -> None:
    """Raise ModelError for an unknown option, and a value that no voice could use."""
    unknown = [name for name in options if name not in Piper.options]
    if unknown:
        raise ModelError(f"no option {unknown[0]!r}. Options: {', '.join(Piper.options)}")
    speaker = options["speaker"]
    if isinstance(speaker, bool) or not isinstance(speaker, int | str | None) or speaker == "":
        raise ModelError(f"option speaker: {speaker!r} is neither a name nor a number")
    for name, (least, most) in _SCALES.items():
        value = options[name]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (number and math.isfinite(value) and least <= value <= most):
            raise ModelError(f"option {name}: {value!r} is not a number from {least:g} to {most:g}")


def _folder(checkpoint: str, revision: str | None) -> Path:
    """Where a voice lies on this machine. Raises ModelError."""
    if hub.is_local(checkpoint):
        return Path(checkpoint)
    repository, folder = _on_hub(checkpoint)
    found = hub.folder(repository, revision, required=(), patterns=_patterns(folder))
    return found / folder


def _on_hub(checkpoint: str) -> tuple[str, str]:
    """The repository and the folder in it. Raises ModelError."""
    owner, _, rest = checkpoint.partition("/")
    name, _, folder = rest.partition("/")
    if not folder:
        raise ModelError(
            f"{checkpoint}: a voice is expected, as a path of this machine or as OWNER/NAME/FOLDER "
            "of a repository with one folder for each voice"
        )
    return f"{owner}/{name}", folder


def _patterns(folder: str) -> Sequence[str]:
    return (f"{folder}/*.onnx", f"{folder}/*.onnx.json")


def _voice_file(checkpoint: Path) -> Path:
    """The .onnx file of a voice. Raises ModelError where there is none, or no .json beside it."""
    file = checkpoint
    if checkpoint.is_dir():
        found = sorted(checkpoint.glob("*.onnx"))
        if len(found) != 1:
            raise ModelError(f"{checkpoint}: one .onnx file is expected, there are {len(found)}")
        file = found[0]
    for part in (file, Path(f"{file}.json")):
        if not part.is_file():
            raise ModelError(f"{checkpoint}: the voice is not whole (no {part})")
    return file


def _config(library: Any, file: Path) -> Any:
    config = Path(f"{file}.json")
    try:
        with config.open(encoding="utf-8") as text:
            return library.PiperConfig.from_dict(json.load(text))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{config}: no configuration of a Piper voice: {one_line(error)}"
        ) from error


def _check_signature(session: Any, file: Path) -> None:
    """Another model would fail in the middle of the first utterance."""
    names = {given.name for given in session.get_inputs()}
    if not {"input", "input_lengths", "scales"} <= names:
        raise ModelError(f"{file} is no Piper voice: its inputs are {', '.join(sorted(names))}")


ADAPTER = Piper
