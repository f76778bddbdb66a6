"""A tiny random model with Kokoro's inputs and output, written without the onnx package.

audio = tanh(speed * mean(style) * table[tokens]), so that every phoneme is 600 samples which its
voice and the speed make louder. What is written here of protobuf: a message is its fields, a field
its number and kind, then a varint (kind 0) or a length and bytes (kind 2).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLES = 600  # per phoneme
_SIGNS = 178  # of Kokoro's vocabulary
_PHONEMES = 510
_FLOAT, _INT64 = 1, 7


def kokoro(folder: Path, tokens: str = "input_ids", *, bundled: bool = False) -> Path:
    """A checkpoint as on the hub, or `bundled` as the package's authors release it."""
    rng = np.random.default_rng(0)
    voices: dict[str, Any] = {
        name: rng.normal(mean, 0.1, (_PHONEMES, 1, 256)).astype(np.float32)
        for name, mean in (("af_heart", 0.5), ("bf_emma", 1.0))
    }
    folder.mkdir(parents=True, exist_ok=True)
    if bundled:
        with (folder / "voices-v1.0.bin").open("wb") as file:
            np.savez(file, **voices)
        (folder / "kokoro-v1.0.onnx").write_bytes(_model(tokens))
        return folder
    for part in ("onnx", "voices"):
        (folder / part).mkdir()
    for name, voice in voices.items():
        voice.tofile(folder / "voices" / f"{name}.bin")
    (folder / "onnx" / "model.onnx").write_bytes(_model(tokens))
    return folder


def _model(tokens: str) -> bytes:
    table = np.random.default_rng(1).normal(0, 0.5, (_SIGNS, SAMPLES)).astype(np.float32)
    nodes = [
        _node("Gather", ["table", tokens], "sound"),
        _node("Reshape", ["sound", "flat"], "long"),
        _node("ReduceMean", ["style"], "loud"),
        _node("Reshape", ["loud", "flat"], "voice"),
        _node("Mul", ["voice", "speed"], "gain"),
        _node("Mul", ["long", "gain"], "scaled"),
        _node("Tanh", ["scaled"], "waveform"),
    ]
    graph = b"".join(
        [
            *(_field(1, node) for node in nodes),
            _field(2, b"tiny"),
            _field(5, _tensor("table", table, _FLOAT)),
            _field(5, _tensor("flat", np.array([-1]), _INT64)),
            _field(11, _value(tokens, _INT64, [1, None])),
            _field(11, _value("style", _FLOAT, [1, 256])),
            _field(11, _value("speed", _FLOAT, [1])),
            _field(12, _value("waveform", _FLOAT, [None])),
        ]
    )
    operators = _field(1, b"") + _number(2, 13)
    return _number(1, 8) + _field(7, graph) + _field(8, operators)


def _node(operator: str, inputs: list[str], output: str) -> bytes:
    given = b"".join(_field(1, name.encode()) for name in inputs)
    return given + _field(2, output.encode()) + _field(4, operator.encode())


def _tensor(name: str, numbers: NDArray[np.generic], kind: int) -> bytes:
    shape = b"".join(_number(1, size) for size in numbers.shape)
    return shape + _number(2, kind) + _field(8, name.encode()) + _field(9, numbers.tobytes())


def _value(name: str, kind: int, shape: list[int | None]) -> bytes:
    sizes = [_field(2, b"n") if size is None else _number(1, size) for size in shape]
    tensor = _number(1, kind) + _field(2, b"".join(_field(1, size) for size in sizes))
    return _field(1, name.encode()) + _field(2, _field(1, tensor))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _field(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
