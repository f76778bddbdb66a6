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
#: Of a file; aliases make many of a page of text.
_MOST_BYTES = 4 * 2**20
_MOST_VALUES = 100_000
_DEEPEST = 64
_LONGEST_VALUE = 1_000  # characters of what is not text: a number, a date
_LONGEST_UNQUOTED = 10_000  # characters, each looked at by many patterns: what could it be?
_MOST_TOLD = 20
_LONGEST_TOLD = 2_000
_TEXT_TAG = "tag:yaml.org,2002:str"


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
        lines = [_printable(line) for line in message.split("\n")]
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
    lines: Lines = {}
    try:
        root = _compose(text)
        data = _build(root, (), lines, path) if root is not None else {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        problem = getattr(error, "problem", None) or str(error)
        what = "cannot be read" if isinstance(error, _TooMuch) else "not valid YAML"
        raise ConfigError(f"{where}: {what}: {problem}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply") from None
    if not isinstance(data, Mapping):
        raise ConfigError(f"{path}:1: a mapping of keys to values is expected")
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(e, lines, path) for e in error.errors())) from None


def line_of(path: Path, at: Sequence[str | int]) -> int:
    """The line of a key in a file that `load` has read; 1 where it is not there any more."""
    lines: Lines = {}
    try:
        root = _compose(path.read_text(encoding="utf-8-sig"))
        if root is not None:
            _build(root, (), lines, path)
    except (OSError, ValueError, yaml.YAMLError):
        return 1
    return lines.get(tuple(at), 1)


def _compose(text: str) -> yaml.Node | None:
    try:
        _refuse_too_much(text)
        return yaml.compose(text, Loader=_FAST_LOADER)
    except _TooMuch:
        raise
    except yaml.YAMLError:
        # Where a file is wrong, the loader in Python says better where.
        return yaml.compose(text, Loader=yaml.SafeLoader)


class _TooMuch(yaml.YAMLError):
    """More than can be read of YAML: of what, and where."""

    def __init__(self, problem: str, event: yaml.Event) -> None:
        super().__init__(problem)
        self.problem_mark = event.start_mark


def _refuse_too_much(text: str) -> None:
    """Raise _TooMuch for what takes a parser too long: it composes by calling itself."""
    depth = 0
    for event in yaml.parse(text, Loader=_FAST_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif (
            isinstance(event, yaml.ScalarEvent)
            and event.implicit[0]
            and len(event.value) > _LONGEST_UNQUOTED
        ):
            raise _TooMuch("text this long: put it in quotes", event)
        if depth > _DEEPEST:
            raise _TooMuch(f"nested too deeply (more than {_DEEPEST} levels)", event)


def _build(node: yaml.Node, at: tuple[str | int, ...], lines: Lines, path: Path) -> Any:
    """Python data from a YAML node, noting the line of every key on the way."""
    lines.setdefault(at, node.start_mark.line + 1)
    if len(lines) > _MOST_VALUES:
        where = f"{path}:{node.start_mark.line + 1}: {_dotted(at)}"
        raise ConfigError(f"{where}: too many values: aliases repeat what holds aliases")
    if not node.tag.startswith("tag:yaml.org,2002:") or "/" in node.tag[22:]:
        raise ConfigError(
            f"{path}:{node.start_mark.line + 1}: not valid YAML here: the tag {node.tag!r}"
        )
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConfigError(f"{path}:{line}: {_dotted(at) or 'file'}: a key must be text")
            key = str(key_node.value)
            if key in result:
                raise ConfigError(f"{path}:{line}: {_dotted((*at, key))}: the key is there twice")
            lines[(*at, key)] = line
            result[key] = _build(value_node, (*at, key), lines, path)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_build(n, (*at, i), lines, path) for i, n in enumerate(node.value)]
    here = f"{path}:{node.start_mark.line + 1}: {_dotted(at) or 'file'}"
    if node.tag != _TEXT_TAG and len(node.value) > _LONGEST_VALUE:
        # A number such as 1:1:1 takes the square of its length.
        raise ConfigError(f"{here}: a value that is not text and this long: put it in quotes")
    try:
        return SafeConstructor().construct_object(node, deep=True)
    # For what is not as its tag says (!!int x, !!bool x, !!timestamp x) PyYAML has no error.
    except (ValueError, ArithmeticError, LookupError, AttributeError, TypeError):
        what = f"{node.value!r} is not what its tag {node.tag} says"
        raise ConfigError(f"{here}: {what}") from None


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


def _printable(line: str) -> str:
    if not line.isprintable():
        line = "".join(
            c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line
        )
    return line if len(line) <= _LONGEST_TOLD else f"{line[: _LONGEST_TOLD - 3]}..."


def _dotted(at: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in at)
