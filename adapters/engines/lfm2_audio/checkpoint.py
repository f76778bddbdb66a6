"""The files of LFM2-Audio checkpoints, and loading them so that nothing is left out or run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from adapters.interface import ModelError

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
MIMI = "tokenizer-e351c8d8-checkpoint125.safetensors"
DETOKENIZER = "audio_detokenizer"


def check_folder(folder: Path) -> None:
    """Raise ModelError where liquid-audio would load something else than safe, whole weights."""
    if not (folder / WEIGHTS).is_file() and not (folder / INDEX).is_file():
        raise ModelError(f"{folder}: the checkpoint is not whole (no {WEIGHTS})")
    # accelerate, which reads the weights, prefers a pickle where there is one.
    for pickled in sorted(folder.glob("pytorch_model*")):
        raise ModelError(
            f"{pickled}: weights as a pickle are not loaded, and would be taken instead of "
            f"{WEIGHTS}; remove the file"
        )
    for name in ("config.json", "tokenizer_config.json"):
        file = folder / name
        if file.is_file() and "auto_map" in _json(file):
            raise ModelError(f"{file}: the checkpoint wants to run code of its own (auto_map)")
    _names(_weight_files(folder))


def _json(file: Path) -> dict[str, Any]:
    """A JSON object of a checkpoint. Raises ModelError."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{file}: cannot be read as JSON: {_first_line(error)}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{file}: a JSON object is expected")
    return content


def which_decoder(folder: Path, asked: str) -> str:
    """Either "detokenizer" or "mimi". Raises ModelError where what is asked is not there."""
    detokenizer = folder / DETOKENIZER
    if asked == "detokenizer" or (asked == "auto" and detokenizer.is_dir()):
        for name in ("config.json", WEIGHTS):
            if not (detokenizer / name).is_file():
                raise ModelError(f"{folder}: the checkpoint is not whole (no {DETOKENIZER}/{name})")
        _names([detokenizer / WEIGHTS])
        return "detokenizer"
    if not (folder / MIMI).is_file():
        absent = f"no {MIMI}" if asked == "mimi" else f"neither {DETOKENIZER}/ nor {MIMI}"
        raise ModelError(f"{folder}: nothing to make audible what it says ({absent})")
    _names([folder / MIMI])
    return "mimi"


def _weight_files(folder: Path) -> list[Path]:
    # As accelerate chooses: the single file before the shards.
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    names = _json(folder / INDEX).get("weight_map", {}).values()
    for name in names:
        if not str(name).endswith(".safetensors"):
            raise ModelError(f"{folder / INDEX}: names {name!r}, which is no safetensors file")
    return [folder / name for name in sorted(set(names))]


def _names(files: Sequence[Path]) -> set[str]:
    """The tensors in safetensors files. Raises ModelError for a file that is not whole."""
    from safetensors import safe_open

    names: set[str] = set()
    for file in files:
        try:
            with safe_open(str(file), framework="numpy") as tensors:
                names.update(tensors.keys())
        except Exception as error:  # safetensors has errors of its own beside OSError
            raise ModelError(f"{file}: cannot be read: {_first_line(error)}") from error
    return names


#: Buffers that follow from the configuration, or that only training reads.
_COMPUTED = ("codebook_offsets", "audio_loss_weights", "istft.window")


def _check_names(model: Any, names: set[str], file: Path) -> None:
    """Raise ModelError where a model has tensors that no file gave: they would be random."""
    state = model.state_dict()
    given = {state[name].data_ptr() for name in names & state.keys()}
    missing = sorted(
        name
        for name, tensor in state.items()
        if name not in names
        and tensor.data_ptr() not in given  # tied to one that is there
        and name not in _COMPUTED
        and not name.endswith(".num_batches_tracked")
    )
    if missing:
        some = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise ModelError(
            f"{file}: the checkpoint is not whole: {len(missing)} of {len(state)} tensors are "
            f"missing ({some})"
        )


def load_model(folder: Path, device: Any, dtype: Any) -> tuple[Any, Any]:
    """The language model and its processor, on the device."""
    from liquid_audio import LFM2AudioModel, LFM2AudioProcessor

    files = _weight_files(folder)
    names = _names(files)
    try:
        # A Path, not a name: the library would ask the hub for a name.
        processor = LFM2AudioProcessor.from_pretrained(folder, device=device).eval()
        # It takes flash_attn wherever that is installed, on CPUs too, where it does not work.
        with mock.patch("liquid_audio.model.lfm2_audio.module_exists", return_value=False):
            model = LFM2AudioModel.from_pretrained(folder, device=device, dtype=dtype).eval()
    except Exception as error:  # a broken configuration fails in as many ways as there are
        raise _cannot_load(folder, error) from error
    _check_names(model, names, files[0])
    return model, processor


def load_detokenizer(folder: Path, device: Any) -> Any:
    """What the library's audio_detokenizer does, on any device: there it is CUDA alone."""
    from liquid_audio.detokenizer import LFM2AudioDetokenizer
    from safetensors.torch import load_file
    from transformers import Lfm2Config

    config = _json(folder / "config.json")
    file = folder / WEIGHTS
    names = _names([file])
    try:
        # transformers does not know the sliding window; the detokenizer masks by itself.
        config["layer_types"] = [
            "full_attention" if kind == "sliding_attention" else kind
            for kind in config["layer_types"]
        ]
        detokenizer = LFM2AudioDetokenizer(Lfm2Config(**config))
        _check_names(detokenizer, names, file)
        detokenizer.load_state_dict(load_file(str(file)), strict=False)
        return detokenizer.float().eval().to(device)
    except ModelError:
        raise
    except Exception as error:
        raise _cannot_load(folder, error) from error


def load_mimi(file: Path, device: Any) -> Any:
    """The Mimi codec, on the device. Raises ModelError."""
    from liquid_audio.moshi.models.loaders import get_mimi
    from safetensors.torch import load_file

    names = _names([file])
    try:
        mimi = get_mimi(None, device="cpu")
        _check_names(mimi, names, file)
        mimi.load_state_dict(load_file(str(file)), strict=False)
        return mimi.eval().to(device)
    except ModelError:
        raise
    except Exception as error:
        raise _cannot_load(file, error) from error


def _cannot_load(path: Path, error: BaseException) -> ModelError:
    return ModelError(
        f"liquid-audio cannot load {path}: {type(error).__name__}: {_first_line(error)}"
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
