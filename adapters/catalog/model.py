"""A model as the catalogue or the command line names it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from adapters.catalog import packages
from adapters.catalog.engine import EngineRef
from adapters.interface import ModelError

EMBEDDED = "embedded:"  # the repo ships the checkpoint
PACKAGED = "builtin"  # the engine's own package brings it

Tier = Literal["baseline", "candidate", "production"]
Task = Literal["asr", "tts", "chat"]


@dataclass(frozen=True, slots=True)
class Model:
    """One catalogue entry, ready to be run."""

    name: str
    engine: EngineRef
    checkpoint: str
    tasks: tuple[str, ...]
    tier: str
    #: Of a checkpoint inside a package, the SHA-256 that its content must have.
    revision: str | None = None
    licence: str | None = None
    parameters: int | None = None
    download_mb: int | None = None
    default: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    #: What the catalogue says of the models that its options name, by option.
    components: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: The only sentences that a recognizer knows, by the name that corpora mark them with.
    vocabulary: str | None = None
    #: Named by the user: it must run, or the session fails.
    required: bool = True
    #: As `--model` named it; None of an entry, which has a name of its own.
    requested: str | None = None
    #: Of `options`, those that the command line gave in place of the catalogue's.
    overridden: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shipped(self) -> bool:
        """Whether repo or package bring the checkpoint, so that nothing is needed from outside."""
        return all(_is_shipped(checkpoint) for checkpoint in self.checkpoints)

    @property
    def needs_no_download(self) -> bool:
        """Whether repo and installed packages hold all that it is made of."""
        return all(_is_shipped(c) or packages.is_packaged(c) for c in self.checkpoints)

    @property
    def checkpoints(self) -> Sequence[str]:
        """Its own checkpoint, and those of the models that its options name."""
        parts = [self.resolved_options.get(name) for name in self.engine.adapter().components]
        named = [p.partition(":")[2] for p in parts if isinstance(p, str) and ":" in p]
        found = [p.get("checkpoint") or PACKAGED for p in parts if isinstance(p, Mapping)]
        return [self.checkpoint, *named, *map(str, found)]

    @property
    def is_packaged(self) -> bool:
        """Whether its checkpoint lies in an installed package."""
        return packages.is_packaged(self.checkpoint)

    def missing(self) -> str | None:
        """What to install before it can run here; None where nothing is missing."""
        return self.engine.missing(self.resolved_options) or self.missing_weights()

    def missing_weights(self) -> str | None:
        """Which package to install that only holds weights; the engine's own are none of those."""
        adapter = self.engine.adapter()
        options: Mapping[str, Any] = {}
        with suppress(ModelError):  # wrong, not missing: told when the model is loaded
            options = adapter.prepare(self.resolved_options)
        named = packages.named_in({**options, "checkpoint": self.checkpoint})
        return packages.missing(named, adapter.modules)

    @property
    def is_provided(self) -> bool:
        """Whether its answers exist already, so that there is nothing to run."""
        return self.engine.adapter().provided

    @property
    def resolved_options(self) -> Mapping[str, Any]:
        """The options as `Adapter.prepare` takes them: components in place of their names."""
        return {**self.options, **self.components}

    def as_component(self) -> Mapping[str, Any]:
        """The model as an option of another one that is made of it."""
        return {
            "engine": self.engine.name,
            "file": self.engine.file,
            "checkpoint": self.checkpoint,
            "revision": self.revision,
            "options": dict(self.options),
        }


def _is_shipped(checkpoint: str) -> bool:
    return checkpoint == PACKAGED or checkpoint.startswith(EMBEDDED)


def together(licences: Sequence[str | None]) -> str | None:
    """The licence of what is made of parts, as an SPDX expression of what all of them demand.

    None where there is no part, where one has no licence, or a choice of several.
    """
    if not licences or any(one is None or " or " in one.lower() for one in licences):
        return None
    terms = [term for one in licences if one for term in one.split(" AND ")]
    return " AND ".join(dict.fromkeys(terms))
