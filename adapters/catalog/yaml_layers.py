"""YAML files that lie on each other: what the upper one says counts, the lower one has the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel

from adapters.catalog.yaml_file import ConfigError, read, validated
from fixtures.yaml_places import Key, Lines, line_at

M = TypeVar("M", bound=BaseModel)
#: The key by which a file names the one that it lies on.
EXTENDS = "extends"


@dataclass(frozen=True, slots=True)
class _Layer:
    path: Path
    data: Mapping[str, Any]
    lines: Lines


class Layers:
    """Files, the last on top, each on the file that its key `extends` names.

    Mappings are merged key by key; any other value replaces the one below, and null removes it.
    known: files that `extends` names by a word. Raises ConfigError where one cannot be read.
    """

    def __init__(self, paths: Sequence[Path], known: Mapping[str, Path]) -> None:
        self.paths = tuple(paths)
        self._known = known
        self._layers = [layer for path in paths for layer in _layers(path, known, ())]
        data: Mapping[str, Any] = {}
        for layer in self._layers:
            data = _merged(data, layer.data)
        self.data = data

    def load(self, schema: type[M]) -> M:
        """The merged files as a `schema` object. Raises ConfigError as `yaml_file.load` does."""
        try:
            return validated(self.data, schema, self.place)
        except ConfigError as error:
            needed = {n for n, f in schema.model_fields.items() if f.is_required()}
            if len(self._layers) > 1 or needed <= self.data.keys():
                raise
            rest = " or ".join(
                f"`{EXTENDS}: {word}` takes what it does not say from {path.name}"
                for word, path in self._known.items()
            )
            raise ConfigError(f"{error}\n{self.paths[0]}: {rest}") from None

    def place(self, at: Key) -> str:
        """The file and line of a key, or of the nearest key around it, in the uppermost file."""

        def known(layer: _Layer) -> int:
            return next(n for n in range(len(at), -1, -1) if n == 0 or at[:n] in layer.lines)

        layer = max(reversed(self._layers), key=known)  # of equals, the first
        return f"{layer.path}:{line_at(layer.lines, at)}"

    @property
    def content(self) -> bytes:
        """What one file would hold in place of all. Raises OSError.

        That of a single file on no other is the file's own, to the byte.
        """
        if len(self._layers) == 1:
            return self._layers[0].path.read_bytes()
        return yaml.safe_dump(self.data, sort_keys=False, allow_unicode=True).encode()


def _layers(path: Path, known: Mapping[str, Path], above: Sequence[Path]) -> list[_Layer]:
    """The layers of a file, the lowest first. above: the files that lie on it."""
    data, lines = read(path)
    own = {key: value for key, value in data.items() if key != EXTENDS}
    if EXTENDS not in data:
        return [_Layer(path, own, lines)]
    named, place = data[EXTENDS], f"{path}:{lines[(EXTENDS,)]}: {EXTENDS}"
    if not isinstance(named, str) or not named:
        words = ", ".join(repr(word) for word in known)
        raise ConfigError(f"{place}: {words} or the path of a file is expected")
    below = known.get(named) or path.parent / Path(named).expanduser()
    chain = [*above, path]
    if any(below.resolve() == one.resolve() for one in chain):
        raise ConfigError(f"{place}: {named} lies on this file already")
    try:
        return [*_layers(below, known, chain), _Layer(path, own, lines)]
    except ConfigError as error:
        if below.is_file():
            raise
        raise ConfigError(f"{place}: {error}") from None


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        lower = merged.get(key)
        if value is None and key in merged:
            del merged[key]
        elif isinstance(value, Mapping) and isinstance(lower, Mapping):
            merged[key] = _merged(lower, value)
        else:
            merged[key] = value
    return merged
