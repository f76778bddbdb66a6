"""The options of models behind an OpenAI-compatible API, and the values that they take."""

from __future__ import annotations

import json
import math
import re
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from adapters.interface import ModelError, Options

ENGINE = "openai_api"
#: Upper case only, so that a key put there by mistake is hardly ever taken for a name.
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


def _text(value: Any) -> bool:
    return value is None or (isinstance(value, str) and bool(value.strip()))


def _number(low: float, high: float) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number and math.isfinite(value) and low <= value <= high

    return fits


def _whole(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and low <= value <= high


def _one_of(*values: Any) -> tuple[Callable[[Any], bool], str]:
    return (lambda value: value in values and type(value) in map(type, values)), " or ".join(
        json.dumps(value) for value in values
    )


def _or_none(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


def _is_url(value: Any) -> bool:
    """An address that may be recorded: no name, password or query in it."""
    if value is None:
        return True
    try:
        url = urllib.parse.urlsplit(value)
        known = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except (ValueError, AttributeError, TypeError):
        return False
    return known and "@" not in url.netloc and not url.query and not url.fragment


_SWITCH = _one_of(True, False)
_SOME_TEXT = (_text, "a text that is not empty, or null")
#: Option to what its values are like, in code and in words.
_VALUES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "base_url": (_is_url, "an http:// or https:// address with a host, no password and no query"),
    "api_key_env": (
        _or_none(lambda value: isinstance(value, str) and bool(_VARIABLE.fullmatch(value))),
        "the name of an environment variable in upper case, never the key itself",
    ),
    "timeout": (_number(0.001, 86_400), "seconds from 0.001 to 86400"),
    "retries": (_whole(0, 100), "a whole number from 0 to 100"),
    "check_model": _SWITCH,
    "stream": _SWITCH,
    "language": _SOME_TEXT,
    "prompt": _SOME_TEXT,
    "temperature": (_or_none(_number(0.0, 2.0)), "a number from 0 to 2, or null"),
    "response_format": _one_of("json", "verbose_json"),
    "word_timestamps": _SWITCH,
    "voice": (lambda value: value is not None and _text(value), "the name of a voice"),
    "speed": (_or_none(_number(0.25, 4.0)), "a number from 0.25 to 4, or null"),
    "instructions": _SOME_TEXT,
    "speech_format": _one_of("pcm", "wav"),
    "pcm_sample_rate": (_whole(4_000, 192_000), "Hz from 4000 to 192000"),
    "system_prompt": _SOME_TEXT,
    "modality": _one_of("text", "audio"),
    "max_new_tokens": (_or_none(_whole(1, 1_000_000)), "a whole number from 1, or null"),
    "token_limit_name": _one_of("max_completion_tokens", "max_tokens"),
    "send_seed": _SWITCH,
}
#: Where a secret may stand by mistake: not repeated in an error.
_NOT_SHOWN = ("api_key_env", "base_url")


def check_options(options: Options) -> None:
    """Raise ModelError for an option that there is not, or a value that it does not take."""
    for name, value in options.items():
        if name not in _VALUES:
            raise ModelError(f"{ENGINE}: no option {name!r}; there are {', '.join(_VALUES)}")
        fits, words = _VALUES[name]
        if not fits(value):
            shown = "" if name in _NOT_SHOWN else f", not {value!r}"
            raise ModelError(f"{ENGINE}: option {name} must be {words}{shown}")
