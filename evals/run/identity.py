"""What made a prediction: model, options, device, seed and corpus. Told apart by name."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from adapters.catalog.model import Model
from evals.models.loaded import Settings
from evals.models.provided import provided_sha256
from fixtures.safe_text import printable, shown

#: Names to values, nested; JSON.
Identity: TypeAlias = Mapping[str, Any]

_SHOWN = 3


def model_identity(entry: Model, settings: Settings, device: str) -> dict[str, Any]:
    """Of a catalogue entry as a session runs it. device: the kind that it gets, as "cuda"."""
    identity = {
        "engine": entry.engine.name,
        "engine_sha256": _file_sha256(entry.engine.file),
        "checkpoint": entry.checkpoint,
        "revision": entry.revision,
        "options": dict(entry.options),
        "device": device.partition(":")[0],
        "threads": settings.threads,
        "seed": settings.seed,
    }
    if entry.is_provided:
        # The file is all there is to the model: another content is another model.
        identity["checkpoint_sha256"] = provided_sha256(entry)
    as_json: dict[str, Any] = plain(identity)
    return as_json


def _file_sha256(file: str | None) -> str | None:
    """Of an engine outside the repo, which no version tells apart."""
    if file is None or not Path(file).is_file():
        return None
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def digest(identity: Identity) -> str:
    """SHA-256 of an identity, whatever the order of its names."""
    text = json.dumps(plain(identity), sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def differences(was: Identity, now: Identity, within: str = "") -> list[str]:
    """What another identity has otherwise: "options.beam_size was 1 and is 5"."""
    found: list[str] = []
    for name in [*was, *(name for name in now if name not in was)]:
        old, new = was.get(name), now.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += differences(old, new, f"{within}{name}.")
        elif old != new:
            found.append(f"{_said(within + name)} was {_said(old)} and is {_said(new)}")
    return found


def summary(found: list[str]) -> str:
    """Differences in a line."""
    more = len(found) - _SHOWN
    return "; ".join(found[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _said(value: Any) -> str:
    text = (
        "nothing" if value is None else printable(value if isinstance(value, str) else shown(value))
    )
    return text if len(text) <= 60 else text[:57] + "..."


def plain(value: Any) -> Any:
    """As JSON gives it back, so that what was stored can be compared with what is."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return str(value)
