"""What is known of an engine without importing it: where it lives, what it does and needs."""

from __future__ import annotations

import importlib.util
import platform
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from adapters.catalog.load_adapter import ENGINES, PREDICTIONS, load_adapter
from adapters.interface import PROTOCOLS, Adapter, Engine, ModelError, Options

_DECLARES_ADAPTER = re.compile(r"^ADAPTER\b", re.MULTILINE)


@cache
def known_engines() -> tuple[str, ...]:
    """The engines of this package: what of `ENGINES` and its folders names an `ADAPTER`."""
    return tuple(
        sorted(
            (f.parent.name if f.stem == "adapter" else f.stem)
            for f in [*ENGINES.glob("*.py"), *ENGINES.glob("*/*.py")]
            if _DECLARES_ADAPTER.search(f.read_text(encoding="utf-8"))
        )
    )


@dataclass(frozen=True, slots=True)
class EngineRef:
    """Where an adapter class lives: an engine of this package, or a Python file elsewhere."""

    name: str
    file: str | None = None

    def adapter(self) -> type[Adapter]:
        """The adapter class. Raises ModelError where there is none."""
        return load_adapter(self.name, self.file)

    def tasks(self) -> tuple[str, ...]:
        """The tasks whose protocol the adapter implements."""
        cls = self.adapter()
        return tuple(task for task, protocol in PROTOCOLS.items() if issubclass(cls, protocol))

    def missing(self, options: Options | None = None) -> str | None:
        """What to install before the engine can run here; None where nothing is missing.

        options: a model's `resolved_options`, to ask for the engines too that it is made of.
        """
        absent = self._absent(alone=True)
        if absent is not None or options is None:
            return absent
        cls = self.adapter()
        try:
            parts = cls.engines(cls.prepare(options))
        except ModelError:
            return None  # wrong, not missing: told when the model is loaded
        # An environment is of one engine: parts can only be where the whole is.
        told = ((role, _ref(part)._absent(alone=False)) for role, part in parts.items())
        return next((f"{role}: {why}" for role, why in told if why is not None), None)

    def modules(self, options: Options) -> Sequence[str]:
        """The top-level modules of the engine and of all that it is made of.

        options: prepared.
        """
        cls = self.adapter()
        found = [*cls.modules]
        for part in cls.engines(options).values():
            found += part.adapter().modules
        return list(dict.fromkeys(found))

    def _absent(self, *, alone: bool) -> str | None:
        """As `missing`, without parts. alone: whether it may have an environment of its own."""
        cls = self.adapter()
        here = platform.python_version()
        if cls.python is not None and _numbers(here) < _numbers(cls.python):
            return (
                f"engine {self.name!r} needs Python {cls.python} or newer, and this is {here}"
                + (". Run it in an environment of its own with --envs" if alone else "")
            )
        absent = [m for m in cls.modules if importlib.util.find_spec(m) is None]
        if not absent:
            return None
        if cls.extra is None:
            packages = " ".join(shlex.quote(name) for name in cls.requirements or absent)
            built = ". Or give it an environment of its own with --envs"
            return (
                f"engine {self.name!r} needs {', '.join(absent)}, which is not installed. "
                f"Install it with: uv pip install {packages}"
                + (built if alone and cls.requirements else "")
            )
        return (
            f"engine {self.name!r} is not installed (no module {absent[0]!r}). "
            f"Install it with: uv sync --inexact --extra {cls.extra}"
            + (", or give it an environment of its own with --envs" if alone else "")
        )

    def refusal(self, device: str, options: Options) -> str | None:
        """Why the engine cannot run on a device with these options, by its own declaration."""
        kind = device.partition(":")[0]
        for restriction in self.adapter().restrictions:
            value = options.get(restriction.option)
            if restriction.device == kind and value in restriction.values:
                return (
                    f"{restriction.option} {value!r} does not work with {self.name} on {kind}: "
                    f"{restriction.why}"
                )
        return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def _ref(engine: Engine) -> EngineRef:
    return EngineRef(engine.name, engine.file)


def resolve_engine(name: str, folder: Path) -> EngineRef:
    """An engine as a catalogue names it: `faster_whisper`, or `my_engine.py` beside the file.

    Raises ValueError, with the engines that exist, where there is no such engine.
    """
    if name.endswith(".py"):
        path = (folder / name).resolve()
        if not path.is_file():
            raise ValueError(f"no such file: {path}")
        return EngineRef(name=path.stem, file=str(path))
    if name not in (*known_engines(), PREDICTIONS):
        raise ValueError(
            f"no engine is called {name!r}. Engines: {', '.join(known_engines())}, "
            f"{PREDICTIONS} for a file of them, or the path of a .py file beside the catalogue"
        )
    return EngineRef(name=name)
