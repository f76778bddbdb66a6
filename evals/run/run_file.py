"""`<run>/run.json`: what a run is about, written before its first prediction is made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.records.atomic_json import read_json, write_json
from evals.run.identity import Identity, differences, summary
from evals.run.options import OF_RUN, OPTIONS
from fixtures.safe_text import one_line

NAME = "run.json"

#: Options that decide what is predicted, or of what: a resumed run keeps them.
FIXED = tuple(option.name for option in OF_RUN if option.on_resume == "fixed")
#: Options that only decide how predictions are judged and shown; they may be others.
FREE = tuple(option.name for option in OF_RUN if option.on_resume == "free")


class NotThisRun(ValueError):
    """A session is not the one that the run was begun as; the message says in what."""


def begun(
    options: Mapping[str, Any],
    arguments: Sequence[str],
    directory: Path,
    models: Mapping[str, Identity],
    started: str,
    command: Sequence[str],
) -> dict[str, Any]:
    """The content of a new run's file.

    arguments: the files that the command line names. models: name to what it is.
    """
    return {
        "schema_version": 1,
        "started": started,
        "directory": str(directory),
        "options": dict(options),
        "arguments": list(arguments),
        "models": dict(models),
        "sessions": [{"started": started, "command_line": list(command)}],
    }


def read(run: Path) -> dict[str, Any]:
    """A run's file. Raises ValueError where there is none, or it is of another version."""
    content = read_json(run / NAME)
    if content is None:
        raise ValueError(f"{run} holds no {NAME}: it is no run, or of before runs could be resumed")
    keys = {"options": dict, "arguments": list, "models": dict, "sessions": list}
    for key, kind in keys.items():
        if not isinstance(content.get(key), kind):
            raise _otherwise(run, key)
    if content.get("schema_version") != 1:
        raise ValueError(f"{run / NAME}: schema_version: 1 is expected")
    try:
        json.dumps(content, allow_nan=False)
    except ValueError as error:  # 1e999: it is to be written again
        raise ValueError(one_line(f"{run / NAME}: {error}")) from None
    for option in OF_RUN:
        if not option.takes(content["options"].get(option.name)):
            raise _otherwise(run, f"options.{option.name}")
    for key, kind in (("arguments", str), ("sessions", dict)):
        if not all(isinstance(one, kind) for one in content[key]):
            raise _otherwise(run, key)
    for name, identity in content["models"].items():
        if not isinstance(identity, dict):
            raise _otherwise(run, f"models.{one_line(name)}")
    return content


def _otherwise(run: Path, key: str) -> ValueError:
    return ValueError(one_line(f"{run / NAME}: {key}: not as Model Lab writes it"))


def write(run: Path, content: Mapping[str, Any]) -> None:
    """Write a run's file, whole or not at all."""
    write_json(run / NAME, dict(content))


def option(content: Mapping[str, Any], name: str) -> Any:
    """An option's value as the run was begun, its paths as seen from anywhere."""
    value = content["options"].get(name)
    start = OPTIONS[name].path_after
    if not OPTIONS[name].is_path and start is None:
        return value
    directory = Path(str(content.get("directory", ".")))

    def found(one: Any) -> Any:
        if not isinstance(one, str) or "://" in one:
            return one
        before, path = "", one
        if start is not None:
            name, word, path = one.partition(start)
            before = name + word
            if not word or (name and not name.endswith("=")):  # as in NAME=predictions:FILE
                return one
        path = _where_it_is(path)
        there = directory / path
        try:
            here = Path(path).exists() or not there.exists()
        except (OSError, ValueError):  # a name that no file can have
            return one
        return f"{before}{path if here else there}"

    return [found(one) for one in value] if isinstance(value, list) else found(value)


#: Files of the project that have moved; runs from before name them as they were.
_MOVED = {"reports/prices.yaml": "reports/scorecard/prices.yaml"}


def _where_it_is(path: str) -> str:
    """The path of a file of the project that has moved since; any other path as it is."""
    for old, new in _MOVED.items():
        if path.endswith(f"/{old}") and not Path(path).exists():
            return path[: -len(old)] + new
    return path


def refuse_changes(content: Mapping[str, Any], models: Mapping[str, Identity]) -> None:
    """Raise NotThisRun where the models are not those of the run, as they were."""
    was = content["models"]
    for name, identity in models.items():
        if name not in was:
            raise NotThisRun(one_line(f"{name} is no model of it ({', '.join(was)})"))
        if changed := differences(was[name], identity):
            raise NotThisRun(f"model {name}: {summary(changed)}")
    if left_out := [name for name in was if name not in models]:
        raise NotThisRun(one_line(f"its model {left_out[0]} is not among those of this session"))
