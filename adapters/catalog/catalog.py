"""The catalogue: which models there are, and which of them a session runs."""

from __future__ import annotations

import difflib
import fnmatch
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from adapters.catalog import packages, variants, yaml_file
from adapters.catalog.engine import EngineRef, resolve_engine
from adapters.catalog.model import PACKAGED, Model, Task, Tier, together
from adapters.catalog.yaml_file import ConfigError, KeyedError
from adapters.interface import ModelError
from adapters.provided.kind import kind_of, name_of

BUILTIN = Path(__file__).with_name("models.yaml")

#: What the name of a set begins with. pytest takes an argument that begins with @ for the name of
#: a file of arguments, so that the second works in `--model=@NAME` alone.
_SET_SIGNS = ("set:", "@")

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
#: A model under a name of one's own: "NAME=ENGINE:CHECKPOINT".
_RENAMED = re.compile(rf"(?P<name>{NAME.pattern})=(?P<model>.+)", re.DOTALL)
#: Of a hash, in the names of checkpoints that would otherwise have the same.
_DIGITS = 8


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    engine: str
    checkpoint: str = PACKAGED
    revision: str | None = None
    sha256: str | None = None
    tasks: list[Task] = Field(default_factory=list)
    tier: Tier = "candidate"
    licence: str | None = None
    parameters: int | None = Field(default=None, gt=0)
    download_mb: int | None = Field(default=None, gt=0)
    default: bool = False
    vocabulary: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    schema_version: Literal[1]
    models: dict[str, _Entry] = Field(min_length=1)
    sets: dict[str, list[str]] = Field(default_factory=dict)

    @field_validator("models", "sets")
    @classmethod
    def _names(cls, value: dict[str, Any]) -> dict[str, Any]:
        # A name becomes a folder and part of a test's id.
        for name in value:
            if not NAME.fullmatch(name):
                raise KeyedError(
                    [name],
                    "a name has letters, digits, '.', '_' and '-' only, "
                    "starting with a letter or digit",
                )
        return value

    @model_validator(mode="after")
    def _lower_case_twins(self) -> _File:
        # Names become folders, and some file systems do not tell case apart.
        seen: dict[str, str] = {}
        for name in self.models:
            twin = seen.setdefault(name.lower(), name)
            if twin != name:
                raise KeyedError(["models", name], f"differs from {twin!r} in case only")
        return self


class Catalog:
    """The entries of one or more catalogue files, in their order."""

    def __init__(self, files: Iterable[Path] = (BUILTIN,)) -> None:
        self.models: dict[str, Model] = {}
        self.sets: dict[str, list[str]] = {}
        origin: dict[str, Path] = {}
        for path in files:
            content = yaml_file.load(path, _File)
            wrong: list[str] = []  # all of it is told at once
            for name, entry in content.models.items():
                if name in self.models:
                    wrong.append(
                        f"{path}: models.{name}: {origin[name]} has a model of this name already; "
                        "choose another"
                    )
                    continue
                origin[name] = path
                try:
                    self.models[name] = _model(name, entry, path)
                except ConfigError as error:
                    wrong.append(str(error))
            if wrong:
                raise ConfigError("\n".join(wrong))
            for name, members in content.sets.items():
                if name in self.sets:
                    raise ConfigError(f"{path}: sets.{name}: there is a set of this name already")
                self.sets[name] = members
            for name, members in content.sets.items():
                for member in members:
                    if member not in self.models:
                        raise ConfigError(f"{path}: sets.{name}: no model is called {member!r}")
        # What names none is told where its model is selected.
        self.models |= {name: self._resolved(model) for name, model in self.models.items()}

    def _resolved(self, model: Model) -> Model:
        with suppress(ModelError):
            return self.resolved(model)
        return model

    def resolved(self, model: Model) -> Model:
        """The model with the entries of those that its options name as its components.

        Raises ModelError where the catalogue has no model of such a name.
        """
        components = {}
        licences: list[str | None] = []
        for option, words in model.engine.adapter().components.items():
            value = model.options[option]
            if isinstance(value, str) and value in words:
                continue
            if not isinstance(value, str) or not value or ":" in value:
                licences.append(None)
                continue
            if value not in self.models:
                close = difflib.get_close_matches(value, [*self.models, *words], n=1)
                hint = f" Did you mean {close[0]!r}?" if close else ""
                known = "The names are in: python -m adapters list"
                raise ModelError(
                    f"{option}: no model is called {value!r} in the catalogue.{hint} {known}"
                )
            components[option] = self.models[value].as_component()
            licences.append(self.models[value].licence)
        licence = model.licence or together(licences)
        return replace(model, components=components, licence=licence)

    def select(self, patterns: Sequence[str] | None) -> list[Model]:
        """The models that `--model` asks for, without repeats, in the order asked for.

        Each pattern is a name, a glob, `set:NAME` (or `@NAME`) or `ENGINE:CHECKPOINT`, each also
        with other options behind it, as in `NAME:{beam_size: 5}`, and what is one model with a
        name of its own before it, as in `NAME=ENGINE:CHECKPOINT`; none at
        all means the entries marked `default: true`. Models whose names would
        be the same, or that of an entry, have a part of a hash in theirs, so that each
        has a name and a folder of its own whatever the order. Raises ConfigError, with
        what exists, for a pattern that matches nothing.
        """
        if not patterns:
            return [m for m in self.models.values() if m.default]
        found = [model for pattern in patterns for model in self._match(pattern)]
        _refuse_twins(found)
        # Names become folders, and some file systems do not tell case apart.
        called: dict[str, set[tuple[str, ...]]] = {
            name.lower(): {(name, "")} for name in self.models
        }
        for model in found:
            if model.requested is not None:
                called.setdefault(model.name.lower(), set()).add(_told_apart(model))
        chosen: dict[str, Model] = {}
        for model in found:
            if model.requested is not None and len(called[model.name.lower()]) > 1:
                digest = hashlib.sha256("\0".join(_told_apart(model)).encode()).hexdigest()
                model = replace(model, name=f"{model.name}-{digest[:_DIGITS]}")
            known = chosen.get(model.name)
            if known is None or not known.required:
                chosen[model.name] = model
        return list(chosen.values())

    def _match(self, pattern: str) -> list[Model]:
        if pattern in self.models:
            return [self.models[pattern]]
        renamed = _RENAMED.fullmatch(pattern)
        if renamed is not None:
            return [self._renamed(pattern, renamed["name"], renamed["model"])]
        base, text = variants.split(pattern)
        if text is not None:
            options = variants.options_of(pattern, text)
            found = [variants.variant(m, options, pattern, text) for m in self._match(base)]
            return [self._resolved(model) for model in found]
        for sign in _SET_SIGNS:
            if pattern.startswith(sign):
                return self._of_set(pattern, pattern.removeprefix(sign))
        engine, colon, checkpoint = pattern.partition(":")
        if colon:
            return [self._ad_hoc(pattern, engine, checkpoint)]
        found = [_optional(m) for n, m in self.models.items() if fnmatch.fnmatchcase(n, pattern)]
        if not found:
            close = difflib.get_close_matches(pattern, self.models, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ConfigError(
                f"--model {pattern}: no model of that name in the catalogue.{hint} "
                f"Models: {', '.join(self.models)}"
            )
        return found

    def _renamed(self, pattern: str, name: str, named: str) -> Model:
        if _RENAMED.fullmatch(named):
            raise ConfigError(f"--model {pattern}: one name is enough")
        if twin := next((known for known in self.models if known.lower() == name.lower()), None):
            raise ConfigError(
                f"--model {pattern}: the catalogue has a model called {twin} already; choose "
                "another name"
            )
        found = self._match(named)
        if len(found) != 1 or not found[0].required:
            raise ConfigError(f"--model {pattern}: one model is expected after {name}=")
        return replace(found[0], name=name, requested=pattern, default=False)

    def _of_set(self, pattern: str, name: str) -> list[Model]:
        if name not in self.sets:
            names = ", ".join(f"{_SET_SIGNS[0]}{n}" for n in self.sets) or "none"
            raise ConfigError(f"--model {pattern}: no such set in the catalogue. Sets: {names}")
        return [_optional(self.models[member]) for member in self.sets[name]]

    def _ad_hoc(self, pattern: str, engine: str, checkpoint: str) -> Model:
        try:
            ref = resolve_engine(engine, Path.cwd())
        except ValueError as error:
            raise ConfigError(f"--model {pattern}: {error}") from None
        if not checkpoint:
            raise ConfigError(f"--model {pattern}: a checkpoint is expected after {engine}:")
        adapter = ref.adapter()
        checkpoint, given = adapter.named(checkpoint)
        options = {**adapter.options, **given}
        try:
            adapter.check(options)
            packages.check(checkpoint)
        except ModelError as error:
            raise ConfigError(f"--model {pattern}: {error}") from None
        local = Path(checkpoint).expanduser()
        if adapter.provided:
            return _provided(pattern, ref, local)
        # A server's name of a model is no path, even where a file here is called the same.
        is_path = "remote" not in adapter.devices and local.exists()
        model = Model(
            # As in the catalogue, it starts with a letter or digit.
            name=_as_name(pattern),
            engine=ref,
            checkpoint=str(local.resolve()) if is_path else checkpoint,
            tasks=ref.tasks(),
            tier="candidate",
            options=options,
            overridden=given,
            requested=pattern,
        )
        return self._resolved(model)


def _refuse_twins(models: Sequence[Model]) -> None:
    """Raise ConfigError where a name was given to two models: it would be that of neither."""
    given: dict[str, Model] = {}
    for model in models:
        if model.requested is None or not _RENAMED.fullmatch(model.requested):
            continue
        twin = given.setdefault(model.name.lower(), model)
        if twin.requested != model.requested:
            raise ConfigError(
                f"--model {model.requested}: {twin.requested} has that name already; choose another"
            )


def _as_name(text: str) -> str:
    """A text as a name: with the characters of one alone."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).rstrip("-").lstrip("-._")


def _provided(pattern: str, engine: EngineRef, path: Path) -> Model:
    """Answers in a file or folder, as the model that they stand for."""
    if not path.exists():
        raise ConfigError(f"--model {pattern}: {path}: no such file or folder")
    return Model(
        name=_as_name(name_of(path.resolve())) or engine.name,
        engine=engine,
        checkpoint=str(path.resolve()),
        tasks=(kind_of(path),),
        tier="candidate",
        options=dict(engine.adapter().options),
        requested=pattern,
    )


def _told_apart(model: Model) -> tuple[str, ...]:
    """What makes a model that the catalogue does not have another one than another."""
    engine = model.engine.file or model.engine.name
    if not model.overridden:
        return engine, model.checkpoint
    return engine, model.checkpoint, json.dumps(dict(model.overridden), sort_keys=True, default=str)


def _optional(model: Model) -> Model:
    """A model met through a glob or a set, not named: skipped where its engine is not installed."""
    return replace(model, required=False)


def _model(name: str, entry: _Entry, path: Path) -> Model:
    try:
        engine = resolve_engine(entry.engine, path.parent)
        adapter = engine.adapter()
    except (ValueError, ModelError) as error:
        raise ConfigError(f"{path}: models.{name}.engine: {error}") from None
    tasks: Sequence[str] = entry.tasks
    checkpoint = entry.checkpoint
    # Relative to the file that says it; what holds answers can be nothing but a path.
    if adapter.provided or checkpoint.startswith(("./", "../")):
        checkpoint = str((path.parent / Path(checkpoint).expanduser()).resolve())
    if adapter.provided:
        if "checkpoint" not in entry.model_fields_set:
            raise ConfigError(f"{path}: models.{name}.checkpoint: the file of its predictions")
        tasks = tasks or (kind_of(Path(checkpoint)),)
    try:
        packages.check(checkpoint, entry.sha256, pinned=True)
        if entry.sha256 is not None and entry.revision is not None:
            raise ModelError("revision: a checkpoint inside a package has its sha256 alone")
    except ModelError as error:
        raise ConfigError(f"{path}: models.{name}: {error}") from None
    if not tasks:
        raise ConfigError(f"{path}: models.{name}.tasks: at least one of asr, tts and chat")
    for task in tasks:
        if task not in engine.tasks():
            raise ConfigError(
                f"{path}: models.{name}.tasks: engine {entry.engine!r} does not do {task!r} "
                f"(it does: {', '.join(engine.tasks()) or 'nothing'})"
            )
    for option in entry.options:
        if option not in adapter.options:
            raise ConfigError(
                f"{path}: models.{name}.options: engine {entry.engine!r} has no option "
                f"{option!r}. Options: {', '.join(adapter.options) or 'none'}"
            )
    options = {**adapter.options, **entry.options}
    try:
        adapter.check(options)
    except ModelError as error:
        raise ConfigError(f"{path}: models.{name}.options: {error}") from None
    return Model(
        name=name,
        engine=engine,
        checkpoint=checkpoint,
        revision=entry.sha256 or entry.revision,
        tasks=tuple(tasks),
        tier=entry.tier,
        licence=entry.licence,
        parameters=entry.parameters,
        download_mb=entry.download_mb,
        default=entry.default,
        vocabulary=entry.vocabulary,
        options=options,
    )
