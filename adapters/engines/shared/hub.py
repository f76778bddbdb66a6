"""Checkpoints on the Hugging Face hub: found in its cache, fetched only when asked to."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from adapters.interface import ModelError


def is_local(checkpoint: str) -> bool:
    """Whether a checkpoint is a path of this machine, not the hub's OWNER/NAME."""
    return Path(checkpoint).is_absolute() or checkpoint.startswith(".") or Path(checkpoint).exists()


def folder(
    checkpoint: str,
    revision: str | None,
    *,
    required: Sequence[str] = ("config.json",),
    patterns: Sequence[str] | None = None,
) -> Path:
    """The checkpoint's folder: the local path itself, or its snapshot in the hub's cache.

    required: files without which it is not whole; sharded weights are checked by
    their index. Raises ModelError where something is missing, saying what to do.
    """
    if is_local(checkpoint):
        path = Path(checkpoint)
        if not path.is_dir():
            raise ModelError(f"{path}: no such folder; a checkpoint is expected there")
        _check(path, required, str(path))
        return path
    found = _snapshot(checkpoint, revision, patterns, offline=True)
    if found is None:
        raise ModelError(
            f"{checkpoint}{_at(revision)} is not on this machine, and nothing is downloaded "
            "unasked. Fetch it with: python -m adapters download NAME-IN-THE-CATALOGUE"
        )
    _check(found, required, f"{checkpoint}{_at(revision)} in the hub's cache")
    return found


def cached(
    checkpoint: str,
    revision: str | None,
    *,
    required: Sequence[str] = ("config.json",),
    patterns: Sequence[str] | None = None,
) -> bool | None:
    """Whether `folder` would find the checkpoint; None where huggingface_hub is not installed."""
    return can_find(lambda: folder(checkpoint, revision, required=required, patterns=patterns))


def can_find(look: Callable[[], object]) -> bool | None:
    """Whether looking for a checkpoint raises no ModelError; None where a package is missing."""
    try:
        look()
    except ModelError:
        return False
    except ImportError:
        return None
    return True


def download(
    checkpoint: str,
    revision: str | None,
    *,
    required: Sequence[str] = ("config.json",),
    patterns: Sequence[str] | None = None,
) -> str:
    """Fetch a checkpoint's files into the hub's cache and return their folder.

    patterns: the files wanted, as globs; None means all. Raises ModelError.
    """
    if is_local(checkpoint):
        raise ModelError(f"{checkpoint} is a local path: there is nothing to download")
    found = _snapshot(checkpoint, revision, patterns, offline=False)
    assert found is not None
    _check(found, required, f"{checkpoint}{_at(revision)} as downloaded")
    return str(found)


def _snapshot(
    checkpoint: str, revision: str | None, patterns: Sequence[str] | None, *, offline: bool
) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        found = snapshot_download(
            checkpoint,
            revision=revision,
            allow_patterns=list(patterns) if patterns is not None else None,
            local_files_only=offline,
        )
    except LocalEntryNotFoundError as error:
        if offline:
            return None
        raise ModelError(f"{checkpoint} cannot be downloaded: {_first_line(error)}") from error
    except Exception as error:  # network, permission, gating, a mistyped name: all end the same way
        raise ModelError(f"{checkpoint} cannot be had: {_first_line(error)}") from error
    return Path(found)


def _check(path: Path, required: Sequence[str], name: str) -> None:
    for file in required:
        if not (path / file).is_file():
            raise ModelError(f"{name}: the checkpoint is not whole (no {file})")
    for index in sorted(path.glob("*.safetensors.index.json")):
        try:
            shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise ModelError(f"{name}: {index.name} cannot be read: {error}") from error
        for shard in sorted(shards):
            if Path(shard).name != shard or not (path / shard).is_file():
                raise ModelError(f"{name}: the checkpoint is not whole (no {shard})")


def _at(revision: str | None) -> str:
    return f" at {revision}" if revision else ""


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
