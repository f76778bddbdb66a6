"""CTranslate2's `model.bin`: named arrays behind a short header."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from adapters.interface import ModelError

Array = NDArray[Any]

_VERSION = 6  # of the layout; Whisper has never been written in an older one
_BFLOAT16 = 5
_TYPES: Mapping[int, str] = {0: "<f4", 1: "i1", 2: "<i2", 3: "<i4", 4: "<f2", _BFLOAT16: "<u2"}
_SCALE = "_scale"


def read(path: Path) -> tuple[str, dict[str, Array]]:
    """The specification that a file names, and its arrays by name, aliases included.

    Weights that were rounded to whole numbers are divided by their scales: one a row for int8,
    one an array for int16. They and bfloat16 come as float32; all else comes as it is stored.
    Raises ModelError for a file that is none, or not whole.
    """
    try:
        with path.open("rb") as file:
            specification, arrays = _read(file)
    except (OSError, EOFError, ValueError) as error:
        raise ModelError(f"{path}: not a whole model.bin of CTranslate2 ({error})") from error
    return specification, _floating(arrays)


def _read(file: BinaryIO) -> tuple[str, dict[str, Array]]:
    version = _number(file, "I")
    if version != _VERSION:
        raise ValueError(f"version {version} of its layout; {_VERSION} is known")
    specification = _text(file)
    _number(file, "I")  # the specification's revision: what differs are the names below
    arrays: dict[str, Array] = {}
    for _ in range(_number(file, "I")):
        name = _text(file)
        shape = [_number(file, "I") for _ in range(_number(file, "B"))]
        kind, size = _number(file, "B"), _number(file, "I")
        if kind not in _TYPES:
            raise ValueError(f"{name}: numbers of unknown type {kind}")
        array = np.frombuffer(_bytes(file, size), _TYPES[kind]).reshape(shape)
        if kind == _BFLOAT16:  # the upper half of a float32
            array = (array.astype("<u4") << 16).view("<f4")
        arrays[name] = array
    for _ in range(_number(file, "I")):
        alias, name = _text(file), _text(file)
        if name not in arrays:
            raise ValueError(f"{alias} is another name for {name}, which is missing")
        arrays[alias] = arrays[name]
    return specification, arrays


def _floating(arrays: dict[str, Array]) -> dict[str, Array]:
    made = {}
    for name, array in arrays.items():
        scale = arrays.get(name + _SCALE)
        if scale is not None:
            scale = scale.astype(np.float32)
            rows = scale.reshape(-1, *[1] * (array.ndim - 1)) if scale.ndim else scale
            array = array.astype(np.float32) / rows
        if not name.endswith(_SCALE):
            made[name] = array
    return made


def _bytes(file: BinaryIO, size: int) -> bytes:
    read = file.read(size)
    if len(read) < size:
        raise EOFError("it ends too early")
    return read


def _number(file: BinaryIO, kind: str) -> int:
    form = f"<{kind}"
    value: int = struct.unpack(form, _bytes(file, struct.calcsize(form)))[0]
    return value


def _text(file: BinaryIO) -> str:
    return _bytes(file, _number(file, "H")).rstrip(b"\0").decode("ascii")
