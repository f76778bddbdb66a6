"""kokoro-onnx: the Kokoro voices on ONNX Runtime, with espeak-ng for the phonemes."""

from __future__ import annotations

import importlib
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from adapters.engines.shared import hub
from adapters.engines.shared.whisper_options import one_line
from adapters.interface import Adapter, Audio, LoadSpec, ModelError, Options, Speech

_STYLE = 256  # numbers of a voice, for every count of phonemes
_FILES = ("config.json", "onnx/model.onnx", "voices/*.bin")
_OF_AN_UTTERANCE = ("voice", "speed", "language")


class KokoroOnnx(Adapter):
    """Text to speech with kokoro-onnx.

    The checkpoint is a folder: onnx/model.onnx and voices/NAME.bin (as on the hub), or one .onnx
    file and one voices*.bin with all voices (as the package's authors release them).

    voice: the name of one. speed: from 0.5 to 2, of the model's own. language: espeak-ng's code of
    it; the voices of a language begin with its letter ("a" for en-us, "b" for en-gb).

    Nothing is drawn: a text always sounds the same. Long text is spoken in pieces of up to 510
    phonemes, without the silence around them. What the model has no sign for is left out; text of
    which nothing remains is a ModelError, blank text no samples. The audio of a piece is as long as
    the model says, of up to some hundred frames a phoneme.
    """

    extra = "kokoro"
    modules = ("kokoro_onnx",)
    devices = ("cpu",)
    options: ClassVar[Options] = {"voice": "af_heart", "speed": 1.0, "language": "en-us"}

    @classmethod
    def check(cls, options: Options) -> None:
        _check_options(options)

    def load(self, spec: LoadSpec) -> None:
        options = {**self.options, **spec.options}
        _check_options(options)
        folder = hub.folder(spec.checkpoint, spec.revision, required=(), patterns=_FILES)
        self.loaded_from = str(folder)
        model, voices = _model_file(folder), _voices(folder)

        runtime: Any = importlib.import_module("onnxruntime")
        package: Any = importlib.import_module("kokoro_onnx")
        settings = runtime.SessionOptions()
        settings.intra_op_num_threads = spec.threads
        settings.inter_op_num_threads = 1
        try:
            session = runtime.InferenceSession(
                str(model), settings, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's errors have no common base but this
            raise ModelError(f"onnxruntime cannot load {model}: {one_line(error)}") from error
        _check_signature(session, model)
        with tempfile.TemporaryDirectory() as temporary:
            # The package reads all voices from one file.
            file = Path(temporary) / "voices.npz"
            all_voices: dict[str, Any] = dict(voices)
            np.savez(file, **all_voices)
            self._kokoro = package.Kokoro.from_session(session, str(file))
            self._kokoro.voices = voices  # it would read on in the file, which is removed
        self._rate = int(package.SAMPLE_RATE)
        self._options = options
        self._check_voice(options)

    def synthesize(self, text: str, voice: Options | None = None) -> Speech:
        """`text` spoken; `voice`: any of the options, for it alone."""
        for name in voice or {}:
            if name not in _OF_AN_UTTERANCE:
                raise ModelError(
                    f"no voice option {name!r}; there are {', '.join(_OF_AN_UTTERANCE)}"
                )
        options = {**self._options, **(voice or {})}
        _check_options(options)
        self._check_voice(options)
        if not text.strip():
            return Speech(Audio(np.zeros(0, np.float32), self._rate))
        phonemes = self._phonemes(text, options["language"])
        if not any(character.isalnum() for character in phonemes):
            raise ModelError(f"there is nothing to speak in {text[:60]!r}")
        samples, rate = self._kokoro.create(
            phonemes, options["voice"], float(options["speed"]), is_phonemes=True
        )
        audio = np.clip(np.asarray(samples, dtype=np.float32).reshape(-1), -1.0, 1.0)
        return Speech(Audio(audio, int(rate)))

    def close(self) -> None:
        del self._kokoro

    @classmethod
    def cached(cls, checkpoint: str, revision: str | None) -> bool | None:
        try:
            folder = hub.folder(checkpoint, revision, required=(), patterns=_FILES)
            _model_file(folder)
            return bool(_voices(folder))
        except ModelError:
            return False
        except ImportError:
            return None

    @classmethod
    def download(cls, checkpoint: str, revision: str | None) -> str:
        return hub.download(checkpoint, revision, required=_FILES[1:2], patterns=_FILES)

    def _check_voice(self, options: Options) -> None:
        names = sorted(self._kokoro.voices)
        if options["voice"] not in names:
            raise ModelError(
                f"option voice: there is no {options['voice']!r} among {', '.join(names[:5])}"
                + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            )
        self._phonemes("a", options["language"])

    def _phonemes(self, text: str, language: str) -> str:
        try:
            return str(self._kokoro.tokenizer.phonemize(text, language))
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"option language: {language!r}: {one_line(error)}") from error


def _check_options(options: Options) -> None:
    """Raise ModelError for an unknown option, and a value that no checkpoint could use."""
    unknown = [name for name in options if name not in KokoroOnnx.options]
    if unknown:
        raise ModelError(f"no option {unknown[0]!r}. Options: {', '.join(KokoroOnnx.options)}")
    for name in ("voice", "language"):
        if not (isinstance(options[name], str) and options[name]):
            raise ModelError(f"option {name}: {options[name]!r} is not a name")
    speed = options["speed"]
    number = isinstance(speed, int | float) and not isinstance(speed, bool)
    if not (number and math.isfinite(speed) and 0.5 <= speed <= 2):
        raise ModelError(f"option speed: {speed!r} is not a number from 0.5 to 2")


def _model_file(folder: Path) -> Path:
    if (folder / "onnx" / "model.onnx").is_file():
        return folder / "onnx" / "model.onnx"
    found = sorted(folder.glob("*.onnx"))
    if len(found) != 1:
        raise ModelError(
            f"{folder}: the checkpoint is not whole (no onnx/model.onnx and "
            f"{len(found)} .onnx files beside it, where one is expected)"
        )
    return found[0]


def _voices(folder: Path) -> Mapping[str, NDArray[np.float32]]:
    """Voices by name, each of shape (phonemes, 1, 256). Raises ModelError where there are none."""
    files = sorted((folder / "voices").glob("*.bin"))
    bundles = sorted(folder.glob("voices*.bin"))
    voices: dict[str, NDArray[np.float32]] = {}
    try:
        for file in files:
            voices[file.stem] = np.fromfile(file, np.dtype("<f4")).reshape(-1, 1, _STYLE)
        if not files and len(bundles) == 1:
            with np.load(bundles[0], allow_pickle=False) as archive:
                voices = {name: np.asarray(archive[name], np.float32) for name in archive.files}
    except Exception as error:  # a damaged archive ends in errors of several kinds
        raise ModelError(f"{folder}: its voices cannot be read: {one_line(error)}") from error
    if not voices:
        raise ModelError(f"{folder}: the checkpoint is not whole (no voices/*.bin or voices*.bin)")
    for name, voice in voices.items():
        if voice.ndim != 3 or not len(voice) or voice.shape[1:] != (1, _STYLE):
            raise ModelError(f"{folder}: voice {name} has the shape {voice.shape}")
    return voices


def _check_signature(session: Any, model: Path) -> None:
    """Another model would fail in the middle of the first utterance."""
    names = {given.name for given in session.get_inputs()}
    if not {"style", "speed"} <= names or not names & {"tokens", "input_ids"}:
        raise ModelError(f"{model} is not Kokoro: its inputs are {', '.join(sorted(names))}")


ADAPTER = KokoroOnnx
