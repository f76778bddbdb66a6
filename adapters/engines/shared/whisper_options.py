"""Decode options that the adapters of Whisper share: the same name means the same everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from adapters.engines.shared.languages import fixed
from adapters.interface import Adapter, LoadSpec, ModelError, Options

#: Tokens that one window may give: half of Whisper's context, the rest is the prompt's.
MOST_NEW_TOKENS = 224


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return _whole(value) or (isinstance(value, float) and math.isfinite(value))


def _temperature(value: Any) -> bool:
    values = value if isinstance(value, list | tuple) else [value]
    return bool(values) and all(_number(v) and v >= 0 for v in values)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


#: Option to (what its values must satisfy, how to say it).
_CHECKS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "language": (
        lambda v: isinstance(v, str) and bool(v),
        "a language code such as en, row for that of each row, or auto (or null) to detect it",
    ),
    "beam_size": (lambda v: _whole(v) and v >= 1, "a whole number from 1"),
    "best_of": (lambda v: _whole(v) and v >= 1, "a whole number from 1"),
    "temperature": (_temperature, "a number from 0, or a list of them to fall back on"),
    "max_new_tokens": (
        lambda v: _whole(v) and 1 <= v <= MOST_NEW_TOKENS,
        f"a whole number from 1 to {MOST_NEW_TOKENS}, or null",
    ),
    "compression_ratio_threshold": (lambda v: v is None or _number(v), "a number, or null"),
    "logprob_threshold": (lambda v: v is None or _number(v), "a number, or null"),
    "no_speech_threshold": (lambda v: v is None or _number(v), "a number, or null"),
    "initial_prompt": (lambda v: isinstance(v, str), "a text, or null"),
    "hotwords": (lambda v: isinstance(v, str), "a text, or null"),
    "without_timestamps": (_flag, "true or false"),
    "condition_on_previous_text": (_flag, "true or false"),
    "word_timestamps": (_flag, "true or false"),
    "vad_filter": (_flag, "true or false"),
    "vad_parameters": (lambda v: isinstance(v, dict), "a mapping, or null"),
    "batch_size": (lambda v: _whole(v) and v >= 1, "a whole number from 1"),
    "chunk_length": (
        lambda v: _whole(v) and 1 <= v <= 30,
        "whole seconds from 1 to 30, or null for 30",
    ),
    "alignment_heads": (
        lambda v: isinstance(v, list | tuple) and bool(v) and all(map(_pair, v)),
        "a list of [layer, head] pairs, or null",
    ),
}


def _pair(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(_whole(number) and number >= 0 for number in value)
    )


def checked_options(
    adapter: Adapter, spec: LoadSpec, compute_types: Iterable[str]
) -> dict[str, Any]:
    """All options with their values, defaults included.

    Raises ModelError for an option that does not exist, a value that it cannot have, and
    one that the adapter declares not to work on the device.
    """
    options = {**adapter.options, **spec.options}
    check_values(adapter.options, options, compute_types)
    kind = spec.device.partition(":")[0]
    for restriction in adapter.restrictions:
        if restriction.device == kind and options[restriction.option] in restriction.values:
            raise ModelError(
                f"{restriction.option} {options[restriction.option]!r} does not work on {kind}: "
                f"{restriction.why}"
            )
    return options


def check_values(defaults: Options, options: Options, compute_types: Iterable[str]) -> None:
    """Raise ModelError for an option that does not exist, and a value that it cannot have."""
    compute_types = tuple(compute_types)
    for name, value in options.items():
        if name not in defaults:
            raise ModelError(f"no option {name!r}. Options: {', '.join(defaults)}")
        if name == "compute_type":
            good, expected = value in compute_types, f"one of {', '.join(compute_types)}"
        else:
            check, expected = _CHECKS[name]
            # Null is for the options that have it for a default.
            good = check(value) or (value is None and defaults[name] is None)
        if not good:
            raise ModelError(f"option {name}: {value!r} is not {expected}")


def check_language(option: str | None, known: Iterable[str], *, multilingual: bool) -> None:
    """Raise ModelError where the loaded model does not know the language asked for."""
    language = fixed(option)
    if language is None:
        return
    if not multilingual:
        if language != "en":
            raise ModelError(f"option language: the model knows English only, not {language!r}")
        return
    known = list(known)
    if language not in known:
        raise ModelError(
            f"option language: the model does not know {language!r}. It knows: {', '.join(known)}"
        )


def one_line(error: BaseException) -> str:
    """An error of a library as one line, cut where it goes on and on."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."
