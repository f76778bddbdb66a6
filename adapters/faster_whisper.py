"""faster-whisper: Whisper on CTranslate2, without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from adapters.interface import Adapter, Audio, LoadSpec, ModelError, Options, Transcript, Word


class FasterWhisper(Adapter):
    """Whisper checkpoints in CTranslate2's format, decoded window by window.

    compute_type: "float32", "float16", "int8" or another that CTranslate2 knows.
    max_new_tokens: tokens a window of 30 s may give; None leaves it to the model.
    Temperature is a single value: no fallback, so that two runs give one text.
    """

    extra = "faster-whisper"
    modules = ("faster_whisper",)
    devices = ("cuda", "cpu")
    options: ClassVar[Options] = {
        "language": None,
        "beam_size": 1,
        "temperature": 0.0,
        "compute_type": "float32",
        "without_timestamps": True,
        "condition_on_previous_text": False,
        "vad_filter": False,
        "word_timestamps": False,
        "max_new_tokens": None,
    }

    def load(self, spec: LoadSpec) -> None:
        import os

        from faster_whisper import WhisperModel

        options = {**self.options, **spec.options}
        compute_type = options.pop("compute_type")
        self._decode: dict[str, Any] = options
        device, _, index = spec.device.partition(":")
        if os.path.sep in spec.checkpoint:
            _check_folder(Path(spec.checkpoint))
        try:
            self._model = WhisperModel(
                spec.checkpoint,
                device=device,
                device_index=int(index or 0),
                compute_type=compute_type,
                cpu_threads=spec.threads,
                num_workers=1,
                local_files_only=True,
                revision=spec.revision,
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelError(
                f"faster-whisper cannot load {spec.checkpoint!r}: {_first_line(error)}"
            ) from error

    def transcribe(self, audio: Audio) -> Transcript:
        if len(audio.samples) == 0:
            return Transcript("")
        segments, info = self._model.transcribe(audio.samples, **self._decode)
        # The generator does the work: it must be consumed inside the caller's timer.
        heard = list(segments)
        words = tuple(
            Word(w.word.strip(), w.start, w.end) for segment in heard for w in segment.words or ()
        )
        return Transcript("".join(s.text for s in heard).strip(), info.language, words)

    def close(self) -> None:
        del self._model


def _check_folder(folder: Path) -> None:
    # Without tokenizer.json faster-whisper asks a hub for one.
    for name in ("model.bin", "tokenizer.json"):
        if not (folder / name).is_file():
            raise ModelError(
                f"{folder}: not a CTranslate2 Whisper checkpoint (no {name}). Convert one with "
                "ct2-transformers-converter --copy_files tokenizer.json preprocessor_config.json"
            )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


ADAPTER = FasterWhisper
