"""YAML files that people edit, validated with errors that name file, line and key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from yaml.constructor import SafeConstructor

M = TypeVar("M", bound=BaseModel)
#: libyaml is ten times as fast, and every session reads the catalogue.
_FAST_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Lines = dict[tuple[str | int, ...], int]


class KeyedError(ValueError):
    """Raised by a schema's validator to say which key, below the validated object, is wrong."""

    def __init__(self, at: Sequence[str | int], message: str) -> None:
        super().__init__(message)
        self.at = tuple(at)


class ConfigError(ValueError):
    """A file that a person wrote is wrong; the message says where and what to do."""


def load(path: Path, schema: type[M]) -> M:
    """The file as a `schema` object.

    Raises ConfigError, one line per mistake as `file:line: key: what is wrong`,
    for a missing or unreadable file, malformed YAML, a key written twice, an
    unknown key or a value that `schema` refuses.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    lines: Lines = {}
    try:
        root = _compose(text)
        data = _build(root, (), lines, path) if root is not None else {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(f"{where}: not valid YAML: {problem}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply") from None
    if not isinstance(data, Mapping):
        raise ConfigError(f"{path}:1: a mapping of keys to values is expected")
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(e, lines, path) for e in error.errors())) from None


def _compose(text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=_FAST_LOADER)
    except yaml.YAMLError:
        # Where a file is wrong, the loader in Python says better where.
        return yaml.compose(text, Loader=yaml.SafeLoader)


def _build(node: yaml.Node, at: tuple[str | int, ...], lines: Lines, path: Path) -> Any:
    """Python data from a YAML node, noting the line of every key on the way."""
    lines.setdefault(at, node.start_mark.line + 1)
    if not node.tag.startswith("tag:yaml.org,2002:") or "/" in node.tag[22:]:
        raise ConfigError(
            f"{path}:{node.start_mark.line + 1}: not valid YAML here: the tag {node.tag!r}"
        )
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if key in result:
                raise ConfigError(f"{path}:{line}: {_dotted((*at, key))}: the key is there twice")
            lines[(*at, key)] = line
            result[key] = _build(value_node, (*at, key), lines, path)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_build(n, (*at, i), lines, path) for i, n in enumerate(node.value)]
    try:
        return SafeConstructor().construct_object(node, deep=True)
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{path}:{node.start_mark.line + 1}: {_dotted(at)}: {error}") from None


def _explain(error: Any, lines: Lines, path: Path) -> str:
    loc = tuple(part for part in error["loc"] if part != "[key]")
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, KeyedError):
        loc += cause.at
    known = loc
    while known and known not in lines:
        known = known[:-1]
    what = {
        "extra_forbidden": "unknown key",
        "missing": "missing",
    }.get(error["type"], error["msg"].removeprefix("Value error, "))
    return f"{path}:{lines.get(known, 1)}: {_dotted(loc) or 'file'}: {what}"


def _dotted(at: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in at)
