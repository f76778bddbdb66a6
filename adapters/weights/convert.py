"""From a Whisper of CTranslate2 to the checkpoints of other libraries."""

from __future__ import annotations

import importlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.interface import ModelError
from adapters.weights import transformers_folder, whisper
from adapters.weights.whisper import Whisper

#: Raised when the code writes something else for the same weights.
VERSION = 1


def _write_openai(model: Whisper, file: Path) -> None:
    torch: Any = importlib.import_module("torch")
    state = {name: torch.from_numpy(array.copy()) for name, array in model.state.items()}
    torch.save({"dims": dict(model.dims), "model_state_dict": state}, file)


def _write_transformers(model: Whisper, folder: Path) -> None:
    folder.mkdir()
    transformers_folder.write(model, folder)


@dataclass(frozen=True, slots=True)
class Form:
    """What a library loads. name: of the file or folder; extra: what brings the library."""

    write: Callable[[Whisper, Path], None]
    name: str
    extra: str


FORMS: Mapping[str, Form] = {
    "openai-whisper": Form(_write_openai, "model.pt", "whisper"),
    "transformers": Form(_write_transformers, "model", "transformers"),
}


def convert(source: Path, form: str, out: Path) -> None:
    """Write the Whisper in the folder `source` to `out`, a file or folder as the form has it.

    Weights keep their precision, but for those rounded to whole numbers, which become float32.
    `out` appears when it is whole. Raises ModelError for a source that is no Whisper of
    CTranslate2, for an `out` that exists, and where the library of the form is not installed.
    """
    made = FORMS[form]
    if out.exists():
        raise ModelError(f"{out}: exists already, and nothing is overwritten")
    if not whisper.is_ctranslate2(source):
        raise ModelError(
            f"{source}: not a Whisper of CTranslate2 (a folder with {whisper.MODEL} is expected)"
        )
    model = whisper.read(source)
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        made.write(model, scratch / made.name)
        (scratch / made.name).rename(out)
    except ImportError as error:
        raise ModelError(
            f"{form}: {error.name} is not installed. Install it with: "
            f"uv sync --inexact --extra {made.extra}"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
