"""YAML files that people edit, validated with errors that name file, line and key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from fixtures.safe_text import one_line
from fixtures.yaml_places import Key, Lines, YamlError, key_text, line_at, read_yaml

M = TypeVar("M", bound=BaseModel)
_MOST_BYTES = 4 * 2**20
_MOST_TOLD = 20


class KeyedError(ValueError):
    """Raised by a schema's validator to say which key, below the validated object, is wrong."""

    def __init__(self, at: Sequence[str | int], message: str) -> None:
        super().__init__(message)
        self.at = tuple(at)


class ConfigError(ValueError):
    """A file that a person wrote is wrong; the message says where and what to do.

    What does not print is escaped: a file may hold what moves a terminal's cursor.
    """

    def __init__(self, message: str) -> None:
        lines = [one_line(line) for line in message.split("\n")]
        more = len(lines) - _MOST_TOLD
        super().__init__(
            "\n".join([*lines[:_MOST_TOLD], *([f"... and {more} more"] if more > 0 else [])])
        )


def load(path: Path, schema: type[M]) -> M:
    """The file as a `schema` object.

    Raises ConfigError, one line per mistake as `file:line: key: what is wrong`,
    for a missing or unreadable file, malformed YAML, a key written twice, an
    unknown key or a value that `schema` refuses.
    """
    data, lines = read(path)
    return validated(data, schema, lambda at: f"{path}:{line_at(lines, at)}")


def read(path: Path) -> tuple[Mapping[str, Any], Lines]:
    """The mapping in a file and the line of every key. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:  # a path with a NUL, what is not UTF-8
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    if len(content) > _MOST_BYTES:
        raise ConfigError(f"{path}: larger than {_MOST_BYTES // 2**20} MiB")
    try:
        data, lines = read_yaml(text)
    except YamlError as error:
        raise ConfigError(error.told(path)) from None
    data = {} if data is None else data
    if not isinstance(data, Mapping):
        raise ConfigError(f"{path}:1: a mapping of keys to values is expected")
    return data, lines


def validated(data: Mapping[str, Any], schema: type[M], place: Callable[[Key], str]) -> M:
    """Data as a `schema` object. place: the file and line of a key. Raises ConfigError."""
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(e, place) for e in error.errors())) from None


def _explain(error: Any, place: Callable[[Key], str]) -> str:
    loc = tuple(part for part in error["loc"] if part != "[key]")
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, KeyedError):
        loc += cause.at
    what = {
        "extra_forbidden": "unknown key",
        "missing": "missing",
    }.get(error["type"], error["msg"].removeprefix("Value error, "))
    return f"{place(loc)}: {key_text(loc) or 'file'}: {what}"
