"""A model of the catalogue with other options, as `--model 'NAME:{option: value}'` names it."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from adapters.catalog.yaml_file import ConfigError
from adapters.interface import ModelError
from fixtures.yaml_places import YamlError, read_yaml

if TYPE_CHECKING:
    from adapters.catalog.model import Model

_OPENING = ":{"
#: Characters of options in a name; longer ones are named by a hash, since names become folders.
_LONGEST = 60
_DIGITS = 8


def split(pattern: str) -> tuple[str, str | None]:
    """The model that a pattern names, and the text of its options; None where it has none."""
    name, opening, rest = pattern.partition(_OPENING)
    return (name, "{" + rest) if opening and name else (pattern, None)


def options_of(pattern: str, text: str) -> Mapping[str, Any]:
    """The options in a text such as "{beam_size: 5}". Raises ConfigError."""
    try:
        options, _ = read_yaml(text)
    except YamlError as error:
        raise ConfigError(f"--model {pattern}: {error}") from None
    if not isinstance(options, Mapping) or not options:
        raise ConfigError(
            f"--model {pattern}: options as in {{beam_size: 5, language: de}} are expected, "
            f"not {text}"
        )
    return options


def variant(model: Model, options: Mapping[str, Any], pattern: str, text: str) -> Model:
    """The model with these options in place of its own, under a name that tells them.

    Raises ConfigError for an option that its engine does not have, and for a value that is none.
    """
    adapter = model.engine.adapter()
    for option in options:
        if option not in adapter.options:
            close = difflib.get_close_matches(option, adapter.options, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ConfigError(
                f"--model {pattern}: engine {model.engine.name!r} has no option {option!r}.{hint} "
                f"Options: {', '.join(adapter.options) or 'none'}"
            )
    own = {**model.options, **options}
    try:
        adapter.check(own)
    except ModelError as error:
        raise ConfigError(f"--model {pattern}: {error}") from None
    return replace(
        model,
        name=f"{model.name}-{_named(options)}",
        options=own,
        overridden={**model.overridden, **options},
        requested=f"{model.requested or model.name}:{text}",
        default=False,
    )


def _named(options: Mapping[str, Any]) -> str:
    """Options as part of a name: "beam_size-5"."""
    told = "-".join(
        f"{name}-{value if isinstance(value, str) else json.dumps(value, default=str)}"
        for name, value in options.items()
    )
    safe = re.sub(r"[^A-Za-z0-9._]+", "-", told).strip("-")
    if len(safe) <= _LONGEST:
        return safe
    written = json.dumps(options, sort_keys=True, default=str)
    return hashlib.sha256(written.encode()).hexdigest()[:_DIGITS]
