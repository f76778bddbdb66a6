"""`<run>/run.json`: what a run is about, written before its first prediction is made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.identity import Identity, differences, summary
from evals.written import read_json, write_json
from fixtures.shown import one_line

NAME = "run.json"

#: Options that decide what is predicted, or of what: a run is gone on with as it was begun.
FIXED = (
    "markexpr",
    "keyword",
    "model",
    "catalog",
    "corpus",
    "audio_root",
    "device",
    "threads",
    "seed",
    "isolation",
    "envs",
    "judge",
    "llm_judge",
    "llm_judge_url",
    "rated_clips",
    "utmos",
    "speaker_encoder",
    "robustness_utterances",
    "shard",
)
#: Options that only decide how predictions are judged and shown; they may be others.
FREE = (
    "gate",
    "thresholds",
    "baseline",
    "time_limit",
    "load_time_limit",
    "executor",
    "ray_address",
    "ray_replicas",
    "prices",
    "hardware",
    "report_audio",
)
#: Of both, those whose values may be paths.
_PATHS = frozenset(
    {
        "catalog",
        "corpus",
        "audio_root",
        "utmos",
        "speaker_encoder",
        "thresholds",
        "baseline",
        "prices",
    }
)


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
    for name in (*FIXED, *FREE):
        if not _is_value(name, content["options"].get(name)):
            raise _otherwise(run, f"options.{name}")
    for key, kind in (("arguments", str), ("sessions", dict)):
        if not all(isinstance(one, kind) for one in content[key]):
            raise _otherwise(run, key)
    for name, identity in content["models"].items():
        if not isinstance(identity, dict):
            raise _otherwise(run, f"models.{one_line(name)}")
    return content


#: Options that may be given more than once, that are numbers, and that are there or not.
_SEVERAL = frozenset({"model", "catalog", "corpus", "audio_root", "judge"})
_WHOLE = frozenset({"threads", "seed", "rated_clips", "robustness_utterances", "ray_replicas"})
_NUMBERS = frozenset({"time_limit", "load_time_limit"})
_FLAGS = frozenset({"envs", "report_audio"})


def _is_value(name: str, value: Any) -> bool:
    """Whether the command line could have given it."""
    if value is None:
        return True
    if name in _SEVERAL:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if name in _FLAGS:
        return isinstance(value, bool)
    if name in _WHOLE | _NUMBERS:
        kinds = int if name in _WHOLE else (int, float)
        is_number = isinstance(value, kinds) and not isinstance(value, bool)
        return is_number and -(2**63) <= value < 2**63
    return isinstance(value, str) and "\0" not in value


def _otherwise(run: Path, key: str) -> ValueError:
    return ValueError(one_line(f"{run / NAME}: {key}: not as Model Lab writes it"))


def write(run: Path, content: Mapping[str, Any]) -> None:
    """Write a run's file, whole or not at all."""
    write_json(run / NAME, dict(content))


def option(content: Mapping[str, Any], name: str) -> Any:
    """An option's value as the run was begun, its paths as seen from anywhere."""
    value = content["options"].get(name)
    if name not in _PATHS:
        return value
    directory = Path(str(content.get("directory", ".")))

    def found(one: Any) -> Any:
        if not isinstance(one, str) or "://" in one:
            return one
        path = directory / one
        try:
            return str(path) if not Path(one).exists() and path.exists() else one
        except (OSError, ValueError):  # a name that no file can have
            return one

    return [found(one) for one in value] if isinstance(value, list) else found(value)


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
