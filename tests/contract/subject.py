"""What the contract tests need to know of an engine: a small checkpoint, and how to break it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Made:
    """A checkpoint that was made: LoadSpec's `checkpoint` and options beside the defaults."""

    checkpoint: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Subject:
    """One engine with one kind of checkpoint.

    make: makes the checkpoint in the empty folder it is given; called once per session. It
    imports the engine's libraries inside, and asks no network.
    tasks: what is tested; hears: whether it understands the commands of voice-commands, so that
    its transcript of the clip must be right, not merely text. reads: whether it is given the
    user's turns in writing, because it cannot hear them.
    damages: name of a damage -> (function that does it to a copy of the checkpoint, which is a
    file or folder; pattern that the error must match).
    setting: an option and a value with which the answer to the standard input changes.
    """

    name: str
    engine: str
    make: Callable[[Path], Made]
    tasks: Sequence[str]
    hears: bool = False
    reads: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    damages: Mapping[str, tuple[Callable[[Path], None], str]] = field(default_factory=dict)
    setting: tuple[str, Any] | None = None


def truncate(name: str) -> Callable[[Path], None]:
    """The first half of a file ("" for a checkpoint that is a file itself)."""

    def damage(checkpoint: Path) -> None:
        file = checkpoint / name if name else checkpoint
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    return damage


def remove(name: str) -> Callable[[Path], None]:
    """One file fewer."""

    def damage(checkpoint: Path) -> None:
        (checkpoint / name).unlink()

    return damage


def overwrite(name: str, content: bytes = b"no checkpoint at all") -> Callable[[Path], None]:
    """Something else in a file's place ("" for a checkpoint that is a file itself)."""

    def damage(checkpoint: Path) -> None:
        (checkpoint / name if name else checkpoint).write_bytes(content)

    return damage
